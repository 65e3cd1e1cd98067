// Package api is Vigil for programs: JSON over HTTP with an OpenAPI 3.1 document, and errors as RFC 9457 problems. Who
// asks is found by access.Directory's middleware around it, from a bearer token or a session.
//
// Every operation reads through its reader's view alone, and what it answers is opened onto one sheet, whose label is
// the answer's Vigil-Marking. What is hidden and what is absent answer alike, byte for byte.
package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/ingest"
	"vigil/internal/intel"
	"vigil/internal/ledger"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Deps is what the API stands on.
type Deps struct {
	Store     *store.Store
	Directory *access.Directory
	Log       *ledger.Log
	Register  *ingest.Register
	Detector  *detect.Detector
	Desk      *incident.Desk
	Intel     *intel.Base
}

// Route is one operation and what it needs.
type Route struct {
	Method, Path string
	// Action is what the person must be allowed to do. Where it is empty, everybody who is known may, and where Open is
	// true, everybody.
	Action access.Action
	Open   bool
}

// Header names the marking of an answer: the highest TLP level of what stands in it.
const Header = "Vigil-Marking"

// api is the operations on their way into a router.
type api struct {
	Deps
	huma    huma.API
	mux     *http.ServeMux
	routes  []Route
	refused refusals
}

// New makes the handler of everything below /api/, to be wrapped in access.Directory's middleware.
func New(d Deps) http.Handler { return build(d) }

// Routes is every operation, for tests that must know every way out.
func Routes() []Route { return build(Deps{}).routes }

func build(d Deps) *api {
	a := &api{Deps: d, mux: http.NewServeMux()}
	a.huma = humago.New(a.mux, config())
	a.me()
	a.findings()
	a.incidents()
	a.incidentWork()
	a.objects()
	a.bundles()
	a.sources()
	a.record()
	a.document()
	a.mux.HandleFunc("/", a.elsewhere)
	return a
}

func config() huma.Config {
	format := huma.Format{
		Marshal: func(w io.Writer, v any) error { return json.MarshalWrite(w, v, written...) },
		// Strict: a name that stands twice, bytes that are not UTF-8 and anything after the end are refused.
		Unmarshal: func(data []byte, v any) error { return json.Unmarshal(data, v) },
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "Vigil", Version: "1", License: &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
				Description: "Findings, incidents, intelligence, the register of log sources and the record of decisions, each as far as the caller may see. " +
					"What is hidden and what is absent answer alike. The header Vigil-Marking is the highest TLP level in an answer."},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer",
					Description: "An API token of a person, vlt_…: it may do what its owner may."}},
			},
			Security: []map[string][]string{{"token": {}}},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{scrub},
	}
}

// document serves the OpenAPI document, which is made once and tells nothing of what is stored.
func (a *api) document() {
	asJSON, err := json.Marshal(a.huma.OpenAPI(), json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document: %v", err)) // it depends on the program alone
	}
	asYAML, err := a.huma.OpenAPI().YAML()
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document: %v", err))
	}
	for _, f := range []struct {
		path, kind string
		body       []byte
	}{{"/api/openapi.json", "application/openapi+json", asJSON}, {"/api/openapi.yaml", "application/openapi+yaml", asYAML}} {
		a.routes = append(a.routes, Route{Method: http.MethodGet, Path: f.path, Open: true})
		a.mux.HandleFunc("GET "+f.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", f.kind)
			_, _ = w.Write(f.body)
		})
	}
}

// ServeHTTP bounds what is done with any answer, and turns what breaks into a problem.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(Header, marking.Everyone().Words()) // until something is read
	out := &watched{ResponseWriter: w}
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler || out.begun {
			panic(http.ErrAbortHandler) // only a broken answer tells that it is not whole
		}
		ref := fmt.Sprintf("%08x", rand.Uint32())
		slog.Error("an operation failed", "path", r.Pattern, "ref", ref, "panic", p)
		writeProblem(w, internal(ref))
	}()
	a.mux.ServeHTTP(out, r)
}

// watched knows whether an answer has begun.
type watched struct {
	http.ResponseWriter
	begun bool
}

func (w *watched) WriteHeader(code int)        { w.begun = true; w.ResponseWriter.WriteHeader(code) }
func (w *watched) Write(b []byte) (int, error) { w.begun = true; return w.ResponseWriter.Write(b) }
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// elsewhere answers what is no operation: 405 where the path is one's with another method.
func (a *api) elsewhere(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		if _, pattern := a.mux.Handler(&http.Request{Method: m, URL: r.URL, Host: r.Host}); pattern != "" && pattern != "/" {
			allow = append(allow, m)
		}
	}
	if allow == nil || slices.Contains(allow, r.Method) {
		writeProblem(w, notFound())
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	writeProblem(w, &huma.ErrorModel{Status: http.StatusMethodNotAllowed, Title: "Method not allowed", Detail: "This address takes " + strings.Join(allow, " or ") + "."})
}

