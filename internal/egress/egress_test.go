package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	deny := func(addr, why string) {
		t.Helper()
		err := Config{}.Check(netip.MustParseAddr(addr))
		if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want denied as %s", addr, err, why)
		}
	}
	deny("127.0.0.1", "loopback")
	deny("127.255.1.2", "loopback")
	deny("::1", "loopback")
	deny("::ffff:127.0.0.1", "loopback")
	deny("0.0.0.0", "unspecified")
	deny("0.1.2.3", "unspecified")
	deny("::", "unspecified")
	deny("10.1.2.3", "private")
	deny("172.31.255.255", "private")
	deny("192.168.0.1", "private")
	deny("fd12::1", "private")
	deny("fec0::1", "private")
	deny("100.64.0.1", "carrier-grade NAT")
	deny("169.254.1.1", "link-local")
	deny("fe80::1", "link-local")
	deny("fe80::1%eth0", "link-local")
	deny("2606:4700::1%eth0", "link-local")
	deny("224.0.0.1", "multicast")
	deny("ff02::1", "multicast")
	deny("169.254.169.254", "metadata")
	deny("::ffff:169.254.169.254", "metadata")
	deny("100.100.100.200", "metadata")
	deny("fd00:ec2::254", "metadata")
	deny("192.0.2.1", "documentation")
	deny("198.51.100.1", "documentation")
	deny("203.0.113.1", "documentation")
	deny("2001:db8::1", "documentation")
	deny("3fff::1", "documentation")
	deny("198.18.0.1", "benchmarking")
	deny("192.0.0.8", "protocol assignment")
	deny("192.88.99.1", "relay anycast")
	deny("2001::1", "protocol assignment")
	deny("240.0.0.1", "reserved")
	deny("255.255.255.255", "reserved")
	deny("64:ff9b::7f00:1", "translated")
	deny("2002:7f00:1::", "translated")
	deny("::127.0.0.1", "translated")
	deny("4000::1", "reserved")
	for _, ok := range []string{"1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:1.1.1.1"} {
		if err := (Config{}).Check(netip.MustParseAddr(ok)); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	if err := (Config{}).Check(netip.Addr{}); !errors.Is(err, ErrDenied) {
		t.Errorf("no address: %v", err)
	}
}

func TestAllowAndOnly(t *testing.T) {
	p := netip.MustParsePrefix
	f := func(c Config, addr string, want bool) {
		t.Helper()
		if err := c.Check(netip.MustParseAddr(addr)); (err == nil) != want {
			t.Errorf("%+v %s: %v, want allowed %v", c, addr, err, want)
		}
	}
	lan := Config{Allow: []netip.Prefix{p("10.0.0.0/8")}}
	f(lan, "10.9.8.7", true)
	f(lan, "192.168.0.1", false)
	f(lan, "1.1.1.1", true)
	f(Config{Allow: []netip.Prefix{p("0.0.0.0/0")}}, "127.0.0.1", true)
	f(Config{Allow: []netip.Prefix{p("0.0.0.0/0")}}, "169.254.169.254", false)
	f(Config{Allow: []netip.Prefix{p("169.254.0.0/16")}}, "169.254.169.254", false)
	f(Config{Allow: []netip.Prefix{p("169.254.169.254/32")}}, "169.254.169.254", true)
	f(Config{Allow: []netip.Prefix{p("fe80::/10")}}, "fe80::1%eth0", true)
	only := Config{Only: []netip.Prefix{p("1.1.1.0/24"), p("10.0.0.0/8")}}
	f(only, "1.1.1.1", true)
	f(only, "8.8.8.8", false)
	f(only, "10.0.0.1", false)
}

// names is a resolver whose answer may change with each question.
type names func(host string, nth int64) []netip.Addr

type fakeResolver struct {
	answer names
	asked  atomic.Int64
}

func (r *fakeResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	a := r.answer(host, r.asked.Add(1))
	if a == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return a, nil
}

