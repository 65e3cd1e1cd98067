package taxii

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Store is what a server serves from. The consumer implements it; package
// memory has one for examples and tests, and taxiitest.Run checks any.
//
// A store decides what a reader may see, and does so by answering as if the
// rest did not exist: ErrNotFound for a hidden root, collection or status,
// and no item of a hidden object. The server then cannot tell hidden from
// absent, so neither can the reader.
//
// Stamps are the heart of the contract. Within a collection each item has its
// own, and items become visible in the order of their stamps: once a reader
// could see an item, no other with a lower stamp may ever appear to anyone.
// On a database that commits out of order this takes a lock around giving the
// stamp and committing. It is what makes paging exact while others write.
//
// A store also bounds itself: iteration stops when the caller does or ctx is
// done, and it reads no more than the page needs.
type Store interface {
	// Roots lists the API roots that the reader may know, in a stable order.
	Roots(ctx context.Context, r Reader) ([]Root, error)
	// Root finds one API root by its name.
	Root(ctx context.Context, r Reader, name string) (Root, error)
	// Collections lists a root's collections that the reader may know, in a
	// stable order (§3.3).
	Collections(ctx context.Context, r Reader, root string) ([]Collection, error)
	// Collection finds one collection by its id or alias.
	Collection(ctx context.Context, r Reader, root, idOrAlias string) (Collection, error)
	// Items yields what q asks for, in ascending order of Added. The item and
	// its body may be reused once yield returns; its strings may not.
	Items(ctx context.Context, r Reader, q *Query) iter.Seq2[*Item, error]
	// Add takes a submission, durably, and returns its status, which may be
	// pending. Each object gets its own verdict: a bad one fails alone. Adding
	// what the collection holds already, to the byte, succeeds and changes
	// nothing (§5.5). The store must answer Status for at least 24 hours after
	// the status is complete (§4.3).
	Add(ctx context.Context, r Reader, sub *Submission) (*Status, error)
	// Status finds a submission's status, for whoever may know of it: usually
	// only the one who submitted.
	Status(ctx context.Context, r Reader, root, id string) (*Status, error)
	// Delete removes the items that q asks for (From, Limit and Bodies don't
	// matter) and returns how many the reader could see and delete.
	Delete(ctx context.Context, r Reader, q *Query) (int, error)
}

// Errors that a Store or an authentication hook returns for the server to
// answer with the right status. Wrapped ones count.
var (
	// ErrNotFound: absent, or hidden from this reader. 404.
	ErrNotFound = errors.New("not found")
	// ErrForbidden: the reader may know of it, but not do this. 403.
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthorized: no credentials, or wrong ones. 401.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrBusy: try again later. 503 with Retry-After.
	ErrBusy = errors.New("busy")
)

// Reader is who asks: the result of authentication.
type Reader struct {
	// Key identifies the reader for good. Cursors are bound to it, so it must
	// not change between requests of the same partner.
	Key string
	// Value is whatever else the store wants to know of the reader.
	Value any
}

// Root is an API root (§4.2): a group of collections for one trust group.
type Root struct {
	Name        string // its one path segment, for example sector-feed
	Title       string
	Description string // optional
}

// Collection is a collection resource (§5.2.1) as one reader sees it.
type Collection struct {
	ID          string   `json:"id"` // a UUID
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Alias       string   `json:"alias,omitempty"` // unique within its root
	CanRead     bool     `json:"can_read"`
	CanWrite    bool     `json:"can_write"`
	MediaTypes  []string `json:"media_types,omitempty"` // empty: STIX 2.1
}

// Item is one version of an object in a collection.
type Item struct {
	ID          string
	Type        string
	Version     string // see Header.Version; never empty
	SpecVersion string // "2.1" or "2.0"
	Added       Stamp  // unique in its collection, above zero
	Body        []byte // one JSON value: the producer's exact bytes
}

// Submission is one POST to a collection (§5.5).
type Submission struct {
	ID         string // a fresh UUID; the status's id
	Root       string
	Collection string // id
	Received   time.Time
	// Objects holds every element in the order of the envelope. Those with a
	// Problem must fail with it as their verdict. The bodies belong to the
	// store from now on, but share one buffer: keep a copy of a single one.
	Objects []Object
}

// Status is a status resource (§4.3.1): what became of a submission.
type Status struct {
	ID        string
	Received  time.Time
	Successes []Verdict
	Failures  []Verdict
	Pendings  []Verdict
}

// Complete reports whether nothing is pending any more.
func (s *Status) Complete() bool { return len(s.Pendings) == 0 }

// Total is how many objects the submission had.
func (s *Status) Total() int { return len(s.Successes) + len(s.Failures) + len(s.Pendings) }

// Verdict is one object's status-details (§4.3.1).
type Verdict struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Message string `json:"message,omitempty"`
}

// Verdict makes the i-th object's verdict. An object without an id is named
// by its place, objects[i]; message may be empty.
func (s *Submission) Verdict(i int, version, message string) Verdict {
	o := &s.Objects[i]
	v := Verdict{ID: o.ID, Version: version, Message: message}
	if v.ID == "" || len(v.ID) > maxFilterBytes {
		v.ID = "objects[" + itoa(i) + "]"
	}
	if v.Version == "" {
		v.Version = o.Version()
	}
	if v.Version == "" || len(v.Version) > 64 {
		v.Version = StampOf(s.Received).String()
	}
	return v
}