// call is one request of one person, with their view and the sheet that the answer is written on.
type call struct {
	who   access.Principal
	view  *store.View
	sheet *marking.Sheet
}

// open puts a released value on the answer's sheet.
func open[T any](c *call, r marking.Released[T]) T { return marking.Open(c.sheet, r) }

type callKey struct{}

// admit lets in who is known and may do the operation, before anything that they sent is read.
func (a *api) admit(route Route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		who := access.FromContext(ctx.Context())
		if who.Person == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="vigil"`)
			writeProblem(w, &huma.ErrorModel{Status: http.StatusUnauthorized, Title: "Nobody is logged in", Detail: "Send an API token: Authorization: Bearer vlt_…"})
			return
		}
		if route.Action != "" {
			if err := who.Need(route.Action); err != nil {
				a.refused.enter(r.Context(), a.Store, who, route, r.PathValue("id"), err)
				writeProblem(w, forbidden())
				return
			}
		}
		view, err := a.Store.View(ctx.Context(), who.Reader)
		if err != nil {
			writeProblem(w, a.problem(ctx.Context(), route, nil, err))
			return
		}
		next(huma.WithValue(ctx, callKey{}, &call{who: who, view: view, sheet: marking.NewSheet(who.Reader)}))
	}
}

// reply is an answer under the marking of all that was opened for it.
type reply[T any] struct {
	Marking string `header:"Vigil-Marking" doc:"The highest TLP level in this answer"`
	Body    T
}

// op says what an operation is called.
type op struct {
	method, path, id, summary string
	action                    access.Action
	status                    int                   // 200 where 0
	change                    func(*huma.Operation) // before it is registered
	document                  func(*huma.Operation) // in the document alone
}

// operate registers an operation that answers JSON. Its marking is set last, when everything has been opened.
func operate[I, T any](a *api, o op, f func(context.Context, *call, *I) (T, error)) {
	register(a, o, func(ctx context.Context, c *call, in *I) (*reply[T], error) {
		body, err := f(ctx, c, in)
		if err != nil {
			return nil, err
		}
		return &reply[T]{Marking: c.sheet.Label().Words(), Body: body}, nil
	})
}

// register puts an operation into the router, the document and the list of routes.
func register[I, O any](a *api, o op, f func(context.Context, *call, *I) (*O, error)) {
	route := Route{Method: o.method, Path: "/api/v1" + o.path, Action: o.action}
	a.routes = append(a.routes, route)
	h := huma.Operation{OperationID: o.id, Method: o.method, Path: route.Path, Summary: o.summary, DefaultStatus: o.status, Tags: []string{strings.Split(o.path, "/")[1]},
		Middlewares: huma.Middlewares{a.admit(route)}}
	if o.action != "" {
		h.Description = "Needs a role that allows " + string(o.action) + "."
	}
	if o.change != nil {
		o.change(&h)
	}
	huma.Register(a.huma, h, func(ctx context.Context, in *I) (*O, error) {
		c, ok := ctx.Value(callKey{}).(*call)
		if !ok {
			return nil, fmt.Errorf("%s was reached past its guard", route.Path)
		}
		out, err := f(ctx, c, in)
		if err != nil {
			return nil, a.problem(ctx, route, c, err)
		}
		return out, nil
	})
	if o.document != nil {
		item := a.huma.OpenAPI().Paths[route.Path]
		for _, listed := range []*huma.Operation{item.Get, item.Post} {
			if listed != nil && listed.OperationID == o.id {
				o.document(listed)
			}
		}
	}
}

// nothing is the input of operations that need none.
type nothing struct{}

// Me is who asks.
type Me struct {
	Person  string   `json:"person" doc:"Id of the person"`
	Name    string   `json:"name"`
	Body    string   `json:"body" doc:"Id of the person's organisation"`
	Role    string   `json:"role"`
	Means   string   `json:"means" doc:"How they proved who they are: token, password, passkey, …"`
	Actions []string `json:"actions" doc:"What the role allows"`
}

func (a *api) me() {
	operate(a, op{method: "GET", path: "/me", id: "me", summary: "Who asks, and what their role allows"}, func(_ context.Context, c *call, _ *nothing) (Me, error) {
		m := Me{Person: c.who.Person, Name: c.who.Name, Body: c.who.Body, Role: string(c.who.Role), Means: c.who.Means, Actions: []string{}}
		for _, action := range access.Actions() {
			if c.who.May(action) {
				m.Actions = append(m.Actions, string(action))
			}
		}
		return m, nil
	})
}
