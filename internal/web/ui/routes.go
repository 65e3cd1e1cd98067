package ui

import "net/url"

// The addresses that pages link to (GET) and post to. Forms are urlencoded unless noted; every form also sends "csrf" when Frame.CSRF is set.
//
//	GET  /                               Situation
//	GET  /search?q=                      Search over everything
//	GET  /login  POST /login             person, password, next | POST /login/demo: person | POST /login/passkey/begin, /finish (JSON, see assets)
//	POST /logout
//	GET  /setup?token=  POST /setup      token, name, login, password, again
//	POST /theme                          theme = auto|light|dark, next
//	GET  /detections?q=&state=&severity=&after=   GET /detections/{id}   GET /rules   GET /rules/{id}
//	POST /detections/bulk                ids (repeated), act, reason
//	POST /detections/{id}/act            act, reason
//	GET  /incidents?q=&…  GET /incidents/{id}?lanes=host|tactic  GET /incidents/{id}/timeline.csv
//	POST /incidents/bulk                 ids (repeated), act, reason
//	POST /incidents/{id}/own             version
//	POST /incidents/{id}/state           to, reason, version
//	POST /incidents/{id}/severity        severity, reason, version
//	POST /incidents/{id}/tasks           text | POST /incidents/{id}/tasks/{task}: done = yes|no
//	POST /incidents/{id}/notes           text
//	POST /incidents/{id}/observables     type, value
//	POST /incidents/{id}/evidence        multipart: file, original = yes|no, place, purpose, tool, seal
//	POST /evidence/{id}/transfer         to, place, purpose, seal | /accept: seal | /refuse: reason     GET /evidence/{id}/file
//	GET  /intelligence  GET /intelligence/types/{type}  GET /intelligence/{id}  GET /intelligence/{id}/raw
//	POST /intelligence/import            multipart: file, source   GET /intelligence/imports/{id}  GET …/progress (fragment)
//	POST /intelligence/export            type
//	GET  /oversight?q=&…  GET /oversight/{seq}  GET /oversight/{seq}/receipt
//	GET  /people  GET /people/{id}  POST /people/{id}/sessions/end: session   POST /people/{id}/passkeys/remove: passkey
//	GET  /sources  GET /sources/{id}  POST /sources: owner, basis, purpose, fields, retention, expires, kind, name
//	POST /sources/{id}/state             to, reason
//	GET  /strategy /attribution /decisions /partners   places that NotBuilt answers until they hold something
//	GET  /live/…                         server-sent events; event "news" carries a News fragment
//
// Functions below build the ones with an id in them; ids are escaped.

func at(prefix, id string, more ...string) string {
	u := prefix + url.PathEscape(id)
	for _, m := range more {
		u += m
	}
	return u
}

// FindingURL is the page of one finding.
func FindingURL(id string) string { return at("/detections/", id) }

// RuleURL is the page of one detection rule.
func RuleURL(id string) string { return at("/rules/", id) }

// IncidentURL is the page of one incident, or with more a path under it ("/tasks").
func IncidentURL(id string, more ...string) string { return at("/incidents/", id, more...) }

// EvidenceURL is a path under one piece of evidence.
func EvidenceURL(id string, more ...string) string { return at("/evidence/", id, more...) }

// ObjectURL is the page of one object of the knowledge base.
func ObjectURL(id string, more ...string) string { return at("/intelligence/", id, more...) }

// TypeURL lists the objects of one type.
func TypeURL(typ string) string { return at("/intelligence/types/", typ) }

// ImportURL is the page of one import.
func ImportURL(id string, more ...string) string { return at("/intelligence/imports/", id, more...) }

// EntryURL is the page of one entry of the record.
func EntryURL(seq int64, more ...string) string {
	return at("/oversight/", digits(seq), more...)
}

// PersonURL is the page of one person.
func PersonURL(id string, more ...string) string { return at("/people/", id, more...) }

// SourceURL is the page of one log source.
func SourceURL(id string, more ...string) string { return at("/sources/", id, more...) }
