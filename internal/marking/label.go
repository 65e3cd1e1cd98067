package marking

import (
	"fmt"
	"slices"
	"strings"
)

// Own is the source of what the house made itself; every other source is the id of the organisation it came from.
const Own = "own"

// The principals that stand for a relation to the house instead of a name. A clause may hold them beside
// organisations ("org:…"), groups ("group:…") and persons ("person:…").
const (
	OwnStaff     = "own"          // the house's own staff
	Constituents = "constituents" // staff of the organisations the house serves
	Agreed       = "agreement"    // staff of organisations that an agreement with the house names
	Community    = "community"    // everybody who is registered, which is never the public
)

// OrgPrincipal, GroupPrincipal and PersonPrincipal name one organisation, group of organisations, or person in a clause.
func OrgPrincipal(id string) string    { return "org:" + id }
func GroupPrincipal(id string) string  { return "group:" + id }
func PersonPrincipal(id string) string { return "person:" + id }

// Clause is a sorted set of principals; a reader satisfies it by being one of them. An empty clause is nobody.
type Clause []string

// Label is what bounds a thing's readers: the highest TLP and the strictest PAP of its inputs, one clause for every
// audience that any input had, the compartments and sources of all, and whether it is held. The zero Label is read
// by nobody. A Label is immutable and comparable through Canon.
type Label struct {
	valid        bool // the zero value is nobody's
	held         bool
	tlp          TLP
	pap          PAP
	clauses      []Clause
	compartments []string
	sources      []string
}

// Spec says what one input carries, before any join.
type Spec struct {
	TLP TLP
	// PAP is nil where none was given: then PAPAmber holds.
	PAP *PAP
	// Source is Own, or the id of the organisation that the thing was received from. Empty is refused.
	Source string
	// Audience, where not nil, names those that the thing goes to, and nobody else reads it. Under RED only the
	// persons among them count. Under AMBER+STRICT from Own the organisations named here are the release.
	Audience []string
	// Compartments must all be held by a reader.
	Compartments []string
	// Held keeps the thing from everybody but the person who resolves its marking.
	Held bool
}

// Everyone is the label of what is public, and the neutral element of Join.
func Everyone() Label { return Label{valid: true} }

// HeldLabel is the label of what carries a marking nobody knows: source is who sent it.
func HeldLabel(source string) Label {
	l, err := New(Spec{TLP: Red, Source: source, Held: true, Audience: []string{OwnStaff}})
	if err != nil {
		return Label{}
	}
	return l
}

// New translates one input's marking into a label. This is the one place where TLP becomes an audience:
//
//	CLEAR         anyone
//	GREEN         the registered community
//	AMBER         received: own staff and constituents;  own: own staff and organisations named by agreement
//	AMBER+STRICT  received: own staff;                   own: own staff, or the organisations the release names
//	RED           the persons named, and nobody where none is
//
// It refuses an empty source and names with control characters, which could not be told apart once interned.
func New(s Spec) (Label, error) {
	if s.Source == "" {
		return Label{}, fmt.Errorf("a label needs the source it came from")
	}
	if s.TLP > Red {
		return Label{}, fmt.Errorf("no TLP level has the number %d", s.TLP)
	}
	l := Label{valid: true, held: s.Held, tlp: s.TLP, pap: PAPAmber, sources: []string{s.Source}}
	if s.PAP != nil {
		l.pap = min(*s.PAP, PAPRed)
	}
	own := s.Source == Own
	switch {
	case s.Held:
		l.clauses = append(l.clauses, Clause{OwnStaff})
	case s.TLP == Green:
		l.clauses = append(l.clauses, Clause{Community})
	case s.TLP == Amber && own:
		l.clauses = append(l.clauses, Clause{Agreed, OwnStaff})
	case s.TLP == Amber:
		l.clauses = append(l.clauses, Clause{Constituents, OwnStaff})
	case s.TLP == AmberStrict && own && s.Audience != nil:
		// the release names its organisations: the audience below is the whole bound
	case s.TLP == AmberStrict:
		l.clauses = append(l.clauses, Clause{OwnStaff})
	case s.TLP == Red:
		l.clauses = append(l.clauses, persons(s.Audience))
	}
	if s.Audience != nil && s.TLP != Red {
		c := Clause(slices.Clone(s.Audience))
		slices.Sort(c)
		l.clauses = append(l.clauses, slices.Compact(c))
	}
	l.compartments = sortedSet(s.Compartments)
	for _, set := range append([][]string{l.compartments, l.sources}, clauseStrings(l.clauses)...) {
		for _, name := range set {
			if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return Label{}, fmt.Errorf("a name in a label is empty or holds a control character: %q", name)
			}
		}
	}
	l.clauses = normal(l.clauses)
	return l, nil
}

func persons(audience []string) Clause {
	c := Clause{}
	for _, p := range audience {
		if strings.HasPrefix(p, "person:") {
			c = append(c, p)
		}
	}
	slices.Sort(c)
	return slices.Compact(c)
}

