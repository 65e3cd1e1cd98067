package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/ingest"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
)

// Source is an entry of the register of log sources.
type Source struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Owner     string    `json:"owner" doc:"Id of the organisation whose logs they are"`
	Basis     string    `json:"basis" doc:"Consent or legal basis"`
	Purpose   string    `json:"purpose"`
	Fields    []string  `json:"fields" nullable:"false"`
	Retention int       `json:"retention_days"`
	Expires   time.Time `json:"expires"`
	Product   string    `json:"product,omitempty"`
	Service   string    `json:"service,omitempty"`
	Category  string    `json:"category,omitempty"`
	TLP       string    `json:"tlp" doc:"What the owner bounds the events to"`
	State     string    `json:"state" enum:"active,suspended,withdrawn"`
	Lapsed    bool      `json:"lapsed"`
	Created   time.Time `json:"created"`
}

func sourceOf(s ingest.Source, now time.Time) Source {
	return Source{ID: s.ID, Name: s.Name, Owner: s.Owner, Basis: s.Basis, Purpose: s.Purpose, Fields: append([]string{}, s.Fields...), Retention: int(s.Retention / (24 * time.Hour)), Expires: s.Expires,
		Product: s.Logsource.Product, Service: s.Logsource.Service, Category: s.Logsource.Category, TLP: s.TLP.String(), State: s.State, Lapsed: s.Lapsed(now), Created: s.Created}
}

// Registered is a new entry with its credential.
type Registered struct {
	Source Source `json:"source"`
	Token  string `json:"token" doc:"The credential for POST /api/v1/events. It is shown this once."`
}

type newSource struct {
	Body struct {
		Name      string    `json:"name" minLength:"1" maxLength:"2000"`
		Owner     string    `json:"owner" minLength:"1" maxLength:"2000"`
		Basis     string    `json:"basis" minLength:"1" maxLength:"2000"`
		Purpose   string    `json:"purpose" minLength:"1" maxLength:"2000"`
		Fields    []string  `json:"fields" minItems:"1" maxItems:"500" nullable:"false"`
		Retention int       `json:"retention_days" minimum:"1" maximum:"3650"`
		Expires   time.Time `json:"expires"`
		Product   string    `json:"product,omitempty" maxLength:"100"`
		Service   string    `json:"service,omitempty" maxLength:"100"`
		Category  string    `json:"category,omitempty" maxLength:"100"`
		TLP       string    `json:"tlp,omitempty" enum:"TLP:CLEAR,TLP:GREEN,TLP:AMBER,TLP:AMBER+STRICT" doc:"TLP:AMBER+STRICT where absent"`
	}
}

type changeSource struct {
	Named
	Body struct {
		State   string    `json:"state" enum:"active,suspended,withdrawn" doc:"withdrawn is for good"`
		Expires time.Time `json:"expires,omitzero" doc:"The new term; as it was where absent"`
		Reason  string    `json:"reason" minLength:"1" maxLength:"2000"`
	}
}

