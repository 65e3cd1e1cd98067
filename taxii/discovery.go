package taxii

import (
	"net/http"
	"net/url"
)

// Discovery is the discovery resource (§4.1.1).
type Discovery struct {
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Contact     string   `json:"contact,omitempty"`
	Default     string   `json:"default,omitempty"`
	APIRoots    []string `json:"api_roots,omitempty"`
}

// discovery answers GET /taxii2/ with the roots that the reader may know.
func (s *Server) discovery(w http.ResponseWriter, r *http.Request, reader Reader) error {
	roots, err := s.store.Roots(r.Context(), reader)
	if err != nil {
		return err
	}
	urls, first := make([]string, len(roots)), ""
	for i, root := range roots {
		urls[i] = s.cfg.PublicURL + url.PathEscape(root.Name) + "/"
		if root.Name == s.cfg.DefaultRoot {
			first = urls[i]
		}
	}
	m := members{b: []byte{'{'}}
	m.text("title", s.cfg.Title)
	m.optional("description", s.cfg.Description)
	m.optional("contact", s.cfg.Contact)
	m.optional("default", first)
	m.texts("api_roots", urls)
	s.send(w, http.StatusOK, append(m.b, '}'))
	return nil
}
