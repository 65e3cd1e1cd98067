// Package incident holds cases: opened from findings or by hand, with state, severity, owner, tasks, notes, clocks,
// observables, a timeline, and evidence in custody.
//
// An incident is a STIX incident with the incident-core extension and one of our own; a version is cut when state,
// severity, title, narrative or label change. Its label is the join of the labels of the findings that make it up,
// so that it is never more visible than any of them.
//
// # How findings come together
//
// A finding takes part where it is open or confirmed, and of level medium or above, or an indicator's. Two belong together
// where the logs are of the same organisation, their times lie at most 72 hours apart, and
//
//   - they share a host, an account, an address, a domain, a hash or a file outside the system's own folders,
//     also where one only names the other's host; or
//   - the same rule or indicator matched, on another host; or
//   - one is of a technique of lateral movement, and the other, which is not, is the last of its organisation in the 24
//     hours before it: such a movement comes from another host; or the other begins during it or in the hour after it:
//     once somebody moves from host to host, the host no longer tells incidents apart.
//
// What belongs to an open incident joins it. What belongs to several joins the one opened first, and those that nobody has
// touched yet are merged into it and closed; one that somebody works on stays. What belongs to none opens one where it is of level high or
// above, or where two different techniques came together (a rule without technique counts as its own). A lone finding of
// level medium waits among the findings until another joins it.
//
// Suppressed and benign findings are linked as context: they never open an incident, and give it neither label nor title.
//
// # References
//
// A running number counts incidents, also those that somebody may not see. So only incidents that all of the house's own
// staff may read are numbered, and only the house's own staff see the number; everything else goes by a tag made of its id.
package incident

import (
	"context"
	"errors"
	"sync"
	"time"

	"vigil/internal/blob"
	"vigil/internal/marking"
	"vigil/internal/store"
)

var (
	// ErrTransition means that the state does not allow it; the text says what would.
	ErrTransition = errors.New("the incident can't go there")
	// ErrStale means that somebody else has changed the incident since the caller read it.
	ErrStale = errors.New("the incident has changed since you read it")
	// ErrInput means that what was given is missing or out of bounds; the text says what.
	ErrInput = errors.New("this can't be taken")
	// ErrCustody means that the chain of custody does not allow it: who acts is not the holder, or not the one it was offered to.
	ErrCustody = errors.New("custody does not allow this")
)

// Config is what a Desk needs of others.
type Config struct {
	Store *store.Store
	// Blobs keeps evidence files.
	Blobs *blob.Store
	// SourceOwner gives the id of the organisation whose logs a source's are; "" where unknown.
	SourceOwner func(source string) string
	// OrgName gives an organisation's name in the house's own words; "" where unknown.
	OrgName func(org string) string
	// ReaderOf gives a person as the gate sees them: who evidence is offered to must be able to read it.
	ReaderOf func(ctx context.Context, person string) (marking.Reader, error)
	// Clocks start with an incident; DefaultClocks where nil.
	Clocks []ClockRule
	// Settle is how long Run lets findings gather before it looks; 2 s where 0.
	Settle time.Duration
	// MaxFile bounds one evidence file in bytes; blob's own bound where 0.
	MaxFile int64
}

// Desk is where incidents are worked on. It is safe for use by many goroutines.
type Desk struct {
	cfg   Config
	store *store.Store
	blobs *blob.Store
	turn  sync.Mutex // one Step at a time
}

// New makes a desk.
func New(cfg Config) (*Desk, error) {
	if cfg.Store == nil || cfg.Blobs == nil || cfg.SourceOwner == nil || cfg.OrgName == nil || cfg.ReaderOf == nil {
		return nil, errors.New("an incident desk needs store, blobs, and the names of sources' owners, organisations and readers")
	}
	if cfg.Clocks == nil {
		cfg.Clocks = DefaultClocks()
	}
	if cfg.Settle == 0 {
		cfg.Settle = 2 * time.Second
	}
	return &Desk{cfg: cfg, store: cfg.Store, blobs: cfg.Blobs}, nil
}
