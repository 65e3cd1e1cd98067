package taxii

import "net/http"

// RootInfo is the API root resource (§4.2.1).
type RootInfo struct {
	Title            string   `json:"title"`
	Description      string   `json:"description,omitempty"`
	Versions         []string `json:"versions"`
	MaxContentLength int64    `json:"max_content_length"`
}

// root answers GET {api-root}/.
func (s *Server) root(w http.ResponseWriter, r *http.Request, reader Reader, t target) error {
	root, err := s.store.Root(r.Context(), reader, t.root)
	if err != nil {
		return err
	}
	m := members{b: []byte{'{'}}
	m.text("title", root.Title)
	m.optional("description", root.Description)
	m.texts("versions", []string{MediaType})
	m.number("max_content_length", s.cfg.MaxContentLength)
	s.send(w, http.StatusOK, append(m.b, '}'))
	return nil
}
