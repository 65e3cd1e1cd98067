// Package memory is a taxii.Store in memory: for examples, tests and small
// feeds that can be rebuilt. It is complete but keeps nothing across a
// restart.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"vigil/taxii"
)

// Options configure a Store. The zero value admits every reader to what the
// collections' own flags allow.
type Options struct {
	// May says what a reader may do with a collection; neither means that the
	// collection does not exist for that reader. Default: its flags.
	May func(r taxii.Reader, root string, c *taxii.Collection) (read, write bool)
	// Visible says whether a reader may see an item. Default: all.
	Visible func(r taxii.Reader, collection string, it *taxii.Item) bool
	// Check refuses an object for a reason beyond what the server checks.
	Check func(o *taxii.Object) error
	// Queue leaves submissions pending until Work or Run takes them up.
	Queue bool
	// Keep is how long a status lives after it is complete: at least, and by
	// default, the 24 hours of §4.3.
	Keep time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Store implements taxii.Store. It is safe for concurrent use.
type Store struct {
	opt Options

	mu       sync.RWMutex
	roots    []*root
	last     taxii.Stamp // newest stamp given, over all collections
	statuses map[string]*status
	finished []*status // complete ones, oldest first
	pending  []*status
	wake     chan struct{}
}

type root struct {
	taxii.Root
	collections []*collection
}

type collection struct {
	taxii.Collection
	items   []*taxii.Item            // by Added
	objects map[string][]*taxii.Item // by id, in order of Added
}

type status struct {
	taxii.Status
	reader string
	root   string
	done   time.Time
	col    *collection
	sub    *taxii.Submission
	next   int // first object without a verdict
}

var _ taxii.Store = (*Store)(nil)

// New returns an empty store.
func New(opt Options) *Store {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.May == nil {
		opt.May = func(_ taxii.Reader, _ string, c *taxii.Collection) (bool, bool) { return c.CanRead, c.CanWrite }
	}
	opt.Keep = max(opt.Keep, 24*time.Hour)
	return &Store{opt: opt, statuses: map[string]*status{}, wake: make(chan struct{}, 1)}
}

// AddRoot adds an API root.
func (s *Store) AddRoot(r taxii.Root) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root(r.Name) != nil || r.Name == "" || r.Title == "" {
		return fmt.Errorf("memory: API root %q is there already, or has no name or title", r.Name)
	}
	s.roots = append(s.roots, &root{Root: r})
	return nil
}

// AddCollection adds a collection to a root.
func (s *Store) AddCollection(rootName string, c taxii.Collection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.root(rootName)
	if r == nil || c.ID == "" || c.Title == "" {
		return fmt.Errorf("memory: collection %q has no root, id or title", c.ID)
	}
	for _, other := range r.collections {
		if other.named(c.ID) || c.Alias != "" && other.named(c.Alias) {
			return fmt.Errorf("memory: collection %q is there already, or its alias", c.ID)
		}
	}
	r.collections = append(r.collections, &collection{Collection: c, objects: map[string][]*taxii.Item{}})
	return nil
}

func (s *Store) root(name string) *root {
	for _, r := range s.roots {
		if r.Name == name {
			return r
		}
	}
	return nil
}

func (c *collection) named(idOrAlias string) bool {
	return c.ID == idOrAlias || c.Alias != "" && c.Alias == idOrAlias
}

// seen returns the collection as r sees it.
func (s *Store) seen(r taxii.Reader, rootName string, c *collection) (taxii.Collection, bool) {
	view := c.Collection
	view.CanRead, view.CanWrite = s.opt.May(r, rootName, &c.Collection)
	return view, view.CanRead || view.CanWrite
}

// Roots implements taxii.Store: the roots in which r may know a collection,
// and those that are empty.
func (s *Store) Roots(_ context.Context, r taxii.Reader) ([]taxii.Root, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []taxii.Root
	for _, root := range s.roots {
		if s.knows(r, root) {
			list = append(list, root.Root)
		}
	}
	return list, nil
}

func (s *Store) knows(r taxii.Reader, root *root) bool {
	for _, c := range root.collections {
		if _, ok := s.seen(r, root.Name, c); ok {
			return true
		}
	}
	return len(root.collections) == 0
}

