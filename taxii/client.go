package taxii

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ClientConfig is a client's configuration. URL and HTTP are required; every
// other zero field means its default.
type ClientConfig struct {
	// URL is the server's discovery URL or an API root's. Its origin (scheme,
	// host and port) is the only one that the client talks to.
	URL string
	// HTTP makes the connections: where a request may go, through which proxy
	// and with which client certificate is the caller's to decide. Its
	// CheckRedirect is replaced: only redirects within the origin are followed.
	HTTP *http.Client
	// Authorize adds credentials to a request; see BasicCredentials and
	// TokenCredentials. Nil means none.
	Authorize func(*http.Request) error
	// PlainHTTP allows http URLs. §8.5.1 wants https; this is for tests and
	// for servers on the same machine.
	PlainHTTP bool
	// UserAgent defaults to "vigil-taxii/1".
	UserAgent string

	// MaxPageBytes is the longest page taken, after decompression; default
	// 64 MiB. Other answers may have 16 MiB.
	MaxPageBytes int64
	// Limits bound the envelope in a page.
	Limits Limits
	// RequestTimeout bounds one attempt, its body included; default 2 minutes.
	RequestTimeout time.Duration
	// Attempts is how often a request is tried in all on 429, 500, 502, 503,
	// 504 and broken connections; default 5.
	Attempts int
	// Backoff is the first wait between attempts, doubled each time up to 30
	// times itself, with jitter; default 1 s. MaxWait is the longest
	// Retry-After obeyed by waiting; a longer one ends the request with a
	// StatusError that holds it. Default 2 minutes.
	Backoff, MaxWait time.Duration
	// Pace is the least time between two pages; default none.
	Pace time.Duration

	// Sleep waits, or returns early with the context's error. Default: a timer.
	Sleep func(context.Context, time.Duration) error
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Client talks to one TAXII 2.1 server. It is safe for concurrent use.
type Client struct {
	cfg  ClientConfig
	base *url.URL
	http *http.Client
}

// Errors of a client that a caller may tell apart.
var (
	// ErrForeign: the server named a URL at another origin. It is not followed,
	// lest credentials go there; make another Client if it is to be trusted.
	ErrForeign = errors.New("taxii: URL at another origin")
	// ErrStuck: the server says that more follows but not how to get there.
	ErrStuck = errors.New("taxii: server offers more but no way to reach it")
	// ErrTooLong: an answer is longer than the limit.
	ErrTooLong = errors.New("taxii: answer is too long")
)

// StatusError is an answer that is not a success.
type StatusError struct {
	Code       int
	Message    ErrorMessage  // empty if the server sent none
	RetryAfter time.Duration // zero if the server named none
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("taxii: server answered %d %s", e.Code, http.StatusText(e.Code))
	for _, t := range []string{e.Message.Title, e.Message.Description} {
		if t != "" {
			s += fmt.Sprintf(": %.200q", t)
		}
	}
	return s
}

// NewClient checks the configuration and makes a client of it.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.HTTP == nil {
		return nil, errors.New("taxii: no http.Client")
	}
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("taxii: server URL: %w", err)
	}
	if base.Host == "" || base.Scheme != "https" && !(cfg.PlainHTTP && base.Scheme == "http") {
		return nil, fmt.Errorf("taxii: server URL %q is not an https URL", base.Redacted())
	}
	if base.User != nil {
		return nil, errors.New("taxii: server URL holds credentials; use Authorize")
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
		base.RawPath = ""
	}
	base.RawQuery, base.Fragment = "", ""
	if cfg.UserAgent == "" {
		cfg.UserAgent = "vigil-taxii/1"
	}
	cfg.MaxPageBytes = positive(cfg.MaxPageBytes, 64<<20)
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.RequestTimeout = positive(cfg.RequestTimeout, 2*time.Minute)
	cfg.Attempts = positive(cfg.Attempts, 5)
	cfg.Backoff = positive(cfg.Backoff, time.Second)
	cfg.MaxWait = positive(cfg.MaxWait, 2*time.Minute)
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Client{cfg: cfg, base: base}
	h := *cfg.HTTP
	h.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("taxii: too many redirects")
		}
		if !c.own(r.URL) {
			return fmt.Errorf("%w: redirect to %s://%s", ErrForeign, r.URL.Scheme, r.URL.Host)
		}
		if r.Method != via[0].Method {
			// 301 and 302 turn POST and DELETE into GET.
			return fmt.Errorf("taxii: redirect would turn %s into %s", via[0].Method, r.Method)
		}
		return nil
	}
	c.http = &h
	return c, nil
}

