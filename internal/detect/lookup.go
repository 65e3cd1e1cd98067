package detect

import (
	"time"

	"vigil/internal/event"
	"vigil/internal/store"
	"vigil/stix"
)

// Indicators is the index of indicators without a store: what a hunt on somebody's own files looks up.
type Indicators struct {
	index index
	n     int
}

// NewIndicators makes an empty index.
func NewIndicators() *Indicators { return &Indicators{index: index{}} }

// Add takes an indicator in. What can't be looked up is named, with the reason.
func (x *Indicators) Add(o *stix.Object) (reason string) {
	if kind, _ := o.String("pattern_type"); kind != "stix" {
		return "patterns of type " + kind + " are not looked up"
	}
	if o.Revoked {
		return "it was revoked"
	}
	if u := x.index.addIndicator(store.Object{ID: string(o.ID), Title: o.Name}, o); u != nil {
		return u.reason
	}
	x.n++
	return ""
}

// Len is how many indicators are looked up.
func (x *Indicators) Len() int { return x.n }

// Sighted is an indicator that an observable matched.
type Sighted struct {
	ID, Title  string
	Level      Level
	Techniques []string
}

// Find gives the indicators in force at a time that look for an observable.
func (x *Indicators) Find(o event.Observable, at time.Time) []Sighted {
	var out []Sighted
	for _, i := range x.index.find(o) {
		if i.holds(at) {
			out = append(out, Sighted{i.id, i.title, i.level, i.techniques})
		}
	}
	return out
}
