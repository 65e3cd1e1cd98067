package web

import "vigil/internal/web/api"

// apiRoutes are the doors for programs: each stands in the table as the API has it, and whatever else is asked for under
// its root goes there too. The API finds out who asks, checks the action and answers by itself.
func (s *Server) apiRoutes() []Route {
	h := api.New(api.Deps{Store: s.Store, Directory: s.Directory, Log: s.Log, Register: s.Register, Detector: s.Detector, Desk: s.Desk, Intel: s.Intel})
	out := []Route{{Pattern: "/api/", raw: h}}
	for _, r := range api.Routes() {
		out = append(out, Route{Pattern: r.Method + " " + r.Path, Action: r.Action, raw: h})
	}
	return out
}
