package web

import (
	"slices"

	"vigil/internal/access"
	"vigil/internal/web/assets"
	"vigil/internal/web/ui"
)

// table is every address. A test walks it: a new route without a case there fails.
func (s *Server) table() []Route {
	place := func(p ui.Place) func(*Request) error { return func(rq *Request) error { return rq.notBuilt(p) } }
	return slices.Concat([]Route{
		{Pattern: "GET /{$}", Action: access.SituationRead, handle: (*Request).situation},
		{Pattern: "GET /strategy", Action: access.SituationRead, handle: place(ui.PlaceStrategy)},
		{Pattern: "GET /attribution", Action: access.SituationRead, handle: place(ui.PlaceAttribution)},
		{Pattern: "GET /decisions", Action: access.SituationRead, handle: place(ui.PlaceDecisions)},
		{Pattern: "GET /partners", Action: access.SituationRead, handle: place(ui.PlacePartners)},

		{Pattern: "GET /detections", Action: access.DetectionRead, handle: (*Request).detections},
		{Pattern: "GET /detections/{id}", Action: access.DetectionRead, handle: (*Request).finding},
		{Pattern: "POST /detections/bulk", Action: access.FindingJudge, handle: (*Request).judgeMany},
		{Pattern: "POST /detections/{id}/act", Action: access.FindingJudge, handle: (*Request).judge},
		{Pattern: "GET /rules", Action: access.DetectionRead, handle: (*Request).rules},
		{Pattern: "GET /rules/{id}", Action: access.DetectionRead, handle: (*Request).rule},

		{Pattern: "GET /oversight", Action: access.RecordRead, handle: (*Request).oversight},
		{Pattern: "GET /oversight/export", Action: access.RecordRead, handle: (*Request).exportLedger},
		{Pattern: "GET /oversight/{seq}", Action: access.RecordRead, handle: (*Request).entry},
		{Pattern: "GET /oversight/{seq}/receipt", Action: access.RecordRead, handle: (*Request).receipt},

		{Pattern: "GET /sources", Action: access.SourceRead, handle: (*Request).sources},
		{Pattern: "POST /sources", Action: access.SourceRegister, handle: (*Request).addSource},
		{Pattern: "GET /sources/{id}", Action: access.SourceRead, handle: (*Request).source},
		{Pattern: "POST /sources/{id}/state", Action: access.SourceChange, handle: (*Request).changeSource},

		{Pattern: "GET " + assets.Prefix, raw: assets.Handler()},
		{Pattern: "/api/v1/events", raw: s.Gateway},
	}, s.doorRoutes(), s.incidentRoutes(), s.peopleRoutes(), s.liveRoutes(), s.intelRoutes(), s.apiRoutes())
}
