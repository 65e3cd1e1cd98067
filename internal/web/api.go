package web

import "vigil/internal/web/api"

// apiRoutes are the doors for programs, each as the API's own table has it, and whatever else lies under its root. They
// find out who asks and answer by themselves.
func (s *Server) apiRoutes() []Route {
	h := api.New(api.Deps{Store: s.Store, Directory: s.Directory, Log: s.Log, Register: s.Register, Detector: s.Detector, Desk: s.Desk, Intel: s.Intel})
	return []Route{{Pattern: "/api/", raw: h}}
}
