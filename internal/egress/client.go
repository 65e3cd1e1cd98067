package egress

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
)

// NewClient builds an HTTP client that keeps to cfg. The client keeps no cookies. Resolver may be nil. tlsConfig may be nil; when given, its roots and client
// certificates count, its lowest version is raised to 1.2, and a request to skip verification is refused.
func NewClient(cfg Config, resolver Resolver, tlsConfig *tls.Config) (*http.Client, error) {
	cfg = cfg.withDefaults()
	if tlsConfig == nil {
		tlsConfig = &tls.Config{}
	} else {
		tlsConfig = tlsConfig.Clone()
	}
	if tlsConfig.InsecureSkipVerify {
		return nil, errors.New("egress: a client that does not verify its peer is not built")
	}
	tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	tr := &http.Transport{
		Proxy:                  nil, // never from the environment
		DialContext:            NewDialer(cfg, resolver).DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    cfg.TLSTimeout,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		ExpectContinueTimeout:  cfg.HeaderTimeout,
		IdleConnTimeout:        cfg.HeaderTimeout,
		MaxIdleConns:           16,
		MaxConnsPerHost:        8,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	if cfg.Proxy != "" {
		u, err := url.Parse(cfg.Proxy)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, errors.New("egress: the proxy is not an http or https URL")
		}
		tr.Proxy = http.ProxyURL(u)
	}
	return &http.Client{
		Transport: &guarded{cfg: cfg, next: tr},
		Timeout:   cfg.Timeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > cfg.Redirects {
				return fmt.Errorf("%w: more than %d redirects", ErrDenied, cfg.Redirects)
			}
			if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return fmt.Errorf("%w: redirect from https to %s", ErrDenied, req.URL.Scheme)
			}
			if req.URL.Host != via[0].URL.Host {
				// What was meant for one host is not handed to another; the standard client keeps custom headers.
				for name := range req.Header {
					if !harmless[name] {
						req.Header.Del(name)
					}
				}
			}
			return nil
		},
	}, nil
}

// harmless lists the request headers that may follow a redirect to another host.
var harmless = map[string]bool{"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "User-Agent": true, "If-Modified-Since": true, "If-None-Match": true}

// guarded judges each request, redirected ones too, and bounds each body.
type guarded struct {
	cfg  Config
	next *http.Transport
}

func (g *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.judge(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > g.cfg.MaxBody && req.Method != http.MethodHead {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: %w: %d bytes announced, %d allowed", req.URL.Redacted(), ErrTooLarge, resp.ContentLength, g.cfg.MaxBody)
	}
	resp.Body = &limited{ReadCloser: resp.Body, left: g.cfg.MaxBody}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (g *guarded) CloseIdleConnections() { g.next.CloseIdleConnections() }

func (g *guarded) judge(u *url.URL) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && g.cfg.PlainHTTP:
	default:
		return fmt.Errorf("%w: scheme %q", ErrDenied, u.Scheme)
	}
	if u.User != nil {
		return fmt.Errorf("%w: credentials in the address", ErrDenied)
	}
	if g.cfg.Proxy != "" {
		// The proxy dials, so a name is its to judge; a written-out address can still be judged here.
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			return g.cfg.Check(a)
		}
	}
	return nil
}

// limited fails, rather than ends, when the body is too long: a cut document must not pass for a whole one.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
