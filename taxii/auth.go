package taxii

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"sync"
)

// BasicAuth authenticates by HTTP Basic (RFC 7617), which §1.6.9 suggests.
// check returns ErrUnauthorized for a wrong name or password, and should take
// as long for an unknown name as for a wrong password.
func BasicAuth(check func(user, password string) (Reader, error)) func(*http.Request) (Reader, error) {
	return func(r *http.Request) (Reader, error) {
		user, password, ok := r.BasicAuth()
		if !ok {
			return Reader{}, ErrUnauthorized
		}
		return check(user, password)
	}
}

// TokenAuth authenticates by a bearer token (RFC 6750). "Authorization: Token
// …" is accepted too, since the OASIS client sends that.
func TokenAuth(check func(token string) (Reader, error)) func(*http.Request) (Reader, error) {
	return func(r *http.Request) (Reader, error) {
		scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
		token = strings.TrimSpace(token)
		if !ok || token == "" || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Token") {
			return Reader{}, ErrUnauthorized
		}
		return check(token)
	}
}

// ClientCertAuth authenticates by the client's TLS certificate (§8.3.1). Only
// a certificate that the TLS layer has verified counts: the http.Server needs
// tls.Config.ClientAuth of at least VerifyClientCertIfGiven. Behind a proxy
// that ends TLS, write a hook that reads what the proxy passes on.
func ClientCertAuth(check func(*x509.Certificate) (Reader, error)) func(*http.Request) (Reader, error) {
	return func(r *http.Request) (Reader, error) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
			return Reader{}, ErrUnauthorized
		}
		return check(r.TLS.VerifiedChains[0][0])
	}
}

// AnyOf tries hooks in turn. The first that knows the client decides; an
// error other than ErrUnauthorized ends the search.
func AnyOf(hooks ...func(*http.Request) (Reader, error)) func(*http.Request) (Reader, error) {
	return func(r *http.Request) (Reader, error) {
		for _, hook := range hooks {
			reader, err := hook(r)
			if err == nil || !errors.Is(err, ErrUnauthorized) {
				return reader, err
			}
		}
		return Reader{}, ErrUnauthorized
	}
}

// Tokens is a table of bearer tokens for TokenAuth. It keeps only their
// SHA-256 hashes, so a lookup's time says nothing of a token. Tokens must be
// random, of 128 bits or more: a hash hides no password. The zero value is
// empty and ready; it may be changed while in use.
type Tokens struct {
	mu      sync.RWMutex
	readers map[[sha256.Size]byte]Reader
}

// Set admits a token.
func (t *Tokens) Set(token string, r Reader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.readers == nil {
		t.readers = map[[sha256.Size]byte]Reader{}
	}
	t.readers[sha256.Sum256([]byte(token))] = r
}

// Revoke forgets a token.
func (t *Tokens) Revoke(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.readers, sha256.Sum256([]byte(token)))
}

// Check is what TokenAuth wants.
func (t *Tokens) Check(token string) (Reader, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r, ok := t.readers[sha256.Sum256([]byte(token))]
	if !ok {
		return Reader{}, ErrUnauthorized
	}
	return r, nil
}
