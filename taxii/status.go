package taxii

import "net/http"

// StatusResource is the status resource (§4.3.1) as it is on the wire.
type StatusResource struct {
	ID               string    `json:"id"`
	Status           string    `json:"status"` // "complete" or "pending"
	RequestTimestamp string    `json:"request_timestamp,omitempty"`
	TotalCount       int       `json:"total_count"`
	SuccessCount     int       `json:"success_count"`
	Successes        []Verdict `json:"successes,omitempty"`
	FailureCount     int       `json:"failure_count"`
	Failures         []Verdict `json:"failures,omitempty"`
	PendingCount     int       `json:"pending_count"`
	Pendings         []Verdict `json:"pendings,omitempty"`
}

// Complete reports whether the server will change the status no more.
func (s *StatusResource) Complete() bool { return s.Status == "complete" }

// status answers GET {api-root}/status/{status-id}/ (§4.3).
func (s *Server) status(w http.ResponseWriter, r *http.Request, reader Reader, t target) error {
	if !validUUID(t.status) {
		return ErrNotFound
	}
	status, err := s.store.Status(r.Context(), reader, t.root, t.status)
	if err != nil {
		return err
	}
	s.send(w, http.StatusOK, status.append(nil))
	return nil
}

func (s *Status) append(b []byte) []byte {
	if b == nil {
		b = make([]byte, 0, 256+128*s.Total())
	}
	state := "complete"
	if !s.Complete() {
		state = "pending"
	}
	m := members{b: append(b, '{')}
	m.text("id", s.ID)
	m.text("status", state)
	m.text("request_timestamp", StampOf(s.Received).String())
	m.number("total_count", int64(s.Total()))
	m.number("success_count", int64(len(s.Successes)))
	m.verdicts("successes", s.Successes)
	m.number("failure_count", int64(len(s.Failures)))
	m.verdicts("failures", s.Failures)
	m.number("pending_count", int64(len(s.Pendings)))
	m.verdicts("pendings", s.Pendings)
	return append(m.b, '}')
}

func (m *members) verdicts(name string, list []Verdict) {
	if len(list) == 0 {
		return
	}
	m.name(name)
	for i := range list {
		v := members{b: append(m.b, "[,"[min(i, 1)], '{')}
		v.text("id", list[i].ID)
		v.text("version", list[i].Version)
		v.optional("message", list[i].Message)
		m.b = append(v.b, '}')
	}
	m.b = append(m.b, ']')
}
