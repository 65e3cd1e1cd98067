package taxii

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
)

const (
	lastHeader = "X-Taxii-Date-Added-Last" // in Go's canonical form

	// maxSeen bounds how many objects a poll remembers so as to drop repeats.
	maxSeen = 200_000
	// maxTail bounds how many of them a Cursor keeps for the next poll.
	maxTail = 1000
	// maxAgain is how many pages of nothing but repeats a server may send in a
	// row while it says that more follows, and maxEmpty how many empty ones:
	// some servers cut pages first and filter them afterwards.
	maxAgain = 50
	maxEmpty = 1000
	// maxPageSize is how far a page is widened to get past objects that share
	// one date_added.
	maxPageSize = 10_000
)

// Cursor is where a poll of a collection stands. The zero value is the
// beginning. It is plain data: keep it (as JSON, for example) and pass it to
// the next poll with the same filter.
type Cursor struct {
	// AddedAfter is the date_added up to which everything has been received.
	AddedAfter string `json:"added_after,omitempty"`
	// Next continues a walk that was left in the middle; AddedAfter is then
	// where that walk began.
	Next string `json:"next,omitempty"`
	// Reached is the newest date_added seen in that walk.
	Reached string `json:"reached,omitempty"`
	// Tail holds hashes of the newest objects, to recognise them if the server
	// takes added_after as "at or after".
	Tail []uint64 `json:"tail,omitempty"`
}

// Object asks for an object by its id (§5.6): its latest version, unless the
// filter names versions.
func (c *Client) Object(ctx context.Context, root, collection, id string, f Filter) ([]Object, error) {
	f.IDs, f.Types = nil, nil
	var all []Object
	p := &poll{c: c, root: root, path: []string{"collections", collection, "objects", id}, filter: f}
	for {
		objects, done, err := p.page(ctx)
		if err != nil {
			return nil, fmt.Errorf("object %s: %w", id, err)
		}
		all = append(all, objects...)
		if done {
			return all, nil
		}
	}
}

// Objects polls a collection (§5.4) from cursor on, in the server's order,
// and moves the cursor as it goes. Keep the cursor whenever the loop has
// dealt with all objects so far: it moves on to a page only when the loop
// asks for what follows that page's last object. After an error the cursor is
// still good: the next poll goes on from there.
//
// An object that isn't valid comes with its Problem; the others are not lost.
// Bodies are the caller's to keep.
//
// Faults of servers in the field that polling survives: more without next (it
// goes on by date), next that repeats (likewise) or has expired (it starts
// the walk again), pages sent twice, added_after taken as "at or after",
// several objects with one date_added across a page's end, the date header
// missing (it asks the manifest) or with an offset or too few digits, empty
// pages with more, numeric next. Repeats are dropped while they lie among the
// last 200,000 objects of a poll or the last 1,000 of the poll before. If
// nothing helps it ends with ErrStuck rather than skip an object.
func (c *Client) Objects(ctx context.Context, root, collection string, f Filter, cursor *Cursor) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		p := &poll{c: c, root: root, path: []string{"collections", collection, "objects"}, filter: f, at: *cursor}
		for {
			objects, done, err := p.page(ctx)
			for i := range objects {
				if !yield(objects[i], nil) {
					return
				}
			}
			if err != nil {
				yield(Object{}, fmt.Errorf("collection %s: %w", collection, err))
				return
			}
			*cursor = p.cursor()
			if done {
				return
			}
		}
	}
}

// poll is one walk through a resource that pages.
type poll struct {
	c      *Client
	root   string
	path   []string
	filter Filter
	at     Cursor

	seen    map[uint64]struct{} // keys of objects received
	order   []uint64            // the same, oldest first
	nexts   map[string]struct{} // next values followed
	again   int                 // pages in a row with repeats only
	empty   int                 // empty pages in a row
	started bool
	lastID  string
}

// key is the same in every process, since cursors keep it.
func key(id, version string) uint64 {
	// FNV-1a, 64 bits.
	h := uint64(14695981039346656037)
	for _, s := range []string{id, "\x00", version} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	return h
}

// repeated reports whether an object was received before, and remembers it.
func (p *poll) repeated(id, version string) bool {
	if p.seen == nil {
		p.seen = map[uint64]struct{}{}
		for _, k := range p.at.Tail {
			p.seen[k] = struct{}{}
		}
		p.order = append(p.order, p.at.Tail...)
	}
	k := key(id, version)
	if _, ok := p.seen[k]; ok {
		return true
	}
	p.seen[k] = struct{}{}
	p.order = append(p.order, k)
	if len(p.order) > 2*maxSeen {
		for _, old := range p.order[:len(p.order)-maxSeen] {
			delete(p.seen, old)
		}
		p.order = append([]uint64(nil), p.order[len(p.order)-maxSeen:]...)
	}
	return false
}

func (p *poll) cursor() Cursor {
	c := p.at
	if n := len(p.order); n > 0 {
		c.Tail = append([]uint64(nil), p.order[max(0, n-maxTail):]...)
	}
	return c
}

