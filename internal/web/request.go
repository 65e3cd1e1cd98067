package web

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/web/ui"
)

// Request is one request of one person, with their view and the sheet that their answer is written on.
type Request struct {
	*http.Request
	Who access.Principal

	s     *Server
	w     http.ResponseWriter
	view  *store.View
	sheet *marking.Sheet
	route Route
	out   bytes.Buffer
	code  int
	sent  bool
}

func (rq *Request) status() int {
	if rq.code == 0 {
		return http.StatusOK
	}
	return rq.code
}

// open puts a released value on the request's sheet.
func open[T any](rq *Request, r marking.Released[T]) T { return marking.Open(rq.sheet, r) }

// openAll opens a list.
func openAll[T any](rq *Request, rs []marking.Released[T]) []T {
	out := make([]T, len(rs))
	for i, r := range rs {
		out[i] = open(rq, r)
	}
	return out
}

// redirect sends the browser on with a GET.
func (rq *Request) redirect(to string) {
	rq.sent = true
	rq.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(rq.w, rq.Request, to, http.StatusSeeOther)
}

const flashCookie = "vigil-said"

// done goes to a page that will say what was done.
func (rq *Request) done(to, said string) error {
	http.SetCookie(rq.w, &http.Cookie{Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString([]byte(said)), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 60, Secure: rq.TLS != nil})
	rq.redirect(to)
	return nil
}

func (rq *Request) said() *ui.Toast {
	c, err := rq.Cookie(flashCookie)
	if err != nil {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(b) > 500 {
		return nil
	}
	http.SetCookie(rq.w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true})
	return &ui.Toast{Text: string(b)}
}

// absent are the places whose function is not in this edition.
var absent = map[ui.Place]bool{ui.PlaceStrategy: true, ui.PlaceAttribution: true, ui.PlaceDecisions: true, ui.PlacePartners: true}

// Frame is what surrounds the page. It is made last, when everything that stands on the page has been opened.
func (rq *Request) Frame(at ui.Place) ui.Frame {
	now := rq.s.Store.Now()
	f := ui.Frame{At: at, Now: now, Absent: absent, Exercise: rq.s.Exercise, Path: rq.URL.RequestURI(), Query: rq.URL.Query().Get("q"), Toast: rq.said()}
	if rq.s.Local != nil {
		f.Local = now.In(rq.s.Local).Format("15:04") + " " + rq.s.Place
	}
	if rq.s.Exercise != "" {
		f.Rehearse = "rehearsal, same machine"
	}
	if c, err := rq.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		f.Theme = c.Value
	}
	if w := rq.s.Log.Witnessed(); true {
		f.Witness = ui.Witness{Have: w.Have, Need: w.Need, Last: w.Newest, Trouble: w.Alarm}
	}
	if rq.Who.Person != "" {
		f.You = ui.You{ID: rq.Who.Person, Name: rq.Who.Name, Role: rq.Who.Role.String(), Body: rq.s.bodyName(rq.Who.Body)}
		f.Badges = rq.badges()
	}
	f.Marking = markOf(rq.sheet.Label())
	return f
}

// badges counts what waits at the places, within what the person may see and do.
func (rq *Request) badges() map[ui.Place]ui.Badge {
	b := map[ui.Place]ui.Badge{}
	if rq.view == nil {
		return b // refused before there was anything to read
	}
	if rq.Who.May(access.DetectionRead) {
		if n, err := detect.CountFindings(rq.Context(), rq.view, detect.Query{State: "open"}); err == nil && n > 0 {
			b[ui.PlaceDetections] = ui.Badge{Count: count(n)}
		}
	}
	if rq.Who.May(access.IncidentRead) {
		if n, err := incident.CountOpen(rq.Context(), rq.view); err == nil && n > 0 {
			b[ui.PlaceIncidents] = ui.Badge{Count: count(n), Tone: ui.Bad}
		}
	}
	return b
}

func count(n int) ui.Count {
	if n >= store.CountLimit {
		return ui.Count{N: int64(store.CountLimit), AtLeast: true}
	}
	return ui.Count{N: int64(n)}
}

// markOf says a label in the pages' words.
func markOf(l marking.Label) ui.Marking {
	return ui.Marking{TLP: strings.TrimPrefix(l.TLP().String(), "TLP:"), PAP: strings.TrimPrefix(l.PAP().String(), "PAP:"), Held: l.Held() || !l.Valid()}
}

func (s *Server) bodyName(id string) string {
	if id == marking.Own {
		id = s.Register.House()
	}
	return s.Directory.BodyName(id)
}

func escapeQuery(s string) string { return url.QueryEscape(s) }

func isMultipart(r *http.Request) bool {
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t == "multipart/form-data"
}

// local keeps a "next" address on this site.
func local(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}

// with gives the request's own address with some query values changed; an empty value leaves one out.
func (rq *Request) with(pairs ...string) string {
	q := rq.URL.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return rq.URL.Path
	}
	return rq.URL.Path + "?" + q.Encode()
}
