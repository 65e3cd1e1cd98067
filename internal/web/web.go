// Package web is Vigil over HTTP: pages for people, and the doors for events and for programs. Every route stands in one
// table with the action that it needs; a route reads through its reader's view alone, and what it shows is opened onto
// one sheet, whose label is the page's band.
package web

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"vigil/internal/access"
	"vigil/internal/blob"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/ingest"
	"vigil/internal/intel"
	"vigil/internal/ledger"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/web/assets"
	"vigil/internal/web/ui"
)

// Config is what the pages stand on.
type Config struct {
	Store     *store.Store
	Directory *access.Directory
	Log       *ledger.Log
	Register  *ingest.Register
	Gateway   *ingest.Gateway
	Detector  *detect.Detector
	Desk      *incident.Desk
	Intel     *intel.Base
	Blobs     *blob.Store
	// Exercise names the exercise, and Demo lets people of it be picked at the door. Empty and false otherwise.
	Exercise string
	Demo     bool
	// DemoPeople are shown at the door of an exercise.
	DemoPeople []ui.DemoPerson
	// Place names the local time zone's people ("Halvern"), and Local is the zone; nil shows UTC alone.
	Place string
	Local *time.Location
}

// Server answers. Make it with New.
type Server struct {
	Config
	routes    []Route
	mux       *http.ServeMux
	refused   refusals
	imports   imports
	listening listeners
}

// Route is one address and what it needs.
type Route struct {
	// Pattern is net/http's: "GET /incidents/{id}".
	Pattern string
	// Action is what the person must be allowed to do; empty for the doors, which anybody may open.
	Action access.Action
	// handle answers. Where it fails nothing has been sent.
	handle func(*Request) error
	// upload marks routes that take a file: they bound and read the body themselves.
	upload bool
	// raw marks routes that speak for themselves: the doors for programs.
	raw http.Handler
}

// New makes a server of its parts.
func New(c Config) *Server {
	s := &Server{Config: c, mux: http.NewServeMux()}
	s.imports.init()
	s.routes = s.table()
	for _, r := range s.routes {
		s.mux.Handle(r.Pattern, s.serve(r))
	}
	s.mux.Handle("/", s.serve(Route{Pattern: "/", handle: func(*Request) error { return store.ErrNotFound }}))
	return s
}

// Routes is the whole table, for tests that must know every way out.
func (s *Server) Routes() []Route { return s.routes }

// Handler is the server behind its guards: the log-in, the policy on what a page may load, and no writing from elsewhere.
func (s *Server) Handler() http.Handler {
	guard := http.NewCrossOriginProtection()
	pages := s.Directory.Middleware(guard.Handler(s.mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		pages.ServeHTTP(w, r)
	})
}

const maxForm = 1 << 20

// secure bounds what a browser does with any answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", assets.Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), publickey-credentials-get=(self), publickey-credentials-create=(self)")
}

func (s *Server) serve(route Route) http.Handler {
	if route.raw != nil {
		return route.raw
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rq := &Request{Request: r, s: s, w: w, Who: access.FromContext(r.Context()), route: route}
		err := rq.answer()
		if err != nil {
			rq.fail(err)
		}
	})
}

// answer checks who asks, runs the route and sends what it made. Nothing is sent before the route has succeeded.
func (rq *Request) answer() (err error) {
	if isMultipart(rq.Request) && !rq.route.upload {
		rq.Body = http.MaxBytesReader(rq.w, rq.Body, maxForm)
	}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v", p)
			slog.Error("a page failed", "route", rq.route.Pattern, "panic", p)
		}
	}()
	if rq.route.Action != "" {
		if rq.Who.Person == "" {
			rq.redirect("/login?next=" + escapeQuery(rq.URL.RequestURI()))
			return nil
		}
		if err := rq.Who.Need(rq.route.Action); err != nil {
			return err
		}
	}
	reader := rq.Who.Reader
	rq.sheet = marking.NewSheet(reader)
	if rq.view, err = rq.s.Store.View(rq.Context(), reader); err != nil {
		return err
	}
	// A route that takes a file reads its body itself, with a bound of its own; nothing else may parse one.
	if !rq.route.upload {
		rq.Body = http.MaxBytesReader(rq.w, rq.Body, maxForm)
		if isMultipart(rq.Request) {
			return &Invalid{Why: "no file belongs here"}
		}
		if err := rq.ParseForm(); err != nil {
			return &Invalid{Why: "the form could not be read: " + err.Error()}
		}
	}
	if err := rq.route.handle(rq); err != nil {
		return err
	}
	if rq.sent {
		return nil
	}
	h := rq.w.Header()
	h.Set("Cache-Control", "no-store")
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/html; charset=utf-8")
	}
	rq.w.WriteHeader(rq.status())
	_, err = rq.out.WriteTo(rq.w)
	if err != nil {
		slog.Debug("the reader has gone", "error", err)
	}
	return nil
}