func clauseStrings(cs []Clause) [][]string {
	out := make([][]string, len(cs))
	for i, c := range cs {
		out[i] = c
	}
	return out
}

func sortedSet(in []string) []string {
	if len(in) == 0 {
		return nil
	}
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// normal sorts clauses and drops repeated ones, so that equal conjunctions have equal text.
func normal(cs []Clause) []Clause {
	slices.SortFunc(cs, func(a, b Clause) int { return slices.Compare(a, b) })
	return slices.CompactFunc(cs, func(a, b Clause) bool { return slices.Equal(a, b) })
}

// Join is the label of what is derived from both: highest TLP, strictest PAP, audiences intersected, compartments
// and sources united, held if either is. It is associative, commutative and idempotent; Everyone is neutral, and the
// zero Label, which is nobody's, absorbs.
func (l Label) Join(m Label) Label {
	if !l.valid || !m.valid {
		return Label{}
	}
	return Label{
		valid:        true,
		held:         l.held || m.held,
		tlp:          max(l.tlp, m.tlp),
		pap:          max(l.pap, m.pap),
		clauses:      normal(slices.Concat(l.clauses, m.clauses)),
		compartments: sortedSet(slices.Concat(l.compartments, m.compartments)),
		sources:      sortedSet(slices.Concat(l.sources, m.sources)),
	}
}

// JoinAll joins any number of labels; of none it is Everyone.
func JoinAll(ls ...Label) Label {
	out := Everyone()
	for _, l := range ls {
		out = out.Join(l)
	}
	return out
}

// TLP is the highest level among the inputs.
func (l Label) TLP() TLP { return l.tlp }

// PAP is the strictest level among the inputs.
func (l Label) PAP() PAP { return l.pap }

// Held says whether any input's marking is unresolved.
func (l Label) Held() bool { return l.held }

// Valid is false for the zero Label, which nobody reads.
func (l Label) Valid() bool { return l.valid }

// Sources are the sorted ids of those the inputs came from; Own among them for what the house made.
func (l Label) Sources() []string { return slices.Clone(l.sources) }

// Compartments are the sorted names of what a reader must hold.
func (l Label) Compartments() []string { return slices.Clone(l.compartments) }

// Audience gives the clauses, each of which a reader must satisfy.
func (l Label) Audience() []Clause {
	out := make([]Clause, len(l.clauses))
	for i, c := range l.clauses {
		out[i] = slices.Clone(c)
	}
	return out
}

// Words is what a band or chip shows: the TLP level, and that the thing is held where it is.
func (l Label) Words() string {
	switch {
	case !l.valid:
		return "HELD: no marking"
	case l.held:
		return "HELD: marking unknown"
	}
	return l.tlp.String()
}

const (
	sepPart   = "\x1d" // between the parts of a label
	sepSet    = "\x1e" // between clauses
	sepMember = "\x1f" // between members
)

// Canon is the label as one string: two labels have the same readers in every world if it is equal. It is what the
// store interns; ParseCanon reads it back.
func (l Label) Canon() string {
	if !l.valid {
		return ""
	}
	var b strings.Builder
	b.WriteString("1")
	b.WriteString(sepPart)
	b.WriteByte('0' + byte(l.tlp))
	b.WriteByte('0' + byte(l.pap))
	if l.held {
		b.WriteByte('h')
	}
	b.WriteString(sepPart)
	for _, c := range l.clauses {
		b.WriteString(strings.Join(c, sepMember))
		b.WriteString(sepSet)
	}
	b.WriteString(sepPart)
	b.WriteString(strings.Join(l.compartments, sepMember))
	b.WriteString(sepPart)
	b.WriteString(strings.Join(l.sources, sepMember))
	return b.String()
}

// ParseCanon reads what Canon wrote. Anything else, also a label of a version it does not know, is an error, and the
// caller has the zero Label, which is nobody's.
func ParseCanon(s string) (Label, error) {
	parts := strings.Split(s, sepPart)
	if len(parts) != 5 || parts[0] != "1" || len(parts[1]) < 2 {
		return Label{}, fmt.Errorf("not a label: %q", s)
	}
	l := Label{valid: true, tlp: TLP(parts[1][0] - '0'), pap: PAP(parts[1][1] - '0'), held: parts[1][2:] == "h"}
	for _, c := range strings.SplitAfter(parts[2], sepSet) {
		if c == "" {
			continue
		}
		l.clauses = append(l.clauses, splitSet(strings.TrimSuffix(c, sepSet)))
	}
	if set := splitSet(parts[3]); len(set) > 0 {
		l.compartments = set
	}
	if set := splitSet(parts[4]); len(set) > 0 {
		l.sources = set
	}
	if l.Canon() != s || l.tlp > Red || l.pap > PAPRed {
		return Label{}, fmt.Errorf("not a canonical label: %q", s)
	}
	return l, nil
}

func splitSet(s string) Clause {
	if s == "" {
		return Clause{}
	}
	return strings.Split(s, sepMember)
}
