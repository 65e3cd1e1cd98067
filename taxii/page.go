package taxii

import (
	"context"
	"net/http"
)

// matchFields are the match fields of each endpoint that pages (§5.3 to §5.8).
var matchFields = map[endpoint][]string{
	manifestEndpoint: {"id", "type", "version", "spec_version"},
	objectsEndpoint:  {"id", "type", "version", "spec_version"},
	objectEndpoint:   {"version", "spec_version"},
	versionsEndpoint: {"spec_version"},
}

// page answers the four endpoints that page: objects, one object, manifest
// and versions. A page is built in one buffer, bounded by MaxPageBytes and
// one object, before its first byte leaves: its headers name its last stamp,
// and a slow client must not hold the store's read transaction open.
func (s *Server) page(w http.ResponseWriter, r *http.Request, reader Reader, t target) error {
	ctx := r.Context()
	q, err := parseQuery(r.URL.RawQuery, matchFields[t.endpoint], false, s.cfg.PageSize, s.cfg.MaxPageSize)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	c, err := s.find(ctx, reader, t)
	if err != nil {
		return err
	}
	if !c.CanRead {
		return ErrForbidden
	}
	q.Root, q.Collection = t.root, c.ID
	if t.object != "" {
		q.IDs = []string{t.object}
	}
	if t.endpoint == versionsEndpoint {
		q.Versions.All = true
	}
	q.Bodies = t.endpoint == objectsEndpoint || t.endpoint == objectEndpoint
	if q.next != "" {
		at, err := openCursor(q.next, s.keys, reader.Key, t.endpoint, t.object, &q.Query)
		if err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
		q.From = max(q.From, at)
	}

	buf := s.buffer()
	defer s.release(buf)
	p := pageWriter{kind: t.endpoint, b: append((*buf)[:0], '{'), served: s.cfg.Served != nil}
	err = s.fill(ctx, reader, &q.Query, &p)
	*buf = p.b
	if err != nil {
		return err
	}
	if p.n == 0 && t.object != "" {
		if there, err := s.exists(ctx, reader, q, t.endpoint); err != nil || !there {
			return firstError(err, ErrNotFound)
		}
	}
	if p.n == 0 {
		// No object, but §3.2 wants the headers on every success. The place
		// where the client already is: it may pass that as added_after.
		p.first, p.last = q.From, q.From
	} else {
		m := members{b: append(p.b, ']'), comma: true}
		m.flag("more", p.more)
		if p.more {
			m.name("next")
			m.b = append(m.b, '"')
			m.b = appendCursor(m.b, s.keys[0], reader.Key, t.endpoint, t.object, &q.Query, p.last)
			m.b = append(m.b, '"')
		}
		p.b = m.b
	}
	p.b = append(p.b, '}')
	*buf = p.b
	if s.cfg.Served != nil && p.n > 0 {
		if err := s.cfg.Served(ctx, reader, &Served{Root: q.Root, Collection: q.Collection, Bodies: q.Bodies, Items: p.refs}); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("X-TAXII-Date-Added-First", p.first.String())
	h.Set("X-TAXII-Date-Added-Last", p.last.String())
	s.send(w, http.StatusOK, p.b)
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// fill reads one page and looks one item ahead, to know whether more follow.
func (s *Server) fill(ctx context.Context, reader Reader, q *Query, p *pageWriter) error {
	limit := q.Limit
	ask := *q
	ask.Limit++
	for it, err := range s.store.Items(ctx, reader, &ask) {
		if err != nil {
			return err
		}
		if p.n == limit || len(p.b) >= s.cfg.MaxPageBytes {
			p.more = true
			return nil
		}
		p.item(it)
	}
	return ctx.Err()
}

// exists decides between "not found" and "nothing matches" for a path that
// names an object (§5.6): a path with filters that exclude every version is
// an empty envelope, but an object that has no version the reader may see is
// not found, and neither is an exact version that is not there (§5.7).
func (s *Server) exists(ctx context.Context, reader Reader, q *query, kind endpoint) (bool, error) {
	if !q.filtered || q.exact && kind == objectEndpoint {
		return false, nil
	}
	any := &Query{Root: q.Root, Collection: q.Collection, IDs: q.IDs, SpecVersions: []string{"2.0", "2.1"}, Versions: Versions{All: true}, Limit: 1}
	for _, err := range s.store.Items(ctx, reader, any) {
		return err == nil, err
	}
	return false, nil
}

// pageWriter appends items in the form of their endpoint.
type pageWriter struct {
	kind        endpoint
	b           []byte
	n           int
	first, last Stamp
	more        bool
	served      bool
	refs        []Ref
}

func (p *pageWriter) item(it *Item) {
	if p.n > 0 {
		p.b = append(p.b, ',')
	} else {
		p.first = it.Added
		if p.kind == versionsEndpoint {
			p.b = append(p.b, `"versions":[`...)
		} else {
			p.b = append(p.b, `"objects":[`...)
		}
	}
	p.n++
	p.last = it.Added
	switch p.kind {
	case versionsEndpoint:
		p.b = appendString(p.b, it.Version)
	case manifestEndpoint:
		m := members{b: append(p.b, '{')}
		m.text("id", it.ID)
		m.name("date_added")
		m.b = append(m.b, '"')
		m.b = it.Added.Append(m.b)
		m.b = append(m.b, '"')
		m.text("version", it.Version)
		m.text("media_type", "application/stix+json;version="+it.SpecVersion)
		p.b = append(m.b, '}')
	default:
		p.b = append(p.b, it.Body...)
	}
	if p.served {
		p.refs = append(p.refs, Ref{it.ID, it.Version, it.Added})
	}
}

// buffer takes a page buffer from the pool.
func (s *Server) buffer() *[]byte {
	if b, ok := s.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 64<<10)
	return &b
}

// release gives it back, unless a single huge object made it so.
func (s *Server) release(b *[]byte) {
	if cap(*b) <= 2*s.cfg.MaxPageBytes {
		s.buffers.Put(b)
	}
}
