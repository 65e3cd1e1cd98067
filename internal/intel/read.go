package intel

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// TypeCount is how many objects of a type a reader may see; store.CountLimit means "at least".
type TypeCount struct {
	Type  string
	Count int
}

// Home is what the knowledge base's first page shows.
type Home struct {
	Types  []TypeCount
	Latest []marking.Released[store.Object]
}

// ReadHome gives the types with their counts, and the latest objects that came in, relationships left out.
func ReadHome(ctx context.Context, v *store.View, latest int) (Home, error) {
	counts, err := v.CountTypes(ctx)
	if err != nil {
		return Home{}, err
	}
	var h Home
	for t, n := range counts {
		h.Types = append(h.Types, TypeCount{t, n})
	}
	slices.SortFunc(h.Types, func(a, b TypeCount) int { return strings.Compare(a.Type, b.Type) })
	// A page of relationships can hide what they relate: look type by type.
	for _, t := range h.Types {
		if t.Type == "relationship" || t.Type == "marking-definition" {
			continue
		}
		p, err := v.List(ctx, store.List{Type: t.Type, Limit: latest})
		if err != nil {
			return Home{}, err
		}
		h.Latest = append(h.Latest, p.Objects...)
	}
	order := func(r marking.Released[store.Object]) int64 {
		return marking.Open(marking.NewSheet(v.Reader()), r).Version
	}
	slices.SortFunc(h.Latest, func(a, b marking.Released[store.Object]) int {
		if order(a) > order(b) {
			return -1
		}
		return 1
	})
	h.Latest = h.Latest[:min(latest, len(h.Latest))]
	return h, nil
}

// Fact is one property of an object, as it is read: the path in words of the producer, and its values. Somebody else may
// have written all of it.
type Fact struct {
	Path   string // "kill_chain_phases[0].phase_name"
	Values []string
	When   time.Time // where the value is an instant
	Ref    string    // where the value is another object's id
}

// Relation is a step to another object.
type Relation struct {
	Other store.Object // without Bytes
	Label marking.Label
	Via   string // the relationship's id; "" for a reference inside an object
	From  string // whose claim the step is
}

// Relations are all steps of one name in one direction.
type Relations struct {
	Rel  string
	Out  bool
	List []Relation
	// More says that the list was cut: there are further steps in this direction.
	More bool
}

// Sighting is one time that somebody saw the object.
type Sighting struct {
	ID, Source  string
	Count       int64 // 1 where it was not said
	First, Last time.Time
	Where       []string // ids
	Label       marking.Label
}

// Claim is one source's line: who says so.
type Claim struct {
	Source     string
	Title      string
	Modified   time.Time
	Stored     time.Time
	Confidence int // 0 to 100; -1 where it was not said
	Shown      bool
	Label      marking.Label
}

// Change is one property that differs between two versions; "" where it was absent. The values are JSON as written.
type Change struct{ Path, Before, After string }

// Version is one version in the history, newest first, with what it changed in the one before.
type Version struct {
	Number           int64
	Modified, Stored time.Time
	Changes          []Change // nil for the first
	Label            marking.Label
}

// Page is everything about one object that a reader may see.
type Page struct {
	Object      store.Object // with Bytes
	External    string       // the first external id, "T1003.001"
	Description string
	Created     time.Time
	Revoked     bool
	Confidence  int // -1 where it was not said
	Facts       []Fact
	Relations   []Relations
	Sightings   []Sighting
	Claims      []Claim
	History     []Version
}

// perDirection is how many steps a page follows in each direction.
const perDirection = 200

// Read gives the page of one object, opened onto sheet, which then carries the label of all of it. What does not exist
// and what the reader may not see both answer store.ErrNotFound.
func Read(ctx context.Context, v *store.View, sheet *marking.Sheet, id string) (Page, error) {
	rel, err := v.Get(ctx, id)
	if err != nil {
		return Page{}, err
	}
	p := Page{Object: marking.Open(sheet, rel)}
	o, _, err := stix.Parse(p.Object.Bytes, stix.Options{Mode: stix.Lenient})
	if err != nil {
		return Page{}, fmt.Errorf("%s: %w", id, err)
	}
	p.Created, p.Revoked, p.Confidence = o.Created.Time(), o.Revoked, o.Confidence
	p.Description, _ = o.String("description")
	p.External = externalID(o)
	if p.Facts, err = facts(o); err != nil {
		return Page{}, fmt.Errorf("%s: %w", id, err)
	}
	if err := p.relations(ctx, v, sheet, id); err != nil {
		return Page{}, err
	}
	if err := p.claims(ctx, v, sheet, id); err != nil {
		return Page{}, err
	}
	return p, p.history(ctx, v, sheet, id)
}

