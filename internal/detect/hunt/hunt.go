// Package hunt matches rules and indicators against log files, without a server: the same engine, the same findings.
package hunt

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vigil/evtx"
	"vigil/internal/detect"
	"vigil/internal/event"
	"vigil/internal/ingest/jsonlines"
	"vigil/sigma"
	"vigil/stix"
)

// Config says what to hunt with, and in.
type Config struct {
	Rules []string // files or folders of Sigma rules
	Intel []string // STIX 2.1 bundles, also .gz
	Logs  []string // files or folders
	// Logsource overrides what the events themselves tell; zero lets them tell.
	Logsource sigma.Logsource
	// Workers is how many files are read at once; one for each core where 0.
	Workers int
	// Progress is told the bytes read so far and in all, now and then; it may be nil.
	Progress func(read, total int64)
}

// keptEvents is how many of the first and of the last events prove a finding.
const keptEvents = 10

// maxTroubles is how many problems are kept one by one; the rest is counted.
const maxTroubles = 200

// Event is one event that proves a finding. Its bytes are somebody else's.
type Event struct {
	At    time.Time
	Where string // file, member, line
	Bytes []byte
}

// Finding is what one rule or indicator found on one entity in one UTC day of the events' own time.
type Finding struct {
	Kind        string // "rule" or "indicator"
	ID, Title   string
	Level       detect.Level
	Techniques  []string
	Entity      string // somebody else's text
	Value       string // the observable, for an indicator: somebody else's text
	Day         string
	First, Last time.Time
	Count       int64
	Events      []Event
}

// Trouble is a line, a record or a file that could not be read or understood.
type Trouble struct{ Where, Reason string }

// File is what one file held.
type File struct {
	Name   string
	Events int64
	Bad    int64
	Bytes  int64 // of its events
}

// Result is what a hunt found.
type Result struct {
	RuleFiles, Loaded int
	Correlations      int // that are there, and are not matched
	Refused           []*sigma.RuleError
	Indicators        int
	Skipped           int // indicators that are not looked up
	Events, Bytes     int64
	Bad               int64
	Files             []File
	Troubles          []Trouble
	Findings          []Finding // the worst first, then the oldest
	From, To          time.Time
	Took              time.Duration
}