func (a *api) sources() {
	operate(a, op{method: "GET", path: "/sources", id: "list-sources", summary: "The register of log sources, by name", action: access.SourceRead},
		func(ctx context.Context, c *call, _ *nothing) (List[Source], error) {
			rels, err := ingest.List(ctx, c.view)
			if err != nil {
				return List[Source]{}, err
			}
			out := List[Source]{Items: []Source{}}
			for _, rel := range rels {
				out.Items = append(out.Items, sourceOf(open(c, rel), c.view.Now()))
			}
			return out, nil
		})
	operate(a, op{method: "GET", path: "/sources/{id}", id: "get-source", summary: "One log source", action: access.SourceRead},
		func(ctx context.Context, c *call, in *Named) (Source, error) { return a.source(ctx, c, in.ID) })
	operate(a, op{method: "POST", path: "/sources", id: "register-source", summary: "Enter a log source in the register", action: access.SourceRegister, status: http.StatusCreated}, a.addSource)
	operate(a, op{method: "POST", path: "/sources/{id}/state", id: "change-source", summary: "Suspend, resume, renew or withdraw a log source, with a reason", action: access.SourceChange},
		func(ctx context.Context, c *call, in *changeSource) (Source, error) {
			if err := needReason(in.Body.Reason); err != nil {
				return Source{}, err
			}
			s, err := a.source(ctx, c, in.ID) // what the caller does not see is not there to be changed
			if err != nil {
				return Source{}, err
			}
			if s.State == "withdrawn" {
				return Source{}, wrong("body.state", "it was withdrawn, which is for good")
			}
			expires := s.Expires
			if !in.Body.Expires.IsZero() {
				if expires, err = term(in.Body.Expires, c.view.Now()); err != nil {
					return Source{}, err
				}
			}
			if err := a.Register.Change(ctx, c.who, in.ID, in.Body.State, expires, in.Body.Reason); err != nil {
				return Source{}, err
			}
			return a.source(ctx, c, in.ID)
		})
}

// term keeps an entry's end to come, and within ten years.
func term(at, now time.Time) (time.Time, error) {
	if !at.After(now) || at.After(now.AddDate(10, 0, 0)) {
		return at, wrong("body.expires", "it is not a time to come within ten years")
	}
	return at.UTC(), nil
}

func (a *api) addSource(ctx context.Context, c *call, in *newSource) (Registered, error) {
	b := in.Body
	for _, f := range []struct{ place, have string }{{"name", b.Name}, {"owner", b.Owner}, {"basis", b.Basis}, {"purpose", b.Purpose}} {
		if strings.TrimSpace(f.have) == "" || strings.ContainsFunc(f.have, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return Registered{}, wrong("body."+f.place, "it is empty, or holds control characters")
		}
	}
	for _, f := range b.Fields {
		if strings.TrimSpace(f) == "" || len(f) > 200 || strings.ContainsAny(f, "\n\r") {
			return Registered{}, wrong("body.fields", "a field is empty, longer than 200 bytes or of several lines")
		}
	}
	expires, err := term(b.Expires, c.view.Now())
	if err != nil {
		return Registered{}, err
	}
	if b.Owner != a.Register.House() {
		if _, err := access.GetBody(ctx, c.view, b.Owner); err == store.ErrNotFound {
			return Registered{}, wrong("body.owner", "it is no organisation that you know of")
		} else if err != nil {
			return Registered{}, err
		}
	}
	tlp := marking.AmberStrict
	if b.TLP != "" {
		if tlp, err = marking.ParseTLP(b.TLP); err != nil {
			return Registered{}, wrong("body.tlp", "it is no level of TLP")
		}
	}
	rels, err := ingest.List(ctx, c.view)
	if err != nil {
		return Registered{}, err
	}
	for _, rel := range rels {
		if open(c, rel).Name == b.Name {
			return Registered{}, wrong("body.name", "a source of this name is registered already")
		}
	}
	id, token, err := a.Register.Add(ctx, c.who, ingest.Source{Name: b.Name, Owner: b.Owner, Basis: b.Basis, Purpose: b.Purpose, Fields: b.Fields, Retention: time.Duration(b.Retention) * 24 * time.Hour,
		Expires: expires, Logsource: sigma.Logsource{Product: b.Product, Service: b.Service, Category: b.Category}, TLP: tlp})
	if err != nil {
		return Registered{}, err
	}
	s, err := a.source(ctx, c, id)
	return Registered{Source: s, Token: token}, err
}

func (a *api) source(ctx context.Context, c *call, id string) (Source, error) {
	rels, err := ingest.List(ctx, c.view)
	if err != nil {
		return Source{}, err
	}
	for _, rel := range rels {
		if marking.Open(marking.NewSheet(c.who.Reader), rel).ID == id {
			return sourceOf(open(c, rel), c.view.Now()), nil
		}
	}
	return Source{}, store.ErrNotFound
}
