package taxii

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is a server's configuration. Store, Authenticate, Title and
// CursorKey are required; every other zero field means its default.
type Config struct {
	// Title, Description and Contact are shown at discovery (§4.1.1).
	Title, Description, Contact string
	// DefaultRoot is the name of the API root that discovery calls default. It
	// is left out for readers who may not know that root.
	DefaultRoot string

	Store Store
	// Authenticate says who sent a request, before anything else is looked at.
	// ErrUnauthorized gives 401, ErrForbidden 403, ErrBusy 503. See BasicAuth,
	// TokenAuth, ClientCertAuth and AnyOf.
	Authenticate func(*http.Request) (Reader, error)
	// Challenges are the WWW-Authenticate values of a 401.
	// Default: Basic realm="TAXII", charset="UTF-8".
	Challenges []string

	// CursorKey authenticates next values: at least 32 random bytes, kept
	// secret and kept across restarts. OldCursorKeys are accepted, not used,
	// so that a key can be replaced while clients are paging.
	CursorKey     []byte
	OldCursorKeys [][]byte

	// Mount is the path at which requests reach the handler. §8.2.1 wants
	// /taxii2/, the default.
	Mount string
	// PublicURL is what clients see in Mount's place: an absolute https URL or
	// a path, ending in a slash. Set it behind a proxy that adds a prefix or
	// another host name. Nothing is ever derived from request headers.
	// Default: Mount.
	PublicURL string

	// MaxContentLength is the longest request body in bytes, announced by each
	// API root (§4.2.1). Default 32 MiB.
	MaxContentLength int64
	// Limits bound the envelope in that body.
	Limits Limits
	// PageSize is how many objects a page has if the client names no limit;
	// default 1,000. MaxPageSize is the most it can ask for; default 10,000.
	PageSize, MaxPageSize int
	// MaxPageBytes ends a page early: a page has at most this many bytes and
	// one object. Default 8 MiB.
	MaxPageBytes int
	// MaxUploads is how many request bodies are read at once, which bounds
	// memory to that many times MaxContentLength. Default 8.
	MaxUploads int
	// UploadTimeout is how long a body may take to arrive, and how long a
	// request waits for its turn to send one. Default 1 minute.
	UploadTimeout time.Duration

	// Served, if set, is told what a page holds before its first byte leaves.
	// If it fails, nothing leaves and the answer is 500.
	Served func(context.Context, Reader, *Served) error
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Log takes internal failures; default slog.Default().
	Log *slog.Logger
}

// Served is what a page holds.
type Served struct {
	Root, Collection string
	// Bodies is false where only names went out: manifest and versions.
	Bodies bool
	Items  []Ref
}

// Ref names an item.
type Ref struct {
	ID, Version string
	Added       Stamp
}

// Server is a TAXII 2.1 server: an http.Handler. It holds no state but its
// configuration; several may serve one Store.
//
// The http.Server around it should bound how long headers and responses may
// take (ReadHeaderTimeout, WriteTimeout) and speak TLS 1.2 or newer (§8.2.2).
type Server struct {
	cfg        Config
	store      Store
	keys       [][]byte
	challenges []string
	log        *slog.Logger
	uploads    chan struct{}
	buffers    sync.Pool
}

// NewServer checks the configuration and makes a server of it.
func NewServer(cfg Config) (*Server, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("taxii: no store")
	case cfg.Authenticate == nil:
		return nil, errors.New("taxii: no authentication; pass one that admits everybody if that is meant")
	case cfg.Title == "":
		return nil, errors.New("taxii: no title (§4.1.1 requires one)")
	case len(cfg.CursorKey) < minCursorKey:
		return nil, fmt.Errorf("taxii: the cursor key has %d bytes, fewer than %d", len(cfg.CursorKey), minCursorKey)
	}
	if cfg.Mount == "" {
		cfg.Mount = "/taxii2/"
	}
	if !strings.HasPrefix(cfg.Mount, "/") || !strings.HasSuffix(cfg.Mount, "/") {
		return nil, fmt.Errorf("taxii: mount %q does not begin and end with a slash", cfg.Mount)
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = cfg.Mount
	}
	if err := checkPublicURL(cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("taxii: public URL %q: %w", cfg.PublicURL, err)
	}
	cfg.MaxContentLength = positive(cfg.MaxContentLength, 32<<20)
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.PageSize = positive(cfg.PageSize, 1000)
	cfg.MaxPageSize = max(positive(cfg.MaxPageSize, 10_000), cfg.PageSize)
	cfg.MaxPageBytes = positive(cfg.MaxPageBytes, 8<<20)
	cfg.MaxUploads = positive(cfg.MaxUploads, 8)
	cfg.UploadTimeout = positive(cfg.UploadTimeout, time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{
		cfg:        cfg,
		store:      cfg.Store,
		keys:       append([][]byte{cfg.CursorKey}, cfg.OldCursorKeys...),
		challenges: cfg.Challenges,
		log:        cfg.Log,
		uploads:    make(chan struct{}, cfg.MaxUploads),
	}
	for _, k := range s.keys {
		if len(k) < minCursorKey {
			return nil, fmt.Errorf("taxii: an old cursor key has fewer than %d bytes", minCursorKey)
		}
	}
	if len(s.challenges) == 0 {
		s.challenges = []string{`Basic realm="TAXII", charset="UTF-8"`}
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s, nil
}

func positive[T int | int64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// checkPublicURL applies §4.1.1: an HTTPS URL, or a path with one slash in
// front; no query.
func checkPublicURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return err
	case !strings.HasSuffix(s, "/") || u.RawQuery != "" || u.Fragment != "":
		return errors.New("it must end in a slash and have no query")
	case u.Scheme == "https" && u.Host != "":
		return nil
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//"):
		return nil
	}
	return errors.New("it is neither an https URL nor a path that begins with one slash")
}

