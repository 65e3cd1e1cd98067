// Package intel is the knowledge base: how objects come in, how they are read, and how they go out.
package intel

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Schema is intel's tables: what became of each import, and of each object in it that was not simply taken.
var Schema = store.Schema{
	Name: "intel",
	Steps: []string{`
CREATE TABLE import_run(id TEXT PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, done INTEGER NOT NULL, state TEXT NOT NULL,
  objects INTEGER NOT NULL, added INTEGER NOT NULL, versioned INTEGER NOT NULL, unchanged INTEGER NOT NULL, refused INTEGER NOT NULL, mid INTEGER NOT NULL);
CREATE INDEX import_run_at ON import_run(at)`},
	Tables: []store.Table{{Name: "import_run", Mark: true}},
}

// Limits of one import.
const (
	MaxBytes   = 512 << 20 // of a bundle, unpacked
	MaxObjects = 2_000_000
	chunk      = 2000 // objects in one transaction
	maxKept    = 1000 // verdicts that are kept one by one; the rest is counted
)

// Base is the knowledge base. It is safe for use by many goroutines.
type Base struct{ store *store.Store }

// New makes the knowledge base of a store whose schemas include Schema.
func New(s *store.Store) *Base { return &Base{s} }

// ErrBundle means that a bundle could not be read, or not to its end; the text says where and why, and what the summary
// counts stands.
var ErrBundle = errors.New("the bundle can't be read")

// Options say where a bundle comes from and what holds for it.
type Options struct {
	// Source is whose objects these are: the id of an organisation, or marking.Own.
	Source string
	// Name is what people call the bundle, such as its file name.
	Name string
	// DefaultTLP is the level agreed with the source for what carries none; AMBER+STRICT holds where HasDefault is false.
	DefaultTLP marking.TLP
	HasDefault bool
	// Compartments bound everything in the bundle.
	Compartments []string
	// Progress is told after each chunk; it may be nil.
	Progress func(Progress)
}

// Progress is how far an import has come.
type Progress struct {
	Read  int // objects read so far
	Bytes int64
}

// Verdict is what became of one object.
type Verdict struct {
	Index   int   // in the bundle, from 0
	Offset  int64 // bytes from its beginning
	ID      string
	Outcome store.Outcome
	Reason  string
	Notes   []string // what was let pass, and advice
}

// Summary is what became of an import.
type Summary struct {
	Objects  int
	Counts   map[store.Outcome]int
	Noted    int       // objects that were taken with a note
	Verdicts []Verdict // of what was refused, conflicts, was relayed or noted; the first thousand
	Label    marking.Label
}

type item struct {
	stix.Item
	verdict Verdict
}

