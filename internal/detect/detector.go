package detect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vigil/internal/event"
	"vigil/internal/ingest"
	"vigil/internal/ingest/stream"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
)

// Detector reads the stream, one ordered reader a partition, and keeps findings.
type Detector struct {
	store    *store.Store
	stream   *stream.Stream
	register *ingest.Register

	now        atomic.Pointer[snapshot]
	stale      atomic.Bool // a switch or a list changed, which no version tells
	refreshing sync.Mutex
	catalogue  catalogue
	matched    atomic.Uint64
}

// New joins store, stream and register. Refresh or Run must follow before anything is matched.
func New(s *store.Store, st *stream.Stream, r *ingest.Register) *Detector {
	return &Detector{store: s, stream: st, register: r, catalogue: catalogue{lines: map[string]store.Object{}}}
}

// Matched is how many events have been matched since the start.
func (d *Detector) Matched() uint64 { return d.matched.Load() }

// Dropped gives what is in force but can't be matched, with the reason, by object.
func (d *Detector) Dropped() map[string]string {
	out := map[string]string{}
	if s := d.now.Load(); s != nil {
		for _, u := range s.dropped {
			out[u.id] = u.reason
		}
	}
	return out
}

// Check says whether every cursor fits its partition, before anything is served. A stream that was wiped or restored is
// named, and refused.
func (d *Detector) Check(ctx context.Context) error {
	for p := range d.stream.Partitions() {
		id, pos, err := d.store.Cursor(ctx, cursorName(p))
		if err != nil {
			return err
		}
		if err := d.stream.Check(ctx, p, id, pos); err != nil {
			return err
		}
	}
	return nil
}

