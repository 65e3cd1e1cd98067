package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"vigil/internal/access"
	"vigil/internal/incident"
	"vigil/internal/store"
	"vigil/internal/untrusted"
)

// written is how JSON goes out: markup escaped, attackers' text as package untrusted wrote it, and bytes that are not
// UTF-8 replaced instead of breaking the answer.
var written = []json.Options{jsontext.EscapeForHTML(true), jsontext.PreserveRawStrings(true), jsontext.AllowInvalidUTF8(true), json.Deterministic(true)}

// text is what somebody else may have written.
type text struct{ untrusted.Text }

func foreign(s string) text { return text{untrusted.New(s)} }

// Schema says that it is a string.
func (text) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "Somebody else's text: never markup, never a command"}
}

func notFound() *huma.ErrorModel {
	return &huma.ErrorModel{Status: http.StatusNotFound, Title: "Not found", Detail: "There is no such thing, or it is not for you."}
}

func forbidden() *huma.ErrorModel {
	return &huma.ErrorModel{Status: http.StatusForbidden, Title: "Your role does not allow this", Detail: "Nothing was changed. That it was tried is on the record."}
}

func internal(ref string) *huma.ErrorModel {
	return &huma.ErrorModel{Status: http.StatusInternalServerError, Title: "Something went wrong on our side", Detail: "What was on the record before still is. Whoever runs this server finds it under " + ref + "."}
}

// wrong refuses what somebody sent, with the place where it stands.
func wrong(place, why string) error {
	return &huma.ErrorModel{Status: http.StatusUnprocessableEntity, Title: "It can't be taken", Detail: "Nothing was changed.", Errors: []*huma.ErrorDetail{{Location: place, Message: why}}}
}

// problem maps every error once. Errors of the stages that are meant for people are passed on; everything else stays in
// the server's own log.
func (a *api) problem(ctx context.Context, route Route, c *call, err error) *huma.ErrorModel {
	var said *huma.ErrorModel
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &said):
		return said
	case errors.Is(err, store.ErrNotFound):
		return notFound()
	case errors.Is(err, access.ErrRefused):
		if c != nil {
			a.refused.enter(ctx, a.Store, c.who, route, "", err)
		}
		return forbidden()
	case errors.Is(err, store.ErrToken):
		return &huma.ErrorModel{Status: http.StatusBadRequest, Title: "It can't be taken", Detail: "Start the list from its beginning.",
			Errors: []*huma.ErrorDetail{{Location: "query.after", Message: store.ErrToken.Error()}}}
	case errors.Is(err, incident.ErrTransition), errors.Is(err, incident.ErrStale):
		return &huma.ErrorModel{Status: http.StatusConflict, Title: "Things stand otherwise", Detail: err.Error()}
	case errors.Is(err, incident.ErrInput):
		return &huma.ErrorModel{Status: http.StatusUnprocessableEntity, Title: "It can't be taken", Detail: err.Error()}
	case errors.As(err, &large):
		return &huma.ErrorModel{Status: http.StatusRequestEntityTooLarge, Title: "Too large", Detail: fmt.Sprintf("At most %d bytes are taken.", large.Limit)}
	}
	ref := fmt.Sprintf("%08x", rand.Uint32())
	if ctx.Err() == nil {
		slog.Error("an operation failed", "route", route.Method+" "+route.Path, "ref", ref, "error", err)
	}
	return internal(ref)
}

// scrub keeps what was sent out of problems: they name the place and the reason, and echo nothing.
func scrub(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	for _, d := range m.Errors {
		d.Value = nil
		d.Message = untrusted.New(d.Message).Title(300)
		d.Location = untrusted.New(d.Location).Title(200)
	}
	if m.Title == http.StatusText(m.Status) && m.Status == http.StatusUnprocessableEntity {
		m.Title, m.Detail = "It can't be taken", "Nothing was changed."
	}
	return m, nil
}

// writeProblem answers without the router's help.
func writeProblem(w http.ResponseWriter, m *huma.ErrorModel) {
	b, err := json.Marshal(m, written...)
	if err != nil {
		http.Error(w, "something went wrong", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(m.Status)
	_, _ = w.Write(append(b, '\n'))
}

// refusals enters on the record that somebody tried what they may not, once in ten minutes for the same person and
// action, so that nobody can fill the record by being refused.
type refusals struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const maxRefusals = 10_000

func (f *refusals) enter(ctx context.Context, s *store.Store, who access.Principal, route Route, subject string, why error) {
	now := s.Now()
	key := who.Person + " " + string(route.Action)
	f.mu.Lock()
	if f.last == nil || len(f.last) >= maxRefusals {
		f.last = map[string]time.Time{}
	}
	last, again := f.last[key]
	if again && now.Sub(last) < 10*time.Minute {
		f.mu.Unlock()
		return
	}
	f.last[key] = now
	f.mu.Unlock()
	if subject == "" {
		subject = route.Method + " " + route.Path
	}
	if len(subject) > 200 {
		subject = strings.ToValidUTF8(subject[:200], "")
	}
	if _, err := s.Record(ctx, who.Refusal(route.Action, subject, why.Error()), nil); err != nil {
		f.mu.Lock()
		delete(f.last, key)
		f.mu.Unlock()
		slog.Error("a refusal could not be entered on the record", "error", err)
	}
}