// Run hunts. An error means that nothing could be hunted; what one file does not give is a Trouble.
func Run(ctx context.Context, c Config) (*Result, error) {
	begin := time.Now()
	r := &Result{}
	engine, err := loadRules(c.Rules, r)
	if err != nil {
		return nil, err
	}
	indicators, err := loadIntel(c.Intel, r)
	if err != nil {
		return nil, err
	}
	if r.Loaded == 0 && r.Indicators == 0 {
		return r, errors.New("there is nothing to hunt with: no rule and no indicator was loaded")
	}
	files, total, err := logFiles(c.Logs)
	if err != nil {
		return r, err
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	h := &hunter{c: c, engine: engine, indicators: indicators, total: total}
	if engine != nil {
		engine.Warm()
	}
	jobs := make(chan string)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(jobs)
		for _, f := range files {
			select {
			case jobs <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	workers := make([]*worker, c.Workers)
	for i := range workers {
		workers[i] = h.worker()
		g.Go(func() error {
			for f := range jobs {
				if err := workers[i].file(ctx, f); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return r, err
	}
	merge(r, workers)
	r.Took = time.Since(begin)
	return r, nil
}

func loadRules(paths []string, r *Result) (*sigma.Engine, error) {
	set := &sigma.RuleSet{}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		root, fsys := ".", os.DirFS(p)
		if !info.IsDir() {
			root, fsys = filepath.Base(p), os.DirFS(filepath.Dir(p))
		}
		n, errs := sigma.LoadFS(fsys, root)
		set.Add(n)
		r.Refused = append(r.Refused, errs...)
	}
	if len(set.Rules)+len(set.Correlations) == 0 {
		return nil, nil
	}
	engine, errs := sigma.Compile(set, sigma.Options{})
	r.Refused = append(r.Refused, errs...)
	r.Loaded, r.Correlations = len(engine.Rules()), len(set.Correlations)
	r.RuleFiles = len(set.Rules) + len(set.Correlations) + len(set.Filters) + len(r.Refused) - len(errs)
	return engine, nil
}

func loadIntel(paths []string, r *Result) (*detect.Indicators, error) {
	x := detect.NewIndicators()
	for _, p := range paths {
		err := func() error {
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			defer f.Close()
			var in io.Reader = bufio.NewReaderSize(f, 1<<20)
			if strings.HasSuffix(p, ".gz") {
				if in, err = gzip.NewReader(in); err != nil {
					return err
				}
			}
			return stix.ReadBundle(in, stix.Options{Mode: stix.Lenient}, func(i stix.Item) error {
				switch {
				case i.Err != nil:
					r.trouble(fmt.Sprintf("%s, object %d", p, i.Index+1), i.Err.Error())
				case i.Object.Type == "indicator":
					if why := x.Add(i.Object); why != "" {
						r.Skipped++
					}
				}
				return nil
			})
		}()
		if err != nil {
			return nil, fmt.Errorf("intelligence %s: %w", p, err)
		}
	}
	r.Indicators = x.Len()
	return x, nil
}

func (r *Result) trouble(where, reason string) {
	r.Bad++
	if len(r.Troubles) < maxTroubles {
		r.Troubles = append(r.Troubles, Trouble{where, reason})
	}
}

// logFiles lists the files under the given paths, in order, and their sizes together.
func logFiles(paths []string) (out []string, total int64, err error) {
	for _, p := range paths {
		err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.Type().IsRegular() {
				info, err := d.Info()
				if err != nil {
					return err
				}
				out, total = append(out, path), total+info.Size()
			}
			return nil
		})
		if err != nil {
			return nil, 0, fmt.Errorf("logs: %w", err)
		}
	}
	if len(out) == 0 {
		return nil, 0, errors.New("logs: there is no file to read")
	}
	return out, total, nil
}

type hunter struct {
	c          Config
	engine     *sigma.Engine
	indicators *detect.Indicators
	total      int64
	read       atomic.Int64
	progress   sync.Mutex
}

func (h *hunter) advance(n int64) {
	now := h.read.Add(n)
	if h.c.Progress != nil {
		h.progress.Lock()
		defer h.progress.Unlock()
		h.c.Progress(now, h.total)
	}
}

type key struct{ id, entity, value, day string }

// worker hunts in one file at a time.
type worker struct {
	h        *hunter
	matcher  *sigma.Matcher
	ev       event.Event
	found    map[key]*Finding
	files    []File
	troubles Result
	from, to time.Time
	json     []byte
}

func (h *hunter) worker() *worker {
	w := &worker{h: h, found: map[key]*Finding{}}
	if h.engine != nil {
		w.matcher = h.engine.NewMatcher()
	}
	return w
}

func (w *worker) file(ctx context.Context, path string) error {
	f := File{Name: path}
	var err error
	if isEVTX(path) {
		err = w.evtx(ctx, path, &f)
	} else {
		err = w.lines(ctx, path, &f)
	}
	w.files = append(w.files, f)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		w.troubles.trouble(path, err.Error())
	}
	return nil
}

func isEVTX(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [8]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && string(head[:]) == "ElfFile\x00"
}

func (w *worker) lines(ctx context.Context, path string, f *File) error {
	r, err := jsonlines.Open(path, jsonlines.FileLimits{})
	if err != nil {
		return err
	}
	defer r.Close()
	was := int64(0)
	defer func() { _, total := r.Progress(); w.h.advance(total - was) }()
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			read, _ := r.Progress()
			w.h.advance(read - was)
			was = read
		}
		l, err := r.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if l.Problem != nil {
			f.Bad++
			w.troubles.trouble(l.Where(), l.Problem.Error())
			continue
		}
		if len(bytes.TrimSpace(l.Bytes)) == 0 {
			continue
		}
		f.Events++
		f.Bytes += int64(len(l.Bytes))
		if err := w.event(l.Bytes, l.Where); err != nil {
			f.Bad++
			w.troubles.trouble(l.Where(), err.Error())
		}
	}
}

