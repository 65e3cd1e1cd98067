package taxii

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
)

// ErrorMessage is TAXII's error resource (§3.6.1).
type ErrorMessage struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	ErrorID     string `json:"error_id,omitempty"`
	ErrorCode   string `json:"error_code,omitempty"`
	HTTPStatus  string `json:"http_status,omitempty"`
}

// problem is an answer that is not a success.
type problem struct {
	status int
	detail string // tells the client what to change; never what is hidden
	allow  string // for 405
	close  bool   // the body was not read to its end
}

func (p *problem) Error() string {
	return fmt.Sprintf("%d %s: %s", p.status, http.StatusText(p.status), p.detail)
}

func refuse(status int, format string, args ...any) *problem {
	return &problem{status: status, detail: fmt.Sprintf(format, args...)}
}

// fail answers with an error resource. It is the one place where errors
// become statuses.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := &problem{}
	id := ""
	switch {
	case errors.As(err, &p):
	case errors.Is(err, ErrNotFound):
		p.status = http.StatusNotFound
	case errors.Is(err, ErrForbidden):
		p.status = http.StatusForbidden
	case errors.Is(err, ErrUnauthorized):
		p.status = http.StatusUnauthorized
	case errors.Is(err, ErrBusy):
		p.status = http.StatusServiceUnavailable
	default:
		if r.Context().Err() != nil && errors.Is(err, context.Cause(r.Context())) {
			return // the client has gone
		}
		p.status = http.StatusInternalServerError
		var random [8]byte
		rand.Read(random[:])
		id = hex.EncodeToString(random[:])
		s.log.ErrorContext(r.Context(), "taxii request failed", "error_id", id, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h := w.Header()
	switch p.status {
	case http.StatusUnauthorized:
		for _, c := range s.challenges {
			h.Add("WWW-Authenticate", c)
		}
	case http.StatusMethodNotAllowed:
		h.Set("Allow", p.allow)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	if p.close {
		h.Set("Connection", "close")
	}
	m := members{b: []byte{'{'}}
	m.text("title", http.StatusText(p.status))
	m.optional("description", p.detail)
	m.optional("error_id", id)
	m.text("http_status", itoa(p.status))
	s.send(w, p.status, append(m.b, '}'))
}