// ResetCursors puts the cursors at the beginning of the stream that is there, on the record: what the lost stream held and
// was not yet matched is gone, and the entry says so.
func (d *Detector) ResetCursors(ctx context.Context, act store.Act) error {
	_, err := d.store.Record(ctx, act, func(tx *store.Tx) error {
		for p := range d.stream.Partitions() {
			old, pos, err := d.store.Cursor(ctx, cursorName(p))
			if err != nil {
				return err
			}
			tx.Note(fmt.Sprintf("partition.%d", p), fmt.Sprintf("stood at %d of %s", pos, old))
			if err := tx.ResetCursor(cursorName(p), d.stream.ID(p), 0); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func cursorName(p int) string { return fmt.Sprintf("detect/%d", p) }

// Run matches until ctx ends. An error means that the process must stop: nothing is skipped.
func (d *Detector) Run(ctx context.Context) error {
	if err := d.Refresh(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.follow(ctx) })
	for p := range d.stream.Partitions() {
		g.Go(func() error {
			if err := d.partition(ctx, p); err != nil && ctx.Err() == nil {
				return fmt.Errorf("partition %d: %w", p, err)
			}
			return nil
		})
	}
	return g.Wait()
}

const (
	maxBatch  = 64 // messages in one transaction
	leaseTime = time.Minute
)

// partition reads one partition in order: match in memory, then one transaction that moves the cursor and keeps what
// matched.
func (d *Detector) partition(ctx context.Context, p int) error {
	name := cursorName(p)
	lease, ok, err := d.store.Acquire(ctx, name, "this process", time.Now(), leaseTime)
	if err != nil || !ok {
		return errors.Join(err, fmt.Errorf("somebody else matches (lease held: %v)", !ok))
	}
	_, pos, err := d.store.Cursor(ctx, name)
	if err != nil {
		return err
	}
	reader, err := d.stream.Read(ctx, p, uint64(pos))
	if err != nil {
		return err
	}
	defer reader.Stop()
	msgs, free := make(chan stream.Message, maxBatch), make(chan []byte, maxBatch*2)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for {
			var buf []byte
			select {
			case buf = <-free:
			default:
			}
			m, err := reader.Next(ctx, buf)
			var damage *stream.Damage
			if errors.As(err, &damage) {
				slog.Error("a message of the event stream can't be read; its events are lost", "error", err)
			} else if err != nil {
				return err
			}
			select {
			case msgs <- m: // a damaged one holds no events: the cursor passes over it
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	g.Go(func() error {
		w := &worker{d: d, found: map[findingKey]*found{}, hours: map[hourKey]int{}}
		for {
			batch := make([]stream.Message, 0, maxBatch)
			select {
			case m := <-msgs:
				batch = append(batch, m)
			case <-ctx.Done():
				return ctx.Err()
			}
		more:
			for len(batch) < maxBatch {
				select {
				case m := <-msgs:
					batch = append(batch, m)
				default:
					break more
				}
			}
			for _, m := range batch {
				if err := w.match(m); err != nil {
					return err
				}
			}
			to := int64(batch[len(batch)-1].Seq)
			if time.Until(lease.Until) < leaseTime/2 {
				if lease, ok, err = d.store.Acquire(ctx, name, "this process", time.Now(), leaseTime); err != nil || !ok {
					return errors.Join(err, store.ErrFenced)
				}
			}
			err := d.store.Work(ctx, lease, func(tx *store.WorkTx) error {
				if err := tx.Advance(name, d.stream.ID(p), pos, to); err != nil {
					return err
				}
				return w.keep(tx)
			})
			if err != nil {
				return err
			}
			pos = to
			n := 0
			for _, m := range batch {
				n += m.Count
				select {
				case free <- m.Buffer():
				default:
				}
			}
			d.matched.Add(uint64(n))
			w.reset()
		}
	})
	return g.Wait()
}

// worker matches for one partition.
type worker struct {
	d       *Detector
	snap    *snapshot
	matcher *sigma.Matcher
	ev      event.Event
	found   map[findingKey]*found
	hours   map[hourKey]int
}

type hourKey struct {
	source string
	hour   int64
}

func (w *worker) reset() {
	clear(w.found)
	clear(w.hours)
}

// match matches a message's events against what is in force now.
func (w *worker) match(m stream.Message) error {
	if s := w.d.now.Load(); s != w.snap {
		w.snap, w.matcher = s, s.engine.NewMatcher()
	}
	src, ok := w.d.register.ByID(m.Source)
	if !ok {
		return fmt.Errorf("message %d comes from %s, which the register does not hold", m.Seq, m.Source)
	}
	label, err := src.Label(w.d.register.House())
	if err != nil {
		return fmt.Errorf("the label of %s: %w", src.Name, err)
	}
	for i, raw := range m.Events() {
		if err := w.ev.Parse(raw); err != nil {
			return fmt.Errorf("event %d of message %d: %w", i, m.Seq, err) // ingest has checked it: this program is wrong
		}
		at := w.ev.Time
		if !w.ev.Timed {
			at = m.Received
		}
		w.hours[hourKey{src.ID, at.Unix() / 3600}]++
		o := occurrence{raw: raw, at: at, label: label, source: src, part: m.Partition, seq: m.Seq, n: i}
		o.entity = string(w.ev.Host)
		if o.entity == "" {
			o.entity = src.Name
		}
		err := w.matcher.MatchJSON(raw, src.Logsource, func(hit sigma.Match) {
			if hit.Rule == nil || !hit.Report {
				return
			}
			k, ok := w.snap.rules[hit.Rule]
			if !ok {
				return
			}
			f := finding{kind: "rule", rule: k.id, title: hit.Rule.Title, level: ParseLevel(hit.Rule.Level), techniques: hit.Rule.Techniques(), label: k.label}
			if talksToHosts[hit.Rule.Logsource.Category] {
				f.value, f.benign = w.snap.benignHost(w.ev.Observables)
			}
			w.add(o, f)
		})
		if err != nil {
			return fmt.Errorf("matching event %d of message %d: %w", i, m.Seq, err)
		}
		for _, obs := range w.ev.Observables {
			for _, ind := range w.snap.indicators.find(obs) {
				if !ind.holds(at) {
					continue
				}
				f := finding{kind: "indicator", rule: ind.id, title: ind.title, level: ind.level, techniques: ind.techniques, label: ind.label, value: string(obs.Value)}
				f.benign = w.snap.benignList(obs)
				w.add(o, f)
			}
		}
	}
	return nil
}

// talksToHosts are the kinds of log whose events are about the host that was asked for: a rule on them that met a host known
// as benign is held back, as a finding of its own that names the host. A rule on processes is not: a harmless address in
// the same event proves nothing.
var talksToHosts = map[string]bool{"proxy": true, "dns": true, "dns_query": true, "network_connection": true, "webserver": true, "firewall": true}

// occurrence is one event as a finding needs it.
type occurrence struct {
	raw    []byte
	at     time.Time
	label  marking.Label
	source ingest.Source
	entity string
	part   int
	seq    uint64
	n      int
}

func (o occurrence) ref() string { return fmt.Sprintf("%d/%d/%d", o.part, o.seq, o.n) }