var loop = netip.MustParsePrefix("127.0.0.0/8")

func fixed(addr ...string) *fakeResolver {
	return &fakeResolver{answer: func(string, int64) (out []netip.Addr) {
		for _, a := range addr {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}}
}

func newClient(t *testing.T, c Config, r Resolver, tc *tls.Config) *http.Client {
	t.Helper()
	client, err := NewClient(c, r, tc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func get(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func local() Config {
	return Config{Allow: []netip.Prefix{loop}, PlainHTTP: true, AnyPort: true, Redirects: 3, Timeout: 10 * time.Second}
}

func TestLoopbackOnlyWhenAllowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer s.Close()
	if body, err := get(newClient(t, local(), nil, nil), s.URL); err != nil || body != "hello" {
		t.Errorf("allowed: %q, %v", body, err)
	}
	c := local()
	c.Allow = nil
	if _, err := get(newClient(t, c, nil, nil), s.URL); !errors.Is(err, ErrDenied) {
		t.Errorf("not allowed: %v", err)
	}
	c = local()
	c.AnyPort = false
	if _, err := get(newClient(t, c, nil, nil), s.URL); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "port") {
		t.Errorf("port: %v", err)
	}
	c = local()
	c.PlainHTTP = false
	if _, err := get(newClient(t, c, nil, nil), s.URL); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "scheme") {
		t.Errorf("scheme: %v", err)
	}
	if _, err := get(newClient(t, local(), nil, nil), strings.Replace(s.URL, "http://", "http://user:pass@", 1)); !errors.Is(err, ErrDenied) {
		t.Errorf("credentials: %v", err)
	}
}

func TestRebinding(t *testing.T) {
	var served atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	url := "http://feed.example:" + port
	c := local()
	c.Allow = nil

	// The second answer is loopback: a dialler that resolves again after judging would reach the server.
	turn := &fakeResolver{answer: func(_ string, n int64) []netip.Addr {
		if n == 1 {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}}
	c.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	c.DialTimeout = 50 * time.Millisecond
	if _, err := get(newClient(t, c, turn, nil), url); err == nil {
		t.Error("rebinding reached a server")
	}
	if n := turn.asked.Load(); n != 1 {
		t.Errorf("resolved %d times for one connection", n)
	}
	// A mixed answer is refused whole.
	if _, err := get(newClient(t, c, fixed("192.0.2.1", "127.0.0.1"), nil), url); !errors.Is(err, ErrDenied) {
		t.Errorf("mixed answer: %v", err)
	}
	if n := served.Load(); n != 0 {
		t.Errorf("the server was reached %d times", n)
	}
	// Positive control: the same name, loopback allowed.
	if _, err := get(newClient(t, local(), fixed("127.0.0.1"), nil), url); err != nil || served.Load() != 1 {
		t.Errorf("control: %v, served %d", err, served.Load())
	}
	// A dead first address does not cost the second.
	c = local()
	if _, err := get(newClient(t, c, fixed("127.0.0.2", "127.0.0.1"), nil), url); err != nil {
		t.Errorf("second address: %v", err)
	}
	var dns *net.DNSError
	if _, err := get(newClient(t, c, fixed(), nil), url); !errors.As(err, &dns) {
		t.Errorf("unknown name: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	var header atomic.Value
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header.Store(r.Header.Clone())
		fmt.Fprint(w, "there")
	}))
	defer target.Close()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	defer s.Close()
	to := func(path, where string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, where, http.StatusFound) })
	}
	to("/once", target.URL)
	to("/loop", "/loop")
	to("/private", "http://10.0.0.1/")
	to("/metadata", "http://169.254.169.254/latest")
	to("/file", "file:///etc/passwd")
	to("/creds", strings.Replace(target.URL, "://", "://u:p@", 1))

	c := newClient(t, local(), nil, nil)
	req, _ := http.NewRequest("GET", s.URL+"/once", nil)
	req.Header.Set("Authorization", "Bearer q")
	req.Header.Set("X-Api-Key", "q")
	req.Header.Set("Accept", "text/plain")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	h := header.Load().(http.Header)
	if h.Get("Authorization") != "" || h.Get("X-Api-Key") != "" || h.Get("Accept") != "text/plain" {
		t.Errorf("headers after a redirect to another host: %v", h)
	}
	for _, path := range []string{"/loop", "/private", "/metadata", "/file", "/creds"} {
		if _, err := get(c, s.URL+path); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", path, err)
		}
	}
	none := local()
	none.Redirects = 0
	if _, err := get(newClient(t, none, nil, nil), s.URL+"/once"); !errors.Is(err, ErrDenied) {
		t.Errorf("no redirects: %v", err)
	}
}