// endpoint is one of the resources that a path can name.
type endpoint byte

const (
	noEndpoint endpoint = iota
	discoveryEndpoint
	rootEndpoint
	statusEndpoint
	collectionsEndpoint
	collectionEndpoint
	manifestEndpoint
	objectsEndpoint
	objectEndpoint
	versionsEndpoint
)

// target is what a path names.
type target struct {
	endpoint                         endpoint
	root, collection, object, status string
}

// methods of each endpoint (§3.1). HEAD is GET without the body.
var methods = map[endpoint][]string{
	discoveryEndpoint:   {"GET", "HEAD"},
	rootEndpoint:        {"GET", "HEAD"},
	statusEndpoint:      {"GET", "HEAD"},
	collectionsEndpoint: {"GET", "HEAD"},
	collectionEndpoint:  {"GET", "HEAD"},
	manifestEndpoint:    {"GET", "HEAD"},
	objectsEndpoint:     {"GET", "HEAD", "POST"},
	objectEndpoint:      {"GET", "HEAD", "DELETE"},
	versionsEndpoint:    {"GET", "HEAD"},
}

// route reads a path. §3.1 wants a slash at the end; clients that forget it
// are served all the same, since a redirect would lose a POST's body and
// credentials.
func (s *Server) route(path string) (t target) {
	if path+"/" == s.cfg.Mount {
		path += "/"
	}
	rest, ok := strings.CutPrefix(path, s.cfg.Mount)
	if !ok {
		return t
	}
	if rest == "" {
		return target{endpoint: discoveryEndpoint}
	}
	parts := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if len(parts) > 6 || slices.Contains(parts, "") {
		return t
	}
	at := func(i int, want string) bool { return parts[i] == want }
	t.root = parts[0]
	switch n := len(parts); {
	case n == 1:
		t.endpoint = rootEndpoint
	case n == 2 && at(1, "collections"):
		t.endpoint = collectionsEndpoint
	case n == 3 && at(1, "status"):
		t.endpoint, t.status = statusEndpoint, parts[2]
	case n >= 3 && at(1, "collections"):
		t.collection = parts[2]
		switch {
		case n == 3:
			t.endpoint = collectionEndpoint
		case n == 4 && at(3, "manifest"):
			t.endpoint = manifestEndpoint
		case n == 4 && at(3, "objects"):
			t.endpoint = objectsEndpoint
		case n == 5 && at(3, "objects"):
			t.endpoint, t.object = objectEndpoint, parts[4]
		case n == 6 && at(3, "objects") && at(5, "versions"):
			t.endpoint, t.object = versionsEndpoint, parts[4]
		}
	}
	return t
}

// ServeHTTP answers one request. Every check that depends on the request
// alone comes before the first look into the store, so that the order of
// checks tells nothing about what is there.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	reader, err := s.cfg.Authenticate(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	t := s.route(r.URL.Path)
	if t.endpoint == noEndpoint {
		s.fail(w, r, ErrNotFound)
		return
	}
	if allowed := methods[t.endpoint]; !slices.Contains(allowed, r.Method) {
		s.fail(w, r, &problem{status: http.StatusMethodNotAllowed, allow: strings.Join(allowed, ", ")})
		return
	}
	if !acceptable(r.Header.Values("Accept")) {
		s.fail(w, r, refuse(http.StatusNotAcceptable, "this server answers in %s; see the Accept header", MediaType))
		return
	}
	switch t.endpoint {
	case discoveryEndpoint:
		err = s.discovery(w, r, reader)
	case rootEndpoint:
		err = s.root(w, r, reader, t)
	case statusEndpoint:
		err = s.status(w, r, reader, t)
	case collectionsEndpoint:
		err = s.collections(w, r, reader, t)
	case collectionEndpoint:
		err = s.collection(w, r, reader, t)
	case objectsEndpoint, objectEndpoint:
		switch r.Method {
		case "POST":
			err = s.add(w, r, reader, t)
		case "DELETE":
			err = s.delete(w, r, reader, t)
		default:
			err = s.page(w, r, reader, t)
		}
	default:
		err = s.page(w, r, reader, t)
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// send writes a whole response.
func (s *Server) send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", MediaType)
	h.Set("Content-Length", itoa(len(body)))
	w.WriteHeader(status)
	// A failed write means that the client has gone: nothing to do about it.
	w.Write(body)
}
