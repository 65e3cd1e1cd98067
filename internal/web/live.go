package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/store"
	"vigil/internal/web/ui"
)

// listeners bounds the live streams of one person.
type listeners struct {
	mu sync.Mutex
	n  map[string]int
}

const (
	maxListeners = 8
	heartbeat    = 20 * time.Second
	liveTerm     = 30 * time.Minute // then the browser asks again, and is asked again who it is
)

func (l *listeners) enter(person string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == nil {
		l.n = map[string]int{}
	}
	if l.n[person] >= maxListeners {
		return false
	}
	l.n[person]++
	return true
}

func (l *listeners) leave(person string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n[person]--; l.n[person] <= 0 {
		delete(l.n, person)
	}
}

func (s *Server) liveRoutes() []Route {
	return []Route{
		{Pattern: "GET /live/detections", Action: access.DetectionRead, handle: func(rq *Request) error {
			return rq.live("/detections", func(ctx context.Context, v *store.View) (int, error) {
				return detect.CountFindings(ctx, v, detect.Query{})
			})
		}},
		{Pattern: "GET /live/incidents", Action: access.IncidentRead, handle: func(rq *Request) error {
			return rq.live("/incidents", func(ctx context.Context, v *store.View) (int, error) {
				return incident.Count(ctx, v, incident.Query{})
			})
		}},
	}
}

// live tells a page how many rows are new, as the reader's own view counts them: what they may not see never shows, not
// even as a number. It ends after a while, or when the reader's session does.
func (rq *Request) live(page string, count func(context.Context, *store.View) (int, error)) error {
	if !rq.s.listening.enter(rq.Who.Person) {
		return &Invalid{Why: "too many live pages are open: close some", Back: page}
	}
	defer rq.s.listening.leave(rq.Who.Person)
	out := http.NewResponseController(rq.w)
	ctx, cancel := context.WithTimeout(rq.Context(), liveTerm)
	defer cancel()
	was, err := count(ctx, rq.view)
	if err != nil {
		return err
	}
	h := rq.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	rq.sent = true
	session := rq.s.Directory.SessionOf(rq.Request)
	for said := -1; ; {
		changed := rq.s.Store.Changed()
		n, err := count(ctx, rq.view)
		if err != nil {
			return nil
		}
		if n > was && n != said {
			said = n
			var b bytes.Buffer
			if err := ui.NewsBar(&b, ui.News{N: int64(n - was), Href: page}); err != nil {
				return nil
			}
			fmt.Fprintf(rq.w, "event: news\ndata: %s\n\n", strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\ndata: "))
		} else {
			fmt.Fprint(rq.w, ": still here\n\n")
		}
		if out.Flush() != nil {
			return nil
		}
		beat := time.NewTimer(heartbeat)
		select {
		case <-changed:
			pause := time.NewTimer(time.Second) // a burst is one piece of news
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
			pause.Stop()
		case <-beat.C:
		case <-ctx.Done():
		}
		beat.Stop()
		if ctx.Err() != nil || session != "" && !rq.s.Directory.Alive(ctx, session) {
			return nil
		}
	}
}
