package web

import (
	"net/http"

	"vigil/internal/web/ui"
)

const themeCookie = "vigil-theme"

func (rq *Request) theme() error {
	t := rq.FormValue("theme")
	c := &http.Cookie{Name: themeCookie, Value: t, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: rq.TLS != nil}
	if t != "light" && t != "dark" {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(rq.w, c)
	rq.redirect(local(rq.FormValue("next")))
	return nil
}

func (rq *Request) notBuilt(at ui.Place) error {
	return ui.NotBuilt(&rq.out, ui.NotBuiltPage{Frame: rq.Frame(at), Place: at})
}