// own reports whether u is at the client's origin.
func (c *Client) own(u *url.URL) bool {
	return u.Scheme == c.base.Scheme && strings.EqualFold(u.Host, c.base.Host) && u.User == nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// BasicCredentials is HTTP Basic (RFC 7617), which every client must have
// (§8.5.1).
func BasicCredentials(user, password string) func(*http.Request) error {
	return func(r *http.Request) error {
		r.SetBasicAuth(user, password)
		return nil
	}
}

// TokenCredentials is a bearer token (RFC 6750).
func TokenCredentials(token string) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

// reply is a whole answer.
type reply struct {
	header http.Header
	body   []byte
}

// smallAnswer is the longest answer other than a page, in bytes: a status
// names each of up to 50,000 objects.
const smallAnswer = 16 << 20

// do sends a request, with retries, and reads the answer. Every TAXII request
// may be repeated safely: adding an exact duplicate is no error (§5.5).
func (c *Client) do(ctx context.Context, method string, u *url.URL, body []byte, limit int64) (*reply, error) {
	if !c.own(u) {
		return nil, fmt.Errorf("%w: %s://%s", ErrForeign, u.Scheme, u.Host)
	}
	wait := c.cfg.Backoff
	for attempt := 1; ; attempt++ {
		rep, err := c.once(ctx, method, u, body, limit)
		if err == nil {
			return rep, nil
		}
		var status *StatusError
		again := !errors.Is(err, ErrForeign) && !errors.Is(err, ErrTooLong)
		pause := wait/2 + rand.N(wait/2+1)
		if errors.As(err, &status) {
			switch status.Code {
			case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
				http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			default:
				again = false
			}
			if status.RetryAfter > c.cfg.MaxWait {
				again = false
			}
			pause = max(pause, status.RetryAfter)
		}
		if !again || attempt >= c.cfg.Attempts || ctx.Err() != nil {
			return nil, err
		}
		if serr := c.cfg.Sleep(ctx, pause); serr != nil {
			return nil, fmt.Errorf("taxii: waiting to try again: %w (last: %w)", serr, err)
		}
		wait = min(2*wait, 30*c.cfg.Backoff)
	}
}

func (c *Client) once(ctx context.Context, method string, u *url.URL, body []byte, limit int64) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", MediaType)
	r.Header.Set("User-Agent", c.cfg.UserAgent)
	if body == nil {
		r.Body = nil
	} else {
		r.Header.Set("Content-Type", MediaType)
	}
	if c.cfg.Authorize != nil {
		if err := c.cfg.Authorize(r); err != nil {
			return nil, fmt.Errorf("taxii: credentials: %w", err)
		}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("taxii: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		e := &StatusError{Code: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.cfg.Now())}
		if text, _ := readLimited(resp, 64<<10); text != nil {
			_ = json.Unmarshal(text, &e.Message) // an error resource, or whatever a proxy says
		}
		return nil, e
	}
	data, err := readLimited(resp, limit)
	if err != nil {
		return nil, err
	}
	return &reply{resp.Header, data}, nil
}

// readLimited reads a body of at most limit bytes, counted after
// decompression.
func readLimited(resp *http.Response, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if n > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLong, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("taxii: reading the answer: %w", err)
	}
	return buf.Bytes(), nil
}

// retryAfter reads a Retry-After header: seconds or an HTTP date.
func retryAfter(h string, now time.Time) time.Duration {
	if h == "" {
		return 0
	}
	if n, ok := digits(h); ok && len(h) < 10 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(h); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// resource gets a small resource and decodes it into v.
func (c *Client) resource(ctx context.Context, method string, u *url.URL, body []byte, v any) error {
	rep, err := c.do(ctx, method, u, body, smallAnswer)
	if err != nil {
		return err
	}
	return decode(rep, v)
}

func decode(rep *reply, v any) error {
	if err := json.Unmarshal(rep.body, v); err != nil {
		return fmt.Errorf("taxii: the answer (%.60q) is not the resource that was asked for: %w", rep.header.Get("Content-Type"), err)
	}
	return nil
}

// below returns the URL of a path below root, each segment escaped, with the
// slash at the end that §3.1 wants.
func (c *Client) below(root string, query url.Values, segments ...string) (*url.URL, error) {
	u, err := c.base.Parse(root)
	if err != nil {
		return nil, fmt.Errorf("taxii: API root: %w", err)
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/") + "/"
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return nil, fmt.Errorf("taxii: %q can't be part of a path", s)
		}
		path += url.PathEscape(s) + "/"
	}
	u.RawPath = path
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, fmt.Errorf("taxii: API root: %w", err)
	}
	u.RawQuery = query.Encode()
	u.Fragment = ""
	return u, nil
}
