package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Object is one version of an object, without its bytes.
type Object struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Source   string    `json:"source" doc:"Who said it: own, or the id of an organisation"`
	Title    text      `json:"title"`
	Modified time.Time `json:"modified,omitzero" doc:"The version's own time; absent for what has no versions"`
	Stored   time.Time `json:"stored"`
	Marking  string    `json:"marking"`
}

func objectOf(o store.Object) Object {
	return Object{ID: o.ID, Type: o.Type, Source: o.Source, Title: foreign(o.Title), Modified: o.Modified, Stored: o.Stored, Marking: o.Label.Words()}
}

// Edge is one step from an object to another.
type Edge struct {
	Relation string `json:"relation" doc:"The relationship's type, or the name of the property that refers"`
	Out      bool   `json:"out" doc:"From the object asked about to the other"`
	Other    Object `json:"other"`
	Via      string `json:"via,omitempty" doc:"Id of the relationship; absent for a reference inside an object"`
	Source   string `json:"source" doc:"Who says so"`
}

// TypeCount is how many objects of a type there are.
type TypeCount struct {
	Type    string `json:"type"`
	Count   int    `json:"count"`
	AtLeast bool   `json:"at_least,omitempty" doc:"There are that many or more"`
}

// Found is the answer to a search.
type Found struct {
	Items   []Object `json:"items" nullable:"false"`
	Count   int      `json:"count"`
	AtLeast bool     `json:"at_least,omitempty" doc:"There are that many or more"`
	Newest  bool     `json:"newest,omitempty" doc:"There were too many to rank: the newest stand first"`
}

type objectList struct {
	Paging
	Type   string `query:"type" maxLength:"250"`
	Source string `query:"source" maxLength:"200"`
}

type edgesOf struct {
	Named
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"In each direction"`
}

type searchFor struct {
	Q     string   `query:"q" required:"true" minLength:"1" maxLength:"500" doc:"Words; the last may be the beginning of one"`
	Types []string `query:"type" maxItems:"50" doc:"STIX types, separated by commas"`
	Limit int      `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// rawReply is an object's own bytes.
type rawReply struct {
	Marking     string `header:"Vigil-Marking" doc:"The highest TLP level in this answer"`
	ContentType string `header:"Content-Type"`
	Body        []byte
}

const stixType = "application/stix+json;version=2.1"

func (a *api) objects() {
	operate(a, op{method: "GET", path: "/types", id: "list-types", summary: "The types of objects, with their counts", action: access.IntelRead},
		func(ctx context.Context, c *call, _ *nothing) (List[TypeCount], error) {
			return a.types(ctx, c)
		})
	operate(a, op{method: "GET", path: "/objects", id: "list-objects", summary: "Objects of the knowledge base, the newest first", action: access.IntelRead},
		func(ctx context.Context, c *call, in *objectList) (List[Object], error) {
			page, err := c.view.List(ctx, store.List{Type: in.Type, Source: in.Source, After: in.After, Limit: in.Limit})
			if err != nil {
				return List[Object]{}, err
			}
			return List[Object]{Items: objectsOf(c, page.Objects), Next: page.Next}, nil
		})
	operate(a, op{method: "GET", path: "/search", id: "search-objects", summary: "Objects by their words", action: access.IntelRead},
		func(ctx context.Context, c *call, in *searchFor) (Found, error) {
			f, err := c.view.Search(ctx, in.Q, in.Types, in.Limit)
			if err != nil {
				return Found{}, err
			}
			return Found{Items: objectsOf(c, f.Objects), Count: f.Count, AtLeast: f.Count >= store.CountLimit, Newest: f.Newest}, nil
		})
	operate(a, op{method: "GET", path: "/objects/{id}", id: "get-object", summary: "One object, without its bytes", action: access.IntelRead},
		func(ctx context.Context, c *call, in *Named) (Object, error) {
			rel, err := c.view.Get(ctx, in.ID)
			if err != nil {
				return Object{}, err
			}
			return objectOf(open(c, rel)), nil
		})
	register(a, op{method: "GET", path: "/objects/{id}/raw", id: "get-object-bytes", summary: "One object, exactly as its producer wrote it", action: access.IntelRead,
		change: func(o *huma.Operation) {
			o.Responses = map[string]*huma.Response{"200": {Description: "The object's bytes", Content: map[string]*huma.MediaType{stixType: {Schema: &huma.Schema{Type: huma.TypeObject}}}}}
		}}, func(ctx context.Context, c *call, in *Named) (*rawReply, error) {
		rel, err := c.view.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		o := open(c, rel)
		return &rawReply{Marking: c.sheet.Label().Words(), ContentType: stixType, Body: o.Bytes}, nil
	})
	operate(a, op{method: "GET", path: "/objects/{id}/lines", id: "list-object-lines", summary: "What each source says of an object, the one shown first", action: access.IntelRead},
		func(ctx context.Context, c *call, in *Named) (List[Object], error) {
			rels, err := c.view.Lines(ctx, in.ID)
			return whole(c, rels, err)
		})
	operate(a, op{method: "GET", path: "/objects/{id}/history", id: "list-object-versions", summary: "The versions of an object, newest first", action: access.IntelRead},
		func(ctx context.Context, c *call, in *Named) (List[Object], error) {
			rels, err := c.view.History(ctx, in.ID)
			return whole(c, rels, err)
		})
	operate(a, op{method: "GET", path: "/objects/{id}/edges", id: "list-object-edges", summary: "The steps from an object to others, newest first", action: access.IntelRead},
		func(ctx context.Context, c *call, in *edgesOf) (List[Edge], error) {
			self, err := c.view.Get(ctx, in.ID)
			if err != nil {
				return List[Edge]{}, err
			}
			open(c, self) // that it leads nowhere is said of it, too
			rels, err := c.view.Edges(ctx, in.ID, in.Limit)
			if err != nil {
				return List[Edge]{}, err
			}
			out := List[Edge]{Items: []Edge{}}
			for _, rel := range rels {
				e := open(c, rel)
				out.Items = append(out.Items, Edge{Relation: e.Rel, Out: e.Out, Other: objectOf(e.Other), Via: e.ViaID, Source: e.ViaFrom})
			}
			return out, nil
		})
}

func objectsOf(c *call, rels []marking.Released[store.Object]) []Object {
	out := make([]Object, 0, len(rels))
	for _, rel := range rels {
		out = append(out, objectOf(open(c, rel)))
	}
	return out
}

// whole is a list that comes in one part; an object of which the reader sees nothing is not there.
func whole(c *call, rels []marking.Released[store.Object], err error) (List[Object], error) {
	if err == nil && len(rels) == 0 {
		err = store.ErrNotFound
	}
	return List[Object]{Items: objectsOf(c, rels)}, err
}

func (a *api) types(ctx context.Context, c *call) (List[TypeCount], error) {
	counts, err := c.view.CountTypes(ctx)
	if err != nil {
		return List[TypeCount]{}, err
	}
	out := List[TypeCount]{Items: []TypeCount{}}
	for _, t := range slices.Sorted(maps.Keys(counts)) {
		out.Items = append(out.Items, TypeCount{t, counts[t], counts[t] >= store.CountLimit})
	}
	return out, nil
}
