package taxii

import (
	"context"
	"net/http"
)

// collections answers GET {api-root}/collections/ (§5.1).
func (s *Server) collections(w http.ResponseWriter, r *http.Request, reader Reader, t target) error {
	list, err := s.store.Collections(r.Context(), reader, t.root)
	if err != nil {
		return err
	}
	b, n := []byte{'{'}, 0
	for i := range list {
		if !list[i].CanRead && !list[i].CanWrite {
			continue
		}
		if n++; n == 1 {
			b = append(b, `"collections":[`...)
		} else {
			b = append(b, ',')
		}
		b = list[i].append(b)
	}
	if n > 0 { // §5.1.1: an empty list is left out
		b = append(b, ']')
	}
	s.send(w, http.StatusOK, append(b, '}'))
	return nil
}

// collection answers GET {api-root}/collections/{id}/ (§5.2).
func (s *Server) collection(w http.ResponseWriter, r *http.Request, reader Reader, t target) error {
	c, err := s.find(r.Context(), reader, t)
	if err != nil {
		return err
	}
	s.send(w, http.StatusOK, c.append(nil))
	return nil
}

// find looks a collection up. One that the reader can neither read nor write
// is not there (§5.7 says so for DELETE; elsewhere it is a choice).
func (s *Server) find(ctx context.Context, reader Reader, t target) (Collection, error) {
	c, err := s.store.Collection(ctx, reader, t.root, t.collection)
	if err == nil && !c.CanRead && !c.CanWrite {
		err = ErrNotFound
	}
	return c, err
}

func (c *Collection) append(b []byte) []byte {
	m := members{b: append(b, '{')}
	m.text("id", c.ID)
	m.text("title", c.Title)
	m.optional("description", c.Description)
	m.optional("alias", c.Alias)
	m.flag("can_read", c.CanRead)
	m.flag("can_write", c.CanWrite)
	types := c.MediaTypes
	if len(types) == 0 {
		types = []string{STIXMediaType}
	}
	m.texts("media_types", types)
	return append(m.b, '}')
}
