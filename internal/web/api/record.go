package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vigil/internal/access"
	"vigil/internal/ledger"
	"vigil/internal/store"
)

// Entry is one entry of the record of decisions, with its contents.
type Entry struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor" doc:"Id of who acted"`
	Action  string    `json:"action"`
	Subject text      `json:"subject"`
	Purpose text      `json:"purpose"`
	Fields  []Field   `json:"fields" nullable:"false" doc:"All contents, in the order in which they were noted; none where they were destroyed"`
	Leaf    []byte    `json:"leaf" doc:"What the public tree holds of it"`
	Salt    []byte    `json:"salt,omitempty" doc:"Opens the leaf's commitments; absent where it was destroyed"`
	Index   int64     `json:"index" doc:"Place in the ledger's tree; -1 until appended"`
	Marking string    `json:"marking"`
}

// Field is one content of an entry.
type Field struct {
	Name  string `json:"name"`
	Value text   `json:"value"`
}

func entryOf(e store.Entry) Entry {
	out := Entry{Seq: e.Seq, At: e.At, Actor: e.Actor, Action: e.Action, Subject: foreign(e.Subject), Purpose: foreign(e.Purpose), Fields: []Field{}, Leaf: e.Leaf, Salt: e.Salt, Index: e.Index, Marking: e.Label.Words()}
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, Field{f.Name, foreign(f.Value)})
	}
	return out
}

type entryList struct {
	Paging
	Subject string `query:"subject" maxLength:"300" doc:"Only entries on this id"`
	Action  string `query:"action" maxLength:"100" doc:"Only of this action, or with * at its end of all that begin so"`
}

// numbered is an entry by its number; it is text, so that what is no number is not there, like a number that is none.
type numbered struct {
	Seq string `path:"seq" maxLength:"300" doc:"The entry's number"`
}

func (a *api) record() {
	operate(a, op{method: "GET", path: "/record", id: "list-entries", summary: "The record of decisions, newest first, as far as the caller may see contents", action: access.RecordRead},
		func(ctx context.Context, c *call, in *entryList) (List[Entry], error) {
			page, err := c.view.Entries(ctx, store.Entries{Subject: in.Subject, Action: in.Action, After: in.After, Limit: in.Limit})
			if err != nil {
				return List[Entry]{}, err
			}
			out := List[Entry]{Items: []Entry{}, Next: page.Next}
			for _, rel := range page.Entries {
				out.Items = append(out.Items, entryOf(open(c, rel)))
			}
			return out, nil
		})
	operate(a, op{method: "GET", path: "/record/{seq}", id: "get-entry", summary: "One entry of the record", action: access.RecordRead},
		func(ctx context.Context, c *call, in *numbered) (Entry, error) {
			e, err := a.entry(ctx, c, in.Seq)
			return entryOf(e), err
		})
	register(a, op{method: "GET", path: "/record/{seq}/receipt", id: "get-receipt", summary: "The proof that the public tree holds an entry, as the offline verifier reads it", action: access.RecordRead,
		change: func(o *huma.Operation) {
			o.Responses = map[string]*huma.Response{"200": {Description: "The receipt", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
		}}, func(ctx context.Context, c *call, in *numbered) (*rawReply, error) {
		e, err := a.entry(ctx, c, in.Seq)
		if err != nil {
			return nil, err
		}
		early := &huma.ErrorModel{Status: http.StatusConflict, Title: "There is no receipt yet", Detail: "No checkpoint covers the entry: try again in a moment."}
		if e.Index < 0 {
			return nil, early
		}
		r, err := a.Log.Receipt(ctx, uint64(e.Index))
		if errors.Is(err, ledger.ErrNotCovered) {
			return nil, early
		} else if err != nil {
			return nil, err
		}
		return &rawReply{Marking: c.sheet.Label().Words(), ContentType: "text/plain; charset=utf-8", Body: r.Marshal()}, nil
	})
}

func (a *api) entry(ctx context.Context, c *call, number string) (store.Entry, error) {
	seq, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return store.Entry{}, store.ErrNotFound
	}
	rel, err := c.view.Entry(ctx, seq)
	if err != nil {
		return store.Entry{}, err
	}
	return open(c, rel), nil
}