// Import takes a bundle in: marking definitions first, then the rest in chunks, an entry on the record each, closed by an
// entry with the sums. One bad object never costs the others. The same bundle again changes nothing. An error means that
// reading or writing stopped; what the summary counts stands.
func (b *Base) Import(ctx context.Context, who access.Principal, r io.Reader, o Options) (Summary, error) {
	sum := Summary{Counts: map[store.Outcome]int{}, Label: marking.Everyone()}
	if o.Source == "" {
		return sum, errors.New("an import needs the source that the objects come from")
	}
	if o.Name == "" {
		o.Name = "bundle"
	}
	act, err := who.Act(access.IntelImport, o.Source, "import "+o.Name)
	if err != nil {
		return sum, err
	}
	act.Bulk = true
	in := &counted{r: r}
	var later []item
	var batch []item
	flush := func(force bool) error {
		for len(batch) >= chunk || force && len(batch) > 0 {
			n := min(len(batch), chunk)
			if err := b.put(ctx, act, o, batch[:n], &sum); err != nil {
				return err
			}
			batch = batch[n:]
			if o.Progress != nil {
				o.Progress(Progress{sum.Objects, in.n})
			}
		}
		return nil
	}
	n := 0
	err = stix.ReadBundle(in, stix.Options{Mode: stix.Lenient}, func(i stix.Item) error {
		if n++; n > MaxObjects {
			return fmt.Errorf("more than %d objects", MaxObjects)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		it := item{Item: i, verdict: Verdict{Index: i.Index, Offset: i.Offset}}
		if i.Err != nil {
			it.verdict.Outcome, it.verdict.Reason = store.Refused, i.Err.Error()
			sum.count(it.verdict)
			return nil
		}
		it.verdict.ID = string(i.Object.ID)
		for _, note := range i.Notes {
			if len(it.verdict.Notes) < 20 {
				it.verdict.Notes = append(it.verdict.Notes, note.String())
			}
		}
		if i.Object.Type == "marking-definition" {
			batch = append(batch, it)
		} else {
			later = append(later, it)
		}
		return nil
	})
	if err != nil && n == 0 {
		return sum, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	stopped := err
	if err := flush(true); err != nil {
		return sum, err
	}
	batch = later
	if err := flush(true); err != nil {
		return sum, err
	}
	close := act
	close.Bulk = false
	close.Label = sum.Label
	close.Fields = append(close.Fields[:len(close.Fields):len(close.Fields)], store.Field{Name: "summary", Value: sum.String()})
	if _, err := b.store.Record(ctx, close, func(tx *store.Tx) error { return b.keepRun(tx, o, sum, stopped) }); err != nil {
		return sum, fmt.Errorf("closing the import of %s: %w", o.Name, err)
	}
	if stopped != nil {
		return sum, fmt.Errorf("%w: %w", ErrBundle, stopped)
	}
	return sum, nil
}

// put stores one chunk. The entry carries the join of what it brought.
func (b *Base) put(ctx context.Context, act store.Act, o Options, items []item, sum *Summary) error {
	verdicts := make([]Verdict, len(items))
	label := marking.Everyone()
	changed := false
	_, err := b.store.Record(ctx, act, func(tx *store.Tx) error {
		for i, it := range items {
			v, err := tx.Put(store.Put{Object: it.Object, Source: o.Source, HasTLP: o.HasDefault,
				Spec: marking.Spec{TLP: o.DefaultTLP, Compartments: o.Compartments, Audience: named(it.Object, act)}})
			if err != nil {
				return err
			}
			verdicts[i] = it.verdict
			verdicts[i].Outcome, verdicts[i].Reason = v.Outcome, v.Reason
			if v.Label.Valid() {
				label = label.Join(v.Label)
			}
			changed = changed || v.Outcome <= store.Older || v.Outcome == store.Relayed
		}
		if !changed {
			return errUnchanged
		}
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("storing objects: %w", err)
	}
	for _, v := range verdicts {
		sum.count(v)
	}
	sum.Label = sum.Label.Join(label)
	return nil
}

// errUnchanged rolls back a chunk that would leave an entry about nothing.
var errUnchanged = errors.New("nothing changed")

// named gives the persons that a RED object goes to: whoever took it in. For anything else the marking says it all.
func named(o *stix.Object, act store.Act) []string {
	for _, m := range o.MarkingRefs {
		if m == stix.TLP2Red || m == stix.TLP1Red {
			return []string{marking.PersonPrincipal(act.Actor)}
		}
	}
	for _, g := range o.Granular {
		if g.MarkingRef == stix.TLP2Red || g.MarkingRef == stix.TLP1Red {
			return []string{marking.PersonPrincipal(act.Actor)}
		}
	}
	return nil
}

func (s *Summary) count(v Verdict) {
	s.Objects++
	s.Counts[v.Outcome]++
	if len(v.Notes) > 0 {
		s.Noted++
	}
	if (v.Outcome >= store.Relayed || len(v.Notes) > 0) && len(s.Verdicts) < maxKept {
		s.Verdicts = append(s.Verdicts, v)
	}
}

// String says the sums in one line.
func (s Summary) String() string {
	parts := []string{fmt.Sprintf("%d objects", s.Objects)}
	for o := store.Added; o <= store.Refused; o++ {
		if n := s.Counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if s.Noted > 0 {
		parts = append(parts, fmt.Sprintf("%d with a note", s.Noted))
	}
	return strings.Join(parts, ", ")
}

// counted counts what was read and ends where too much comes.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	if c.n > MaxBytes {
		return 0, fmt.Errorf("the bundle has more than %d MiB", MaxBytes>>20)
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Unpacked sees from the first bytes whether a bundle is in gzip, and reads it out of it. How much may come out is
// Import's to bound. A refusal is an ErrBundle.
func Unpacked(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(2)
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: there is nothing in it", ErrBundle)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	case magic[0] != 0x1f || magic[1] != 0x8b:
		return in, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: it begins like gzip: %w", ErrBundle, err)
	}
	return z, nil
}

func runID() string { return stix.NewID("x-import").UUID() }