// Root implements taxii.Store.
func (s *Store) Root(_ context.Context, r taxii.Reader, name string) (taxii.Root, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if root := s.root(name); root != nil && s.knows(r, root) {
		return root.Root, nil
	}
	return taxii.Root{}, taxii.ErrNotFound
}

// Collections implements taxii.Store.
func (s *Store) Collections(_ context.Context, r taxii.Reader, name string) ([]taxii.Collection, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	root := s.root(name)
	if root == nil || !s.knows(r, root) {
		return nil, taxii.ErrNotFound
	}
	var list []taxii.Collection
	for _, c := range root.collections {
		if view, ok := s.seen(r, name, c); ok {
			list = append(list, view)
		}
	}
	return list, nil
}

// Collection implements taxii.Store.
func (s *Store) Collection(_ context.Context, r taxii.Reader, rootName, idOrAlias string) (taxii.Collection, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if root := s.root(rootName); root != nil {
		for _, c := range root.collections {
			if c.named(idOrAlias) {
				if view, ok := s.seen(r, rootName, c); ok {
					return view, nil
				}
			}
		}
	}
	return taxii.Collection{}, taxii.ErrNotFound
}

// find returns a collection by id. The caller holds a lock.
func (s *Store) find(rootName, id string) (*collection, error) {
	if root := s.root(rootName); root != nil {
		for _, c := range root.collections {
			if c.ID == id {
				return c, nil
			}
		}
	}
	return nil, taxii.ErrNotFound
}

// Items implements taxii.Store. It holds a read lock while it iterates.
func (s *Store) Items(ctx context.Context, r taxii.Reader, q *taxii.Query) iter.Seq2[*taxii.Item, error] {
	return func(yield func(*taxii.Item, error) bool) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		c, err := s.find(q.Root, q.Collection)
		if err != nil {
			yield(nil, err)
			return
		}
		items := c.items
		if len(q.IDs) > 0 {
			items = nil
			for _, id := range slices.Compact(slices.Sorted(slices.Values(q.IDs))) {
				items = append(items, c.objects[id]...)
			}
			slices.SortFunc(items, func(a, b *taxii.Item) int { return int(a.Added - b.Added) })
		}
		from, _ := slices.BinarySearchFunc(items, q.From+1, func(it *taxii.Item, at taxii.Stamp) int { return int(it.Added - at) })
		left := q.Limit
		for i, it := range items[from:] {
			if left == 0 {
				return
			}
			if i%1024 == 1023 && ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			same := s.visible(r, c, c.objects[it.ID])
			if !slices.Contains(same, it) || !q.Wants(it, same) {
				continue
			}
			if !yield(it, nil) {
				return
			}
			left--
		}
	}
}

// visible returns those of items that r may see.
func (s *Store) visible(r taxii.Reader, c *collection, items []*taxii.Item) []*taxii.Item {
	if s.opt.Visible == nil {
		return items
	}
	var out []*taxii.Item
	for _, it := range items {
		if s.opt.Visible(r, c.ID, it) {
			out = append(out, it)
		}
	}
	return out
}

// Delete implements taxii.Store.
func (s *Store) Delete(_ context.Context, r taxii.Reader, q *taxii.Query) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(q.Root, q.Collection)
	if err != nil {
		return 0, err
	}
	gone := map[*taxii.Item]bool{}
	for _, id := range q.IDs {
		same := s.visible(r, c, c.objects[id])
		for _, it := range same {
			if q.Wants(it, same) {
				gone[it] = true
			}
		}
	}
	if len(gone) == 0 {
		return 0, nil
	}
	del := func(it *taxii.Item) bool { return gone[it] }
	c.items = slices.DeleteFunc(c.items, del)
	for _, id := range q.IDs {
		if left := slices.DeleteFunc(c.objects[id], del); len(left) > 0 {
			c.objects[id] = left
		} else {
			delete(c.objects, id)
		}
	}
	return len(gone), nil
}

