// Package access says who people are and what they may do: bodies, people, roles, credentials and sessions. An act on
// the record can be made only through a [Principal], so that no action on anybody's behalf goes past it.
package access

import (
	"errors"
	"fmt"

	"vigil/internal/marking"
	"vigil/internal/store"
)

// ErrRefused means that the role does not allow it. The refusal belongs on the record: see Refusal.
var ErrRefused = errors.New("your role does not allow this")

// Principal is somebody who has proved who they are.
type Principal struct {
	Person string // id: "person--…"
	Name   string
	Body   string // id of the organisation
	Role   Role
	Reader marking.Reader
	// Means is how they proved it: "password", "passkey", "oidc", "token", "demo", "set-up".
	Means string
	// Human is the id that counts where several people must agree: two accounts of one person have the same.
	Human string
}

// May says whether the principal may do a.
func (p Principal) May(a Action) bool { return p.Person != "" && p.Role.May(a) }

// Need is nil where the principal may do a, and ErrRefused in words where not.
func (p Principal) Need(a Action) error {
	if p.May(a) {
		return nil
	}
	if p.Person == "" {
		return fmt.Errorf("%w: nobody is logged in", ErrRefused)
	}
	return fmt.Errorf("%w: a %s may not do %s", ErrRefused, p.Role, a)
}

// Act makes an act for the record, or says that the principal may not.
func (p Principal) Act(a Action, subject, purpose string) (store.Act, error) {
	if err := p.Need(a); err != nil {
		return store.Act{}, err
	}
	return store.Act{Reader: p.Reader, Actor: p.Person, Action: string(a), Subject: subject, Purpose: purpose, Fields: []store.Field{{Name: "role", Value: string(p.Role)}, {Name: "means", Value: p.Means}}}, nil
}

// Refusal is the act that says that somebody tried what they may not.
func (p Principal) Refusal(a Action, subject, why string) store.Act {
	actor := p.Person
	if actor == "" {
		actor = "nobody"
	}
	return store.Act{Reader: p.Reader, Actor: actor, Action: "refused." + string(a), Subject: subject, Purpose: why}
}