// Invalid is what a person has to mend in what they sent.
type Invalid struct {
	Why string
	// Back is the page to mend it on.
	Back string
}

func (e *Invalid) Error() string { return e.Why }

// fail maps every error to a page, once. What is hidden and what is absent answer alike.
func (rq *Request) fail(err error) {
	var bad *Invalid
	page := ui.ErrorPage{Status: http.StatusInternalServerError}
	switch {
	case errors.Is(err, store.ErrNotFound):
		page.Status = http.StatusNotFound
	case errors.Is(err, access.ErrRefused):
		page.Status = http.StatusForbidden
		page.What = ui.Problem{What: "Your role does not allow this", Safe: "Nothing was changed. That it was tried is on the record.", Do: "If it is your task, ask the administrator for the role that goes with it."}
		rq.s.refused.enter(rq, err)
	case errors.As(err, &bad):
		page.Status = http.StatusUnprocessableEntity
		page.What = ui.Problem{What: bad.Why, Safe: "Nothing was changed.", Do: "Go back, mend it and send it again."}
		page.Back = bad.Back
	case errors.Is(err, store.ErrToken):
		page.Status = http.StatusBadRequest
		page.What = ui.Problem{What: "This page of the list is no longer there", Safe: "Nothing was changed.", Do: "Start the list from its beginning."}
	case errors.Is(err, context.Canceled):
		return
	default:
		if w, ok := words(err); ok {
			page.Status, page.What = http.StatusConflict, w
			break
		}
		ref := fmt.Sprintf("%08x", rand.Uint32())
		slog.Error("a page failed", "route", rq.route.Pattern, "ref", ref, "error", err)
		page.What = ui.Problem{What: "Something went wrong on our side", Safe: "What was on the record before still is.", Do: "Try again. If it happens twice, give the number below to whoever runs this server.", Ref: ref}
	}
	rq.sheet = marking.NewSheet(rq.Who.Reader) // nothing that was read stands on this page
	page.Frame = rq.Frame(ui.PlaceNone)
	page.Toast, page.Badges = nil, nil
	var b bytes.Buffer
	if rerr := ui.Error(&b, page); rerr != nil {
		http.Error(rq.w, "something went wrong", http.StatusInternalServerError)
		return
	}
	rq.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	rq.w.Header().Set("Cache-Control", "no-store")
	rq.w.WriteHeader(page.Status)
	_, _ = b.WriteTo(rq.w)
}

// words gives what the stages refuse for reasons that a person can act on.
func words(err error) (ui.Problem, bool) {
	p := ui.Problem{Safe: "Nothing was changed.", Do: "Open the page again to see how things stand."}
	switch {
	case errors.Is(err, incident.ErrTransition), errors.Is(err, incident.ErrStale):
		p.What = err.Error()
		return p, true
	}
	return p, false
}

// refusals enters on the record that somebody tried what they may not, once in ten minutes for the same person and action.
type refusals struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (f *refusals) enter(rq *Request, why error) {
	now := rq.s.Store.Now()
	key := rq.Who.Person + " " + string(rq.route.Action)
	f.mu.Lock()
	if f.last == nil {
		f.last = map[string]time.Time{}
	}
	last, again := f.last[key]
	if again && now.Sub(last) < 10*time.Minute || len(f.last) > 10_000 {
		f.mu.Unlock()
		return
	}
	f.last[key] = now
	f.mu.Unlock()
	subject := rq.PathValue("id")
	if subject == "" {
		subject = rq.route.Pattern
	}
	if _, err := rq.s.Store.Record(rq.Context(), rq.Who.Refusal(rq.route.Action, subject, why.Error()), nil); err != nil {
		slog.Error("a refusal could not be entered on the record", "error", err)
	}
}

// hexOf is a short form of hashes.
func hexOf(b []byte) string { return hex.EncodeToString(b) }
