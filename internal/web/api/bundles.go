package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vigil/internal/access"
	"vigil/internal/intel"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Imported is what became of a bundle.
type Imported struct {
	Objects  int            `json:"objects"`
	Counts   map[string]int `json:"counts" doc:"Objects by what became of them: added, unchanged, refused, …"`
	Verdicts []Verdict      `json:"verdicts" nullable:"false" doc:"Of what was refused, conflicts, was relayed or taken with a note; the first thousand"`
}

// Verdict is what became of one object.
type Verdict struct {
	Index   int    `json:"index" doc:"Place in the bundle, from 0"`
	Offset  int64  `json:"offset" doc:"Bytes from the beginning of the bundle"`
	ID      text   `json:"id"`
	Outcome string `json:"outcome"`
	Reason  text   `json:"reason"`
	Notes   []text `json:"notes" nullable:"false"`
}

type importBundle struct {
	Source string `query:"source" required:"true" minLength:"1" maxLength:"200" doc:"Whose objects these are: own, or the id of an organisation, whose agreement sets the level of what carries none"`
	Name   string `query:"name" maxLength:"200" doc:"What people call the bundle"`

	body io.Reader
}

// Resolve takes the body as a stream: a bundle is never held as a whole.
func (i *importBundle) Resolve(ctx huma.Context) []error {
	r, w := humago.Unwrap(ctx)
	i.body = http.MaxBytesReader(w, r.Body, intel.MaxBytes)
	return nil
}

type exportBundle struct {
	Body struct {
		Type   string `json:"type,omitempty" maxLength:"250" doc:"One STIX type; all where absent"`
		Source string `json:"source,omitempty" maxLength:"200" doc:"Whose lines; everybody's where absent"`
	}
}

func (a *api) bundles() {
	operate(a, op{method: "POST", path: "/import", id: "import-bundle", summary: "Take a STIX 2.1 bundle in, as JSON or JSON in gzip", action: access.IntelImport,
		document: func(o *huma.Operation) {
			o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				stixType:           {Schema: &huma.Schema{Type: huma.TypeObject}},
				"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}},
				"application/gzip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
			}}
		}}, a.importBundle)
	register(a, op{method: "POST", path: "/export", id: "export-bundle", summary: "Everything selected that the caller may see, each object exactly as it came in, as one bundle; an act on the record", action: access.IntelExport,
		change: func(o *huma.Operation) {
			o.Responses = map[string]*huma.Response{"200": {Description: "A bundle. Where it breaks off, it is not whole.",
				Headers: map[string]*huma.Param{Header: {Description: "The highest TLP level in this answer", Schema: &huma.Schema{Type: huma.TypeString}}},
				Content: map[string]*huma.MediaType{stixType: {Schema: &huma.Schema{Type: huma.TypeObject}}}}}
		}}, a.exportBundle)
}

func (a *api) importBundle(ctx context.Context, c *call, in *importBundle) (Imported, error) {
	opt := intel.Options{Source: in.Source, Name: in.Name}
	switch {
	case in.Source == marking.Own || in.Source == a.Directory.House():
		opt.Source = marking.Own
	default:
		rel, err := access.GetBody(ctx, c.view, in.Source)
		if errors.Is(err, store.ErrNotFound) {
			return Imported{}, wrong("query.source", "it is no organisation that you know of")
		} else if err != nil {
			return Imported{}, err
		}
		if b := open(c, rel); b.Default != nil {
			opt.DefaultTLP, opt.HasDefault = *b.Default, true
		}
	}
	sum := intel.Summary{}
	bundle, err := intel.Unpacked(in.body)
	if err == nil {
		sum, err = a.Intel.Import(ctx, c.who, bundle, opt)
	}
	switch {
	case ctx.Err() != nil:
		return Imported{}, ctx.Err()
	case errors.Is(err, intel.ErrBundle):
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return Imported{}, large
		}
		return Imported{}, wrong("body", fmt.Sprintf("%v; %d objects before were dealt with, and stand", err, sum.Objects))
	case err != nil:
		return Imported{}, err
	}
	out := Imported{Objects: sum.Objects, Counts: map[string]int{}, Verdicts: []Verdict{}}
	for outcome, n := range sum.Counts {
		out.Counts[outcome.String()] = n
	}
	// Verdicts speak of contents: they carry the label of what was taken in.
	rel, ok := marking.Release(c.who.Reader, sum.Label, sum.Verdicts)
	if !ok {
		return out, nil
	}
	for _, v := range open(c, rel) {
		to := Verdict{Index: v.Index, Offset: v.Offset, ID: foreign(v.ID), Outcome: v.Outcome.String(), Reason: foreign(v.Reason), Notes: []text{}}
		for _, n := range v.Notes {
			to.Notes = append(to.Notes, foreign(n))
		}
		out.Verdicts = append(out.Verdicts, to)
	}
	return out, nil
}

// exportBundle streams. Its marking has to stand before the first byte: it is computed ahead, and where the export then
// held something stricter the answer is broken off.
func (a *api) exportBundle(ctx context.Context, c *call, in *exportBundle) (*huma.StreamResponse, error) {
	sel := intel.Selection{Type: in.Body.Type, Source: in.Body.Source}
	label, err := intel.Ahead(ctx, c.view, sel)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		out.SetHeader("Content-Type", stixType)
		out.SetHeader("Content-Disposition", `attachment; filename="bundle.json"`)
		out.SetHeader(Header, label.Words())
		done, err := a.Intel.Export(ctx, c.who, out.BodyWriter(), sel)
		if err != nil || label.Join(done.Label).Canon() != label.Canon() {
			panic(http.ErrAbortHandler)
		}
	}}, nil
}
