package taxii

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// add answers POST {api-root}/collections/{id}/objects/ (§5.5).
func (s *Server) add(w http.ResponseWriter, r *http.Request, reader Reader, t target) error {
	if !postable(r.Header.Get("Content-Type")) || r.Header.Get("Content-Encoding") != "" {
		return refuse(http.StatusUnsupportedMediaType, "send an envelope as %s, not encoded further", MediaType)
	}
	if r.ContentLength > s.cfg.MaxContentLength {
		return s.tooLarge()
	}
	c, err := s.find(r.Context(), reader, t)
	if err != nil {
		return err
	}
	if !c.CanWrite {
		return ErrForbidden
	}
	// A refused body is not read to its end: net/http then closes the
	// connection by itself.
	received := s.cfg.Now()
	body, err := s.body(w, r)
	if err != nil {
		return err
	}
	env, err := parseEnvelope(body, s.cfg.Limits)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	if len(env.objects) == 0 {
		return refuse(http.StatusUnprocessableEntity, "the envelope has no objects")
	}
	status, err := s.store.Add(r.Context(), reader, &Submission{
		ID: newUUID(), Root: t.root, Collection: c.ID, Received: received, Objects: env.objects,
	})
	if err != nil {
		return err
	}
	s.send(w, http.StatusAccepted, status.append(nil))
	return nil
}

func (s *Server) tooLarge() error {
	p := refuse(http.StatusRequestEntityTooLarge, "the body is longer than max_content_length, %d bytes", s.cfg.MaxContentLength)
	p.close = true
	return p
}

// body reads a request body, in turn, within MaxContentLength and
// UploadTimeout.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.UploadTimeout)
	defer cancel()
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	case <-ctx.Done():
		return nil, ErrBusy
	}
	// Recorders in tests have no deadline to set; then none holds.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.UploadTimeout))
	var buf bytes.Buffer
	// What a client promises is believed up to a megabyte.
	buf.Grow(int(min(max(r.ContentLength, 0), 1<<20)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, s.cfg.MaxContentLength))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, s.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &problem{status: http.StatusRequestTimeout, detail: "the body took too long to arrive", close: true}
	case errors.Is(err, io.ErrUnexpectedEOF) || err != nil:
		return nil, &problem{status: http.StatusBadRequest, detail: "the body could not be read", close: true}
	}
	return buf.Bytes(), nil
}

// delete answers DELETE {api-root}/collections/{id}/objects/{object-id}/
// (§5.7). Without match[version] the whole object goes, all its versions:
// otherwise the object could still be fetched afterwards.
func (s *Server) delete(w http.ResponseWriter, r *http.Request, reader Reader, t target) error {
	q, err := parseQuery(r.URL.RawQuery, matchFields[objectEndpoint], true, 1, 1)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	c, err := s.find(r.Context(), reader, t)
	if err != nil {
		return err
	}
	if !c.CanRead || !c.CanWrite {
		return ErrForbidden
	}
	q.Root, q.Collection, q.IDs = t.root, c.ID, []string{t.object}
	if v := &q.Versions; !v.First && !v.Last && len(v.At) == 0 {
		v.All = true
		if len(q.SpecVersions) == 0 {
			q.SpecVersions = []string{"2.0", "2.1"}
		}
	}
	n, err := s.store.Delete(r.Context(), reader, &q.Query)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	s.send(w, http.StatusOK, nil)
	return nil
}

// newUUID returns a random (version 4) UUID, as §2 wants identifiers.
func newUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
