package web

import (
	"errors"
	"net/http"
	"strings"

	"vigil/internal/access"
	"vigil/internal/store"
	"vigil/internal/web/ui"
)

// doorRoutes are what anybody may open: the log-in, the first set-up, an invitation.
func (s *Server) doorRoutes() []Route {
	return []Route{
		{Pattern: "GET /login", handle: (*Request).loginPage},
		{Pattern: "POST /login", handle: (*Request).login},
		{Pattern: "POST /login/demo", handle: (*Request).loginDemo},
		{Pattern: "POST /logout", handle: (*Request).logout},
		{Pattern: "GET /setup", handle: (*Request).setupPage},
		{Pattern: "POST /setup", handle: (*Request).setup},
		{Pattern: "POST /theme", handle: (*Request).theme},
	}
}

func (rq *Request) loginPage() error { return rq.showLogin("", "") }

func (rq *Request) showLogin(name, wrong string) error {
	p := ui.LoginPage{Name: name, Wrong: wrong, Next: local(rq.FormValue("next"))}
	if rq.s.Demo {
		p.Demo = rq.s.DemoPeople
	}
	if wrong != "" {
		rq.code = http.StatusUnauthorized
	}
	p.Frame = rq.Frame(ui.PlaceNone)
	return ui.Login(&rq.out, p)
}

func (rq *Request) login() error {
	name := rq.FormValue("person")
	if name == "" {
		name = rq.FormValue("login")
	}
	text, _, err := rq.s.Directory.Login(rq.Context(), name, rq.FormValue("password"), access.FromRequest(rq.Request))
	var wait *access.Wait
	switch {
	case errors.As(err, &wait):
		return rq.showLogin(name, "There were too many attempts. Try again in "+span(wait.For)+".")
	case errors.Is(err, access.ErrLogin):
		return rq.showLogin(name, "Name and password do not fit together.")
	case err != nil:
		return err
	}
	http.SetCookie(rq.w, rq.s.Directory.Cookie(text))
	rq.redirect(local(rq.FormValue("next")))
	return nil
}

// loginDemo lets one of the exercise's people in; the record says that it was done so.
func (rq *Request) loginDemo() error {
	who, err := rq.s.Directory.DemoLogin(rq.Context(), rq.FormValue("person"))
	if err != nil {
		if errors.Is(err, access.ErrRefused) {
			return store.ErrNotFound
		}
		return err
	}
	text, err := rq.s.Directory.Open(rq.Context(), who, access.FromRequest(rq.Request))
	if err != nil {
		return err
	}
	http.SetCookie(rq.w, rq.s.Directory.Cookie(text))
	next := local(rq.FormValue("next"))
	if next == "/" {
		next = home(who)
	}
	rq.redirect(next)
	return nil
}

// home is the first page that a role may open.
func home(who access.Principal) string {
	switch {
	case who.May(access.SituationRead):
		return "/"
	case who.May(access.IncidentRead):
		return "/incidents"
	}
	return "/intelligence"
}

func (rq *Request) logout() error {
	if rq.Who.Person != "" {
		if err := rq.s.Directory.Logout(rq.Context(), rq.Who, rq.s.Directory.SessionOf(rq.Request)); err != nil {
			return err
		}
	}
	http.SetCookie(rq.w, rq.s.Directory.Cookie(""))
	rq.redirect("/login")
	return nil
}

func (rq *Request) setupPage() error { return rq.showSetup(nil, rq.FormValue("token") == "") }

func (rq *Request) showSetup(wrong map[string]string, invalid bool) error {
	p := ui.SetupPage{Token: rq.FormValue("token"), Name: rq.FormValue("name"), Login: rq.FormValue("login"), Wrong: wrong, Invalid: invalid}
	if wrong != nil || invalid {
		rq.code = http.StatusUnprocessableEntity
	}
	p.Frame = rq.Frame(ui.PlaceNone)
	return ui.Setup(&rq.out, p)
}

func (rq *Request) setup() error {
	if rq.FormValue("password") != rq.FormValue("again") {
		return rq.showSetup(map[string]string{"again": "The two are not the same."}, false)
	}
	body := strings.TrimSpace(rq.FormValue("body"))
	if body == "" {
		body = "This organisation"
	}
	_, err := rq.s.Directory.CompleteSetup(rq.Context(), rq.FormValue("token"), access.Body{Name: body, Kind: "csirt"}, access.Person{Name: rq.FormValue("name"), Login: rq.FormValue("login")}, rq.FormValue("password"))
	var bad *access.Invalid
	switch {
	case errors.Is(err, access.ErrLink):
		return rq.showSetup(nil, true)
	case errors.As(err, &bad):
		return rq.showSetup(map[string]string{bad.Field: bad.Why}, false)
	case err != nil:
		return err
	}
	rq.redirect("/login")
	return nil
}