// get requests the page that p.at names. A next value that the server no
// longer knows is dropped once and the walk begun again.
func (p *poll) get(ctx context.Context) (*reply, error) {
	if p.started && p.c.cfg.Pace > 0 {
		if err := p.c.cfg.Sleep(ctx, p.c.cfg.Pace); err != nil {
			return nil, err
		}
	}
	for {
		q := p.filter.values()
		if p.at.AddedAfter != "" {
			q.Set("added_after", p.at.AddedAfter)
		}
		if p.at.Next != "" {
			q.Set("next", p.at.Next)
		}
		u, err := p.c.below(p.root, q, p.path...)
		if err != nil {
			return nil, err
		}
		rep, err := p.c.do(ctx, http.MethodGet, u, nil, p.c.cfg.MaxPageBytes)
		var status *StatusError
		if p.at.Next != "" && !p.started && errors.As(err, &status) &&
			(status.Code == http.StatusBadRequest || status.Code == http.StatusNotFound || status.Code == http.StatusGone) {
			p.at.Next, p.at.Reached = "", ""
			continue
		}
		p.started = true
		return rep, err
	}
}

// page gets one page of objects and moves p.at past it. Objects may come with
// an error: they were received, but the way on is lost.
func (p *poll) page(ctx context.Context) (objects []Object, done bool, err error) {
	rep, err := p.get(ctx)
	if err != nil {
		return nil, false, err
	}
	env, err := parseEnvelope(rep.body, p.c.cfg.Limits)
	if err != nil {
		return nil, false, fmt.Errorf("taxii: the answer (%.60q) is not an envelope: %w", rep.header.Get("Content-Type"), err)
	}
	total := len(env.objects)
	objects = env.objects[:0]
	for i := range env.objects {
		o := &env.objects[i]
		version := o.Version()
		if o.ID == "" || version == "" {
			version += "\x00" + string(o.Body)
		}
		if o.ID != "" {
			p.lastID = o.ID
		}
		if !p.repeated(o.ID, version) {
			objects = append(objects, *o)
		}
	}
	done, err = p.advance(ctx, env.more, env.next, rep.header, total, len(objects))
	return objects, done, err
}

// advance moves p.at past a page of total objects, of which fresh are new.
func (p *poll) advance(ctx context.Context, more bool, next string, h http.Header, total, fresh int) (done bool, err error) {
	_, loop := p.nexts[next]
	last := p.stamp(ctx, h, total, !more || next == "" || loop)
	if later(last, p.at.Reached) && later(last, p.at.AddedAfter) {
		p.at.Reached = last
	}
	if !more {
		if later(p.at.Reached, p.at.AddedAfter) {
			p.at.AddedAfter = p.at.Reached
		}
		p.at.Next, p.at.Reached = "", ""
		return true, nil
	}
	switch {
	case fresh > 0:
		p.empty, p.again = 0, 0
	case total > 0:
		p.again++
	default:
		p.empty++
	}
	if p.again > maxAgain || p.empty > maxEmpty {
		return false, fmt.Errorf("%w: %d pages in a row without anything new", ErrStuck, p.again+p.empty)
	}
	if p.nexts == nil {
		p.nexts = map[string]struct{}{}
	}
	if next != "" && !loop {
		p.nexts[next] = struct{}{}
		p.at.Next = next
		return false, nil
	}
	// By date. Where the server sent repeating next values its date header
	// says how far it really came.
	// Servers give one date to many objects, and the page may have ended
	// between two of them: ask from just before, and drop what comes again.
	p.at.Next = ""
	if before := justBefore(p.at.Reached); later(before, p.at.AddedAfter) {
		p.at.AddedAfter, p.at.Reached = before, ""
		return false, nil
	}
	// Everything on the page has one date_added: a wider page can get past it,
	// a later date would skip what is left.
	if size := max(p.filter.PageSize, total); size > 0 && size < maxPageSize {
		p.filter.PageSize = min(2*size, maxPageSize)
		return false, nil
	}
	return false, fmt.Errorf("%w: neither next nor a later date", ErrStuck)
}

// stamp is the date up to which a page goes, in the form that every server
// takes: UTC, six digits, rounded down so that nothing is skipped. If the
// header is missing and needed, the manifest tells.
func (p *poll) stamp(ctx context.Context, h http.Header, total int, needed bool) string {
	if s := normal(h.Get(lastHeader)); s != "" || !needed || total == 0 {
		return s
	}
	if p.lastID == "" || len(p.path) != 3 || p.path[2] != "objects" {
		return ""
	}
	f := Filter{IDs: []string{p.lastID}, Versions: p.filter.Versions, SpecVersions: p.filter.SpecVersions}
	u, err := p.c.below(p.root, f.values(), p.path[0], p.path[1], "manifest")
	if err != nil {
		return ""
	}
	var m struct {
		Objects []ManifestRecord `json:"objects"`
	}
	if err := p.c.resource(ctx, http.MethodGet, u, nil, &m); err != nil {
		return ""
	}
	// The least of them: an older version than the one received must not pull
	// the date past objects that are still to come.
	least := ""
	for _, r := range m.Objects {
		if s := normal(r.DateAdded); s != "" && (least == "" || s < least) {
			least = s
		}
	}
	return least
}

// normal rewrites a timestamp as TAXII wants it; "" if it is none.
func normal(s string) string {
	t, err := ParseTime(strings.TrimSpace(s))
	if err != nil {
		return ""
	}
	return StampOf(t).String()
}

// justBefore is a microsecond before a normal timestamp.
func justBefore(s string) string {
	t, err := ParseTime(s)
	if err != nil {
		return ""
	}
	return (StampOf(t) - 1).String()
}

// later compares two normal timestamps; "" comes before all.
func later(a, b string) bool {
	if n := normal(b); n != "" {
		b = n // a caller's own AddedAfter may be in any form
	}
	return a > b
}
