package intel

import (
	"context"
	"fmt"
	"strings"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Draft is an object of the house's own, to be written.
type Draft struct {
	// Type is a STIX type, Props its properties as stix.Make takes them.
	Type  string
	Props stix.Props
	// TLP is the level the writer asks for; what it refers to may raise it.
	TLP marking.TLP
	// Audience, where not nil, names those it goes to. RED without an audience goes to its writer.
	Audience     []string
	Compartments []string
	// Why is the purpose on the record.
	Why string
}

// tlpMarks are the official definitions by level.
var tlpMarks = map[marking.TLP]stix.ID{marking.Clear: stix.TLP2Clear, marking.Green: stix.TLP2Green, marking.Amber: stix.TLP2Amber,
	marking.AmberStrict: stix.TLP2AmberStrict, marking.Red: stix.TLP2Red}

// Write stores an own object: strictly valid STIX, which carries the join of the labels of all that it refers to. A
// reference to what the writer may not see is refused like one to what does not exist.
func (b *Base) Write(ctx context.Context, who access.Principal, d Draft) (store.Object, error) {
	why := d.Why
	if why == "" {
		why = "write a " + d.Type
	}
	act, err := who.Act(access.IntelWrite, d.Type, why)
	if err != nil {
		return store.Object{}, err
	}
	props := stix.Props{}
	for k, v := range d.Props {
		props[k] = v
	}
	delete(props, "object_marking_refs")
	now := b.store.Now()
	plain, err := stix.Make(d.Type, now, props)
	if err != nil {
		return store.Object{}, err
	}
	v, err := b.store.View(ctx, who.Reader)
	if err != nil {
		return store.Object{}, err
	}
	if _, err := v.Get(ctx, string(plain.ID)); err == nil {
		return store.Object{}, fmt.Errorf("%s exists already", plain.ID)
	} else if err != store.ErrNotFound {
		return store.Object{}, err
	}
	sheet := marking.NewSheet(who.Reader)
	for _, r := range plain.Refs() {
		rel, err := v.Get(ctx, string(r.ID))
		if err != nil {
			return store.Object{}, fmt.Errorf("%s, %s: %w", r.Path, r.ID, err)
		}
		marking.Open(sheet, rel)
	}
	level := max(d.TLP, sheet.Label().TLP())
	if level == marking.Red && d.Audience == nil {
		d.Audience = []string{marking.PersonPrincipal(who.Person)}
	}
	props["object_marking_refs"] = []stix.ID{tlpMarks[level]}
	props["id"] = plain.ID
	o, err := stix.Make(d.Type, now, props)
	if err != nil {
		return store.Object{}, err
	}
	act.Subject, act.Label = string(o.ID), sheet.Label()
	out := store.Object{ID: string(o.ID), Type: o.Type, Source: marking.Own, Title: o.Name, Modified: o.Modified.Time(), Bytes: o.Raw}
	_, err = b.store.Record(ctx, act, func(tx *store.Tx) error {
		verdict, err := tx.Put(store.Put{Object: o, Source: marking.Own, HasTLP: true, Derived: sheet.Label(),
			Spec: marking.Spec{TLP: level, Audience: d.Audience, Compartments: d.Compartments}})
		if err != nil {
			return err
		}
		if verdict.Outcome != store.Added {
			return fmt.Errorf("%s was not stored: %s %s", o.ID, verdict.Outcome, verdict.Reason)
		}
		out.Label, out.Stored = verdict.Label, tx.Now()
		return nil
	})
	return out, err
}

// WriteNote writes a note about objects.
func (b *Base) WriteNote(ctx context.Context, who access.Principal, abstract, content string, about []string, tlp marking.TLP) (store.Object, error) {
	if strings.TrimSpace(content) == "" || len(about) == 0 {
		return store.Object{}, fmt.Errorf("a note needs words and an object that it is about")
	}
	return b.Write(ctx, who, Draft{Type: "note", TLP: tlp, Why: "write a note", Props: stix.Props{"abstract": abstract, "content": content, "object_refs": about}})
}

// ResolveMarking says what a marking definition of a source means, which the program did not understand: everything that
// was held for it is labelled anew. reason goes on the record. It answers how many versions it was.
func (b *Base) ResolveMarking(ctx context.Context, who access.Principal, def, source string, tlp marking.TLP, reason string) (int, error) {
	if strings.TrimSpace(reason) == "" {
		return 0, fmt.Errorf("resolving a marking needs a reason")
	}
	act, err := who.Act(access.MarkResolve, def, reason)
	if err != nil {
		return 0, err
	}
	n := 0
	_, err = b.store.Record(ctx, act, func(tx *store.Tx) error {
		n, err = tx.Resolve(stix.ID(def), source, tlp)
		return err
	})
	return n, err
}