func TestBodyLimit(t *testing.T) {
	const limit = 1000
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscan(r.URL.Query().Get("n"), &n)
		if r.URL.Query().Has("chunked") {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(make([]byte, n))
	}))
	defer s.Close()
	cfg := local()
	cfg.MaxBody = limit
	c := newClient(t, cfg, nil, nil)
	for _, q := range []string{"?n=1000", "?n=1000&chunked", "?n=0"} {
		if _, err := get(c, s.URL+q); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
	for _, q := range []string{"?n=1001", "?n=1001&chunked", "?n=500000&chunked"} {
		body, err := get(c, s.URL+q)
		if !errors.Is(err, ErrTooLarge) || len(body) > limit {
			t.Errorf("%s: %d bytes, %v", q, len(body), err)
		}
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "sealed") }))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if body, err := get(newClient(t, local(), nil, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}), s.URL); err != nil || body != "sealed" {
		t.Errorf("1.2: %q, %v", body, err)
	}
	if _, err := get(newClient(t, local(), nil, nil), s.URL); err == nil {
		t.Error("an unknown authority was accepted")
	}
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	roots.AddCert(old.Certificate())
	if _, err := get(newClient(t, local(), nil, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}), old.URL); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("1.1: %v", err)
	}
	if _, err := NewClient(local(), nil, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("a client without verification was built")
	}
}

func TestProxies(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "via "+r.Host) }))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	if tr := newClient(t, local(), nil, nil).Transport.(*guarded).next; tr.Proxy != nil {
		t.Error("a proxy is taken from the environment")
	}
	if body, err := get(newClient(t, local(), fixed("127.0.0.1"), nil), "http://feed.example:"+port); err != nil || body != "via feed.example:"+port {
		t.Errorf("without a proxy: %q, %v", body, err)
	}
	c := local()
	c.Proxy = s.URL
	if body, err := get(newClient(t, c, nil, nil), "http://feed.example/x"); err != nil || body != "via feed.example" {
		t.Errorf("named proxy: %q, %v", body, err)
	}
	if _, err := get(newClient(t, c, nil, nil), "http://169.254.169.254/latest"); !errors.Is(err, ErrDenied) {
		t.Errorf("metadata by a proxy: %v", err)
	}
	c.Proxy = "socks5://127.0.0.1:1"
	if _, err := NewClient(c, nil, nil); err == nil {
		t.Error("an unknown kind of proxy was accepted")
	}
}

func TestTimeout(t *testing.T) {
	hold := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(hold)
	c := local()
	c.HeaderTimeout = 30 * time.Millisecond
	if _, err := get(newClient(t, c, nil, nil), s.URL); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("silent server: %v", err)
	}
}

func TestDialRefusesOtherNetworks(t *testing.T) {
	for _, n := range []string{"udp", "unix", "ip", ""} {
		if _, err := NewDialer(local(), nil).DialContext(t.Context(), n, "127.0.0.1:1"); !errors.Is(err, ErrDenied) {
			t.Errorf("%q: %v", n, err)
		}
	}
	for _, a := range []string{"127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ""} {
		if _, err := NewDialer(local(), nil).DialContext(t.Context(), "tcp", a); err == nil {
			t.Errorf("%q dialled", a)
		}
	}
}