func externalID(o *stix.Object) string {
	for _, r := range o.ExternalReferences {
		if r.ExternalID != "" {
			return r.ExternalID
		}
	}
	return ""
}

func (p *Page) relations(ctx context.Context, v *store.View, sheet *marking.Sheet, id string) error {
	edges, err := v.Edges(ctx, id, perDirection)
	if err != nil {
		return err
	}
	at := map[string]int{}
	inDirection := map[bool]int{}
	for _, rel := range edges {
		e := marking.Open(sheet, rel)
		inDirection[e.Out]++
		if !e.Out && e.Rel == "sighting_of" {
			if err := p.sighting(ctx, v, sheet, e.Other.ID); err != nil {
				return err
			}
			continue
		}
		key := e.Rel + strconv.FormatBool(e.Out)
		i, ok := at[key]
		if !ok {
			i = len(p.Relations)
			at[key] = i
			p.Relations = append(p.Relations, Relations{Rel: e.Rel, Out: e.Out})
		}
		p.Relations[i].List = append(p.Relations[i].List, Relation{Other: e.Other, Label: rel.Label(), Via: e.ViaID, From: e.ViaFrom})
	}
	for i := range p.Relations {
		p.Relations[i].More = inDirection[p.Relations[i].Out] >= perDirection
	}
	slices.SortStableFunc(p.Relations, func(a, b Relations) int {
		if a.Out != b.Out {
			if a.Out {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Rel, b.Rel)
	})
	return nil
}

func (p *Page) sighting(ctx context.Context, v *store.View, sheet *marking.Sheet, id string) error {
	rel, err := v.Get(ctx, id)
	if err == store.ErrNotFound {
		return nil // gone between two reads
	} else if err != nil {
		return err
	}
	got := marking.Open(sheet, rel)
	o, _, err := stix.Parse(got.Bytes, stix.Options{Mode: stix.Lenient})
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	s := Sighting{ID: id, Source: got.Source, Count: 1, Label: rel.Label(), Where: o.Strings("where_sighted_refs"), First: instant(o, "first_seen"), Last: instant(o, "last_seen")}
	if raw, ok := o.Lookup("count"); ok {
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			s.Count = n
		}
	}
	p.Sightings = append(p.Sightings, s)
	return nil
}

func instant(o *stix.Object, path string) time.Time {
	if s, ok := o.String(path); ok {
		if t, err := stix.ParseTimestamp(s); err == nil {
			return t.Time()
		}
	}
	return time.Time{}
}

func (p *Page) claims(ctx context.Context, v *store.View, sheet *marking.Sheet, id string) error {
	lines, err := v.Lines(ctx, id)
	if err != nil {
		return err
	}
	for _, rel := range lines {
		l := marking.Open(sheet, rel)
		c := Claim{Source: l.Source, Title: l.Title, Modified: l.Modified, Stored: l.Stored, Confidence: -1, Shown: l.Version == p.Object.Version, Label: rel.Label()}
		if o, _, err := stix.Parse(l.Bytes, stix.Options{Mode: stix.Lenient}); err == nil {
			c.Confidence = o.Confidence
		}
		p.Claims = append(p.Claims, c)
	}
	return nil
}

func (p *Page) history(ctx context.Context, v *store.View, sheet *marking.Sheet, id string) error {
	versions, err := v.History(ctx, id)
	if err != nil {
		return err
	}
	bodies := make([][]byte, len(versions))
	for i, rel := range versions {
		o := marking.Open(sheet, rel)
		bodies[i] = o.Bytes
		p.History = append(p.History, Version{Number: o.Version, Modified: o.Modified, Stored: o.Stored, Label: rel.Label()})
	}
	for i := range max(0, len(bodies)-1) {
		if p.History[i].Changes, err = Diff(bodies[i+1], bodies[i]); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}