// Add implements taxii.Store.
func (s *Store) Add(_ context.Context, r taxii.Reader, sub *taxii.Submission) (*taxii.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(sub.Root, sub.Collection)
	if err != nil {
		return nil, err
	}
	s.forget()
	st := &status{reader: r.Key, root: sub.Root, col: c, sub: sub}
	st.ID, st.Received = sub.ID, sub.Received
	s.statuses[sub.ID] = st
	if s.opt.Queue {
		for i := range sub.Objects {
			st.Pendings = append(st.Pendings, sub.Verdict(i, "", ""))
		}
		s.pending = append(s.pending, st)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	} else {
		s.work(st, len(sub.Objects))
	}
	return st.copy(), nil
}

// forget drops statuses that have been complete for long enough.
func (s *Store) forget() {
	limit := s.opt.Now().Add(-s.opt.Keep)
	n := 0
	for n < len(s.finished) && s.finished[n].done.Before(limit) {
		delete(s.statuses, s.finished[n].ID)
		n++
	}
	s.finished = s.finished[n:]
}

// work gives up to n of a submission's objects their verdicts and returns how
// many it gave.
func (s *Store) work(st *status, n int) int {
	n = min(n, len(st.sub.Objects)-st.next)
	for i := st.next; i < st.next+n; i++ {
		version, err := s.put(st.col, &st.sub.Objects[i])
		if err != nil {
			st.Failures = append(st.Failures, st.sub.Verdict(i, version, err.Error()))
		} else {
			st.Successes = append(st.Successes, st.sub.Verdict(i, version, ""))
		}
	}
	st.next += n
	if len(st.Pendings) > 0 {
		st.Pendings = st.Pendings[n:]
	}
	if st.next == len(st.sub.Objects) {
		st.sub, st.col, st.done = nil, nil, s.opt.Now()
		s.finished = append(s.finished, st)
	}
	return n
}

// put adds one object and returns its version.
func (s *Store) put(c *collection, o *taxii.Object) (string, error) {
	if o.Problem != nil {
		return "", o.Problem
	}
	if s.opt.Check != nil {
		if err := s.opt.Check(o); err != nil {
			return "", err
		}
	}
	version := o.Version()
	for _, held := range c.objects[o.ID] {
		if version != "" && taxii.CompareVersions(held.Version, version) != 0 {
			continue
		}
		if same(held.Body, o.Body) {
			return held.Version, nil
		}
		if version != "" {
			return version, fmt.Errorf("the collection holds another content under this id and version")
		}
	}
	s.last = taxii.NextStamp(s.last, s.opt.Now())
	if version == "" {
		// §4.3.1: consistent to the server. Unique, and later is newer.
		version = s.last.String()
	}
	it := &taxii.Item{
		ID: o.ID, Type: o.Type, Version: version, SpecVersion: o.SpecVersion,
		Added: s.last, Body: bytes.Clone(o.Body),
	}
	c.items = append(c.items, it)
	c.objects[it.ID] = append(c.objects[it.ID], it)
	return version, nil
}

// same reports whether two objects are one: to the byte, or after RFC 8785
// canonicalisation, since a client may write the members in another order.
func same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	ca, cb := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	return ca.Canonicalize() == nil && cb.Canonicalize() == nil && bytes.Equal(ca, cb)
}

// Work takes up to n queued objects and returns how many were left to take.
func (s *Store) Work(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for done < n && len(s.pending) > 0 {
		st := s.pending[0]
		done += s.work(st, n-done)
		if st.sub == nil {
			s.pending = s.pending[1:]
		}
	}
	return done
}

// Run works through the queue until ctx is done.
func (s *Store) Run(ctx context.Context) {
	for {
		if s.Work(1000) > 0 {
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// Status implements taxii.Store: for the reader who submitted.
func (s *Store) Status(_ context.Context, r taxii.Reader, rootName, id string) (*taxii.Status, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.statuses[id]
	if st == nil || st.reader != r.Key || st.root != rootName {
		return nil, taxii.ErrNotFound
	}
	return st.copy(), nil
}

func (st *status) copy() *taxii.Status {
	c := st.Status
	c.Successes, c.Failures, c.Pendings = slices.Clone(c.Successes), slices.Clone(c.Failures), slices.Clone(c.Pendings)
	return &c
}
