package marking

import (
	"fmt"
	"slices"
	"strings"
)

// Reader is somebody who asks to see things, as the gate sees them. The zero Reader is the public.
type Reader struct {
	system       string
	resolver     bool
	own          bool
	ceiling      TLP // of those outside the house
	principals   []string
	compartments []string
}

// Identity says who a reader is, for NewReader.
type Identity struct {
	// Person and Org are ids; both are needed.
	Person, Org string
	// OwnStaff, Constituent and Agreement say how Org stands to the house.
	OwnStaff, Constituent, Agreement bool
	// Groups are the groups that Org belongs to.
	Groups []string
	// Ceiling is the highest TLP that the agreement lets go to Org. It does not bind own staff.
	Ceiling TLP
	// Compartments are those that the person was admitted to (need to know).
	Compartments []string
	// Resolver may see what is held because its marking is unknown.
	Resolver bool
}

// Public is whoever has not said who they are: they read what is CLEAR.
func Public() Reader { return Reader{} }

// NewReader makes a reader of a registered person. It is an error to leave person or organisation out.
func NewReader(id Identity) (Reader, error) {
	if id.Person == "" || id.Org == "" {
		return Reader{}, fmt.Errorf("a reader needs a person and an organisation")
	}
	p := []string{Community, PersonPrincipal(id.Person), OrgPrincipal(id.Org)}
	if id.OwnStaff {
		p = append(p, OwnStaff)
	}
	if id.Constituent {
		p = append(p, Constituents)
	}
	if id.Agreement {
		p = append(p, Agreed)
	}
	for _, g := range id.Groups {
		p = append(p, GroupPrincipal(g))
	}
	r := Reader{own: id.OwnStaff, ceiling: id.Ceiling, principals: sortedSet(p), compartments: sortedSet(id.Compartments)}
	r.resolver = id.Resolver && id.OwnStaff
	return r, nil
}

// System is the reader of background work: it sees everything, and what it derives must carry the join of what it
// read. The import test allows it in named files only. reason says what the work is.
func System(reason string) Reader { return Reader{system: reason} }

// IsSystem says whether the reader is background work, and IsOwn whether it belongs to the house's own staff.
func (r Reader) IsSystem() bool { return r.system != "" }
func (r Reader) IsOwn() bool    { return r.own }

// Key tells readers apart: two readers of the same key may read exactly the same. The store interns it.
func (r Reader) Key() string {
	if r.system != "" {
		return "system"
	}
	flags := []byte{'0' + byte(r.ceiling), '-', '-'}
	if r.own {
		flags[1] = 'o'
	}
	if r.resolver {
		flags[2] = 'r'
	}
	return strings.Join([]string{string(flags), strings.Join(r.principals, sepMember), strings.Join(r.compartments, sepMember)}, sepPart)
}

// ParseKey reads what Key wrote; the store uses it to compute what a known reader may read of a new label.
func ParseKey(s string) (Reader, error) {
	parts := strings.Split(s, sepPart)
	if len(parts) != 3 || len(parts[0]) != 3 {
		return Reader{}, fmt.Errorf("not a reader's key: %q", s)
	}
	r := Reader{ceiling: TLP(parts[0][0] - '0'), own: parts[0][1] == 'o', resolver: parts[0][2] == 'r'}
	if set := splitSet(parts[1]); len(set) > 0 {
		r.principals = set
	}
	if set := splitSet(parts[2]); len(set) > 0 {
		r.compartments = set
	}
	if r.Key() != s {
		return Reader{}, fmt.Errorf("not a canonical reader's key: %q", s)
	}
	return r, nil
}

// MayRead is the decision: not held, within the ceiling of the agreement, in every audience, holding every
// compartment. It is what the store's SQL, the encoders and the previews all ask.
func MayRead(r Reader, l Label) bool {
	if !l.valid {
		return false
	}
	if r.system != "" {
		return true
	}
	if l.held && !r.resolver {
		return false
	}
	if !r.own && l.tlp > r.ceiling {
		return false
	}
	for _, c := range l.clauses {
		if !slices.ContainsFunc(c, r.is) {
			return false
		}
	}
	for _, c := range l.compartments {
		if _, ok := slices.BinarySearch(r.compartments, c); !ok {
			return false
		}
	}
	return true
}

func (r Reader) is(principal string) bool {
	_, ok := slices.BinarySearch(r.principals, principal)
	return ok
}

// WhyNot says in words what keeps r from reading l; empty where nothing does. It is for the person who shares, in a
// preview; never show it to r.
func WhyNot(r Reader, l Label) string {
	switch {
	case MayRead(r, l):
		return ""
	case !l.valid:
		return "it carries no marking"
	case l.held && !r.resolver:
		return "its marking is unresolved"
	case !r.own && l.tlp > r.ceiling:
		return fmt.Sprintf("%s is above the agreement's ceiling of %s", l.tlp, r.ceiling)
	}
	for _, c := range l.clauses {
		if !slices.ContainsFunc(c, r.is) {
			if len(c) == 0 {
				return "it names nobody"
			}
			return "they are not in its audience: " + strings.Join(c, ", ")
		}
	}
	return "they do not hold every compartment of: " + strings.Join(l.compartments, ", ")
}
