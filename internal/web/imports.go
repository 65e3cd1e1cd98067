package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"vigil/internal/access"
	"vigil/internal/intel"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
	"vigil/stix"
)

// imports are what pages have started and not yet forgotten. The record and intel.Runs keep every import; a job is how
// its starter watches it, with the verdicts one by one.
type imports struct {
	mu   sync.Mutex
	jobs map[string]*importJob
}

type importJob struct {
	id, by, source string
	done           chan struct{} // closed at the end

	mu       sync.Mutex
	label    marking.Label
	verdicts []intel.Verdict
	p        ui.ImportProgress
}

// Bounds of what is kept and what runs at once.
const (
	maxUpload   = intel.MaxBytes
	maxRunning  = 2  // of one person
	maxAtOnce   = 4  // of everybody
	maxFinished = 20 // kept of one person
)

func (i *imports) init() { i.jobs = map[string]*importJob{} }

// add takes a job, or says why not yet.
func (i *imports) add(j *importJob) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	running, mine := 0, 0
	var finished []*importJob
	for _, old := range i.jobs {
		switch p := old.progress(); {
		case p.State == "running" && old.by == j.by:
			running, mine = running+1, mine+1
		case p.State == "running":
			running++
		case old.by == j.by:
			finished = append(finished, old)
		}
	}
	if mine >= maxRunning || running >= maxAtOnce {
		return &Invalid{Why: "other imports are running: wait until one of them is done", Back: "/intelligence"}
	}
	slices.SortFunc(finished, func(a, b *importJob) int { return a.progress().Started.Compare(b.progress().Started) })
	for n := 0; n < len(finished)-maxFinished+1; n++ {
		delete(i.jobs, finished[n].id)
	}
	i.jobs[j.id] = j
	return nil
}

// of gives a person's imports that still run, the oldest first.
func (i *imports) of(person string) []*importJob {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []*importJob
	for _, j := range i.jobs {
		if j.by == person && j.progress().State == "running" {
			out = append(out, j)
		}
	}
	slices.SortFunc(out, func(a, b *importJob) int {
		return cmp.Or(a.progress().Started.Compare(b.progress().Started), strings.Compare(a.id, b.id))
	})
	return out
}

func (i *imports) get(id, person string) (*importJob, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	j, ok := i.jobs[id]
	return j, ok && j.by == person
}

func (j *importJob) progress() ui.ImportProgress {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.p
}

func (j *importJob) row() ui.ImportRow {
	p := j.progress()
	return ui.ImportRow{ID: j.id, Name: p.Name, Source: p.Source, At: p.Started, State: p.State, Done: p.Done, Total: p.Total, Refused: p.Refused}
}

// bundleUpload is a form with a bundle, on its way in.
type bundleUpload struct {
	source, name string
	size         int64
	file         *os.File
}

// spool writes the bundle to a file that has no name any more, so that nothing is left of it whatever happens.
func spool(r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "vigil-import-")
	if err != nil {
		return nil, 0, err
	}
	n, err := io.Copy(f, r)
	if rerr := os.Remove(f.Name()); err == nil {
		err = rerr
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, n, nil
}

// receive reads the form as a stream: the file may come before the field that says whose it is.
func (rq *Request) receive() (u bundleUpload, err error) {
	defer func() {
		if err != nil && u.file != nil {
			u.file.Close()
		}
	}()
	invalid := func(why string) error { return &Invalid{Why: why, Back: "/intelligence"} }
	rq.Body = http.MaxBytesReader(rq.w, rq.Body, maxUpload)
	parts, err := rq.MultipartReader()
	if err != nil {
		return u, invalid("a bundle is sent as a form with a file")
	}
	for range 8 {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		} else if err != nil {
			return u, invalid("the upload was cut short")
		}
		switch {
		case part.FormName() == "source":
			b, err := io.ReadAll(io.LimitReader(part, 200))
			if err != nil {
				return u, invalid("the upload was cut short")
			}
			u.source = string(b)
		case part.FormName() == "file" && u.file == nil:
			u.name = part.FileName()
			var large *http.MaxBytesError
			var disk *os.PathError
			u.file, u.size, err = spool(part)
			switch {
			case errors.As(err, &large):
				return u, invalid(fmt.Sprintf("the file is larger than %d MiB", maxUpload>>20))
			case errors.As(err, &disk):
				return u, fmt.Errorf("keeping an upload: %w", err)
			case err != nil:
				return u, invalid("the upload was cut short")
			}
		}
	}
	if u.file == nil || u.size == 0 {
		return u, invalid("there was no file in the form, or it is empty")
	}
	return u, nil
}

// importBundle takes an upload and imports it in the background; its page shows how far it has come.
func (rq *Request) importBundle() error {
	u, err := rq.receive()
	if err != nil {
		return err
	}
	opt := intel.Options{Source: u.source, Name: u.name}
	if u.source != marking.Own {
		rel, err := access.GetBody(rq.Context(), rq.view, u.source)
		if err != nil {
			u.file.Close()
			if errors.Is(err, store.ErrNotFound) {
				err = &Invalid{Why: "say whose objects these are: choose a body", Back: "/intelligence"}
			}
			return err
		}
		if b := open(rq, rel); b.Default != nil {
			opt.DefaultTLP, opt.HasDefault = *b.Default, true
		}
	}
	j := &importJob{id: stix.NewID("x-import").UUID(), by: rq.Who.Person, source: u.source, label: marking.Everyone(), done: make(chan struct{})}
	j.p = ui.ImportProgress{ID: j.id, Name: untrusted.New(u.name), Source: rq.s.bodyName(u.source), State: "running", Started: rq.s.Store.Now(), Bytes: u.size}
	if err := rq.s.imports.add(j); err != nil {
		u.file.Close()
		return err
	}
	go j.run(context.WithoutCancel(rq.Context()), rq.s.Intel, rq.Who, u.file, opt)
	rq.redirect(ui.ImportURL(j.id))
	return nil
}