func (w *worker) evtx(ctx context.Context, path string, f *File) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	defer w.h.advance(info.Size())
	r, err := evtx.NewReader(in, info.Size(), evtx.Options{})
	if err != nil {
		return err
	}
	for {
		rec, err := r.Next()
		var damage *evtx.Damage
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &damage):
			f.Bad++
			w.troubles.trouble(path, damage.Error())
			continue
		case err != nil:
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.json = rec.AppendJSON(w.json[:0])
		f.Events++
		f.Bytes += int64(len(w.json))
		id := rec.ID
		if err := w.event(w.json, func() string { return fmt.Sprintf("%s, record %d", path, id) }); err != nil {
			f.Bad++
			w.troubles.trouble(fmt.Sprintf("%s, record %d", path, id), err.Error())
		}
	}
}

// event matches one event. where is asked only for what is kept.
func (w *worker) event(raw []byte, where func() string) error {
	if err := w.ev.Parse(raw); err != nil {
		return err
	}
	at := w.ev.Time
	if w.ev.Timed {
		if w.from.IsZero() || at.Before(w.from) {
			w.from = at
		}
		if at.After(w.to) {
			w.to = at
		}
	}
	entity := string(w.ev.Host)
	if w.matcher != nil {
		err := w.matcher.MatchJSON(raw, w.h.c.Logsource, func(m sigma.Match) {
			if m.Rule == nil || !m.Report {
				return
			}
			id := m.Rule.ID
			if id == "" {
				id = m.Rule.File
			}
			w.add(Finding{Kind: "rule", ID: id, Title: m.Rule.Title, Level: detect.ParseLevel(m.Rule.Level), Techniques: m.Rule.Techniques(), Entity: entity}, at, raw, where)
		})
		if err != nil {
			return err
		}
	}
	for _, o := range w.ev.Observables {
		for _, s := range w.h.indicators.Find(o, at) {
			w.add(Finding{Kind: "indicator", ID: s.ID, Title: s.Title, Level: s.Level, Techniques: s.Techniques, Entity: entity, Value: string(o.Value)}, at, raw, where)
		}
	}
	return nil
}

func (w *worker) add(f Finding, at time.Time, raw []byte, where func() string) {
	f.Day = at.UTC().Format(time.DateOnly)
	k := key{f.ID, f.Entity, f.Value, f.Day}
	g := w.found[k]
	if g == nil {
		f.First, f.Last = at, at
		g = &f
		w.found[k] = g
	}
	g.Count++
	if at.Before(g.First) {
		g.First = at
	}
	if at.After(g.Last) {
		g.Last = at
	}
	g.Events = append(g.Events, Event{at, where(), bytes.Clone(raw)})
	if len(g.Events) > 8*keptEvents {
		g.Events = ends(g.Events)
	}
}

// ends keeps the first and the last events, in order of time.
func ends(all []Event) []Event {
	slices.SortStableFunc(all, func(a, b Event) int { return a.At.Compare(b.At) })
	if len(all) <= 2*keptEvents {
		return all
	}
	return append(all[:keptEvents:keptEvents], all[len(all)-keptEvents:]...)
}

func merge(r *Result, workers []*worker) {
	all := map[key]*Finding{}
	for _, w := range workers {
		for k, f := range w.found {
			g := all[k]
			if g == nil {
				all[k] = f
				continue
			}
			g.Count += f.Count
			if f.First.Before(g.First) {
				g.First = f.First
			}
			if f.Last.After(g.Last) {
				g.Last = f.Last
			}
			g.Events = append(g.Events, f.Events...)
		}
		r.Files = append(r.Files, w.files...)
		r.Bad += w.troubles.Bad
		r.Troubles = append(r.Troubles, w.troubles.Troubles...)
		if !w.from.IsZero() && (r.From.IsZero() || w.from.Before(r.From)) {
			r.From = w.from
		}
		if w.to.After(r.To) {
			r.To = w.to
		}
	}
	for _, f := range all {
		f.Events = ends(f.Events)
		r.Findings = append(r.Findings, *f)
	}
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(int(b.Level)-int(a.Level), a.First.Compare(b.First), strings.Compare(a.Title, b.Title), strings.Compare(a.Entity, b.Entity), strings.Compare(a.Value, b.Value), strings.Compare(a.Day, b.Day))
	})
	slices.SortFunc(r.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range r.Files {
		r.Events += f.Events
		r.Bytes += f.Bytes
	}
	if len(r.Troubles) > maxTroubles {
		r.Troubles = r.Troubles[:maxTroubles]
	}
}
