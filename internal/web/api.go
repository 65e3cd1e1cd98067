package web

// apiRoutes are the doors for programs beside the one for events.
func (s *Server) apiRoutes() []Route { return nil }