// run imports, and keeps what became of it for the page.
func (j *importJob) run(ctx context.Context, base *intel.Base, who access.Principal, f *os.File, opt intel.Options) {
	begin := time.Now() // how long a person waits is the machine's time
	defer close(j.done)
	defer f.Close()
	opt.Progress = func(p intel.Progress) {
		j.mu.Lock()
		j.p.Done, j.p.Took = int64(p.Read), time.Since(begin)
		j.mu.Unlock()
	}
	sum := intel.Summary{Label: marking.Everyone()}
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		bundle, err := intel.Unpacked(f)
		if err != nil {
			return err
		}
		sum, err = base.Import(ctx, who, bundle, opt)
		return err
	}()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.p.State, j.p.Took, j.p.Done, j.p.Total = "done", time.Since(begin), int64(sum.Objects), int64(sum.Objects)
	j.p.Added, j.p.Same = int64(sum.Counts[store.Added]), int64(sum.Counts[store.Unchanged])
	j.p.Newer = int64(sum.Counts[store.Versioned] + sum.Counts[store.Older] + sum.Counts[store.Relayed])
	j.p.Refused = int64(sum.Counts[store.Refused] + sum.Counts[store.Conflict])
	j.verdicts, j.label = sum.Verdicts, sum.Label
	switch {
	case errors.Is(err, intel.ErrBundle):
		j.p.State, j.p.Trouble = "stopped", ui.Visible(err.Error())
	case err != nil:
		slog.Error("an import stopped", "import", j.id, "error", err)
		j.p.State, j.p.Trouble = "stopped", "something went wrong on our side; whoever runs this server finds it under "+j.id
	}
}

const verdictPage = 100

// importPage shows one's own import with its verdicts, or of an earlier one what is kept of it.
func (rq *Request) importPage(id string) error {
	p := ui.ImportPage{Filter: ui.Filter{Action: ui.ImportURL(id)}}
	j, ok := rq.s.imports.get(id, rq.Who.Person)
	if !ok {
		return rq.pastImport(id, p)
	}
	p.Progress = j.progress()
	j.mu.Lock()
	verdicts, label := j.verdicts, j.label
	j.mu.Unlock()
	show := rq.FormValue("show")
	p.Filter.Fields = []ui.FilterField{field("show", "Show", show, "", "all that were kept", "refused", "refused and conflicts")}
	var rows []ui.Verdict
	if rel, ok := marking.Release(rq.Who.Reader, label, verdicts); ok { // what was taken in may be bound more than its importer is
		for _, v := range open(rq, rel) {
			if show == "refused" && v.Outcome != store.Refused && v.Outcome != store.Conflict {
				continue
			}
			reason := v.Reason
			if reason == "" {
				reason = strings.Join(v.Notes, "; ")
			}
			rows = append(rows, ui.Verdict{N: int64(v.Index) + 1, ID: untrusted.New(v.ID), What: v.Outcome.String(), Reason: ui.Visible(reason)})
		}
	}
	p.Pager = ui.Pager{Total: count(len(rows))}
	var from int
	if _, err := fmt.Sscan(rq.FormValue("from"), &from); err != nil || from < 0 || from > len(rows) {
		from = 0
	}
	to := min(from+verdictPage, len(rows))
	if p.Verdicts = rows[from:to]; to < len(rows) {
		p.Pager.Next = rq.with("from", fmt.Sprint(to))
	}
	if from > 0 {
		p.Pager.Prev = rq.with("from", fmt.Sprint(max(0, from-verdictPage)))
	}
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Import(&rq.out, p)
}

func (rq *Request) pastImport(id string, p ui.ImportPage) error {
	runs, err := intel.Runs(rq.Context(), rq.view, 1000)
	if err != nil {
		return err
	}
	for _, rel := range runs {
		if marking.Open(marking.NewSheet(rq.Who.Reader), rel).ID != id {
			continue
		}
		r := open(rq, rel)
		p.Progress = ui.ImportProgress{ID: r.ID, Name: untrusted.New(r.Name), Source: rq.s.bodyName(r.Source), State: "done", Done: int64(r.Objects), Total: int64(r.Objects), Added: int64(r.Added),
			Newer: int64(r.Versioned), Same: int64(r.Unchanged), Refused: int64(r.Refused), Started: r.At}
		if r.State != "whole" {
			p.Progress.State, p.Progress.Trouble = "stopped", "the bundle could not be read to its end"
		}
		p.Frame = rq.Frame(ui.PlaceIntelligence)
		return ui.Import(&rq.out, p)
	}
	return store.ErrNotFound
}

func (rq *Request) importProgress() error {
	j, ok := rq.s.imports.get(rq.PathValue("id"), rq.Who.Person)
	if !ok {
		return store.ErrNotFound
	}
	p := j.progress()
	p.Now = rq.s.Store.Now()
	return ui.ImportStatus(&rq.out, p)
}
