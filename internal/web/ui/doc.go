// Package ui is the face of Vigil: every page as a function of a view model.
//
// It knows no store, no request and no domain package. A handler fills a model (SituationPage, IncidentPage …) with what the gate let through and
// calls the function of the same noun (Situation, Incident …), which writes a whole HTML page, or nothing and an error. Fragments for live updates
// (News, ImportProgress) work alike. What is missing in a model is said on the page as missing; zero values are honest.
//
// Text that an attacker may have written is an untrusted.Text and reaches a page by one component alone: mono, tinted, escaped, isolated, its
// controls made visible, never a link, defanged when copied. Every other string is escaped too; none can inject.
//
// Pages work under assets.Policy: no inline script, no style attribute, no event attribute, nothing from another host. Every action is a plain form
// that works without script; htmx and our script only make it quicker. The addresses that pages link and post to stand in routes.go.
package ui
