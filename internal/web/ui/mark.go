package ui

import (
	"html/template"
	"strings"
)

// Marking is the effective label of what stands on a page or a row.
type Marking struct {
	TLP  string // "CLEAR", "GREEN", "AMBER", "AMBER+STRICT" or "RED"; anything else shows as held
	PAP  string // "CLEAR", "GREEN", "AMBER", "RED"; empty: not shown
	Held bool   // an unknown marking: nobody reads it but who resolves it
	Note string // where it comes from, a few words: "from 2 sources"; may be empty
}

func (m Marking) class() string {
	if !m.Held {
		switch m.TLP {
		case "RED":
			return "red"
		case "AMBER":
			return "amber"
		case "AMBER+STRICT":
			return "amber-strict"
		case "GREEN":
			return "green"
		case "CLEAR":
			return "clear"
		}
	}
	return "held"
}

func (m Marking) words() string {
	if m.class() == "held" {
		return "HELD"
	}
	return "TLP:" + m.TLP
}

// meaning says in plain words how far what bears the mark may go.
func (m Marking) meaning() string {
	switch m.class() {
	case "red":
		return "named persons only"
	case "amber-strict":
		return "own organisation only"
	case "amber":
		return "own organisation and its constituents"
	case "green":
		return "the registered community, not the public"
	case "clear":
		return "anyone"
	}
	return "unknown marking: resolve it before it goes anywhere"
}

// tlp is the chip.
func tlp(m Marking) template.HTML {
	return template.HTML(`<span class="tlp t-` + m.class() + `" title="` + template.HTMLEscapeString(m.meaning()) + `">` + m.words() + `</span>`)
}

// tlpShort is the chip for a table's cell, without the scheme's name before the level.
func tlpShort(m Marking) template.HTML {
	return template.HTML(strings.Replace(string(tlp(m)), ">TLP:", ">", 1))
}

// Tone is what a colour may say. Empty is neutral.
type Tone string

// The tones. Each also has a shape, so that colour never speaks alone.
const (
	Bad   Tone = "bad"   // diamond: act now
	Warn  Tone = "warn"  // triangle: soon
	Low   Tone = "low"   // disc: know it
	Good  Tone = "good"  // ring with a tick: done, holds
	Quiet Tone = "quiet" // ring: for information
)

const shapeOpen = `<svg class="shape" viewBox="0 0 12 12" aria-hidden="true">`

// shapes are drawn rather than typed: the faces lack them, and a fallback's would differ from machine to machine.
var shapes = map[string]string{
	"critical":      `<path d="M6 0 12 6 6 12 0 6z"></path><path d="M6 3.6 8.4 6 6 8.4 3.6 6z" class="hole"></path>`,
	"high":          `<path d="M6 .4 11.6 6 6 11.6 .4 6z"></path>`,
	"medium":        `<path d="M6 .8 11.8 11 H.2z"></path>`,
	"low":           `<circle cx="6" cy="6" r="4.4"></circle>`,
	"informational": `<circle class="o" cx="6" cy="6" r="4.2"></circle>`,
	"good":          `<circle class="o" cx="6" cy="6" r="5"></circle><path class="o" d="M3.4 6.2 5.4 8.2 8.8 4.2"></path>`,
	"no":            `<circle class="o" cx="6" cy="6" r="5"></circle><path class="o" d="M3.6 3.6 8.4 8.4"></path>`,
}

func shape(name string) template.HTML {
	return template.HTML(shapeOpen + shapes[name] + `</svg>`)
}

// toneMark is the shape of a tone in its colour; a word must stand beside it.
func toneMark(t Tone) template.HTML {
	class, name := "dim", "informational"
	switch t {
	case Bad:
		class, name = "bad", "high"
	case Warn:
		class, name = "warn", "medium"
	case Low:
		class, name = "low", "low"
	case Good:
		class, name = "good", "good"
	}
	return template.HTML(`<span class="`+class+`">`) + shape(name) + `</span>`
}

// sevClass gives the name under which a severity is styled; what is not one of the five is "unknown".
func sevClass(s string) string {
	switch s = strings.ToLower(s); s {
	case "critical", "high", "medium", "low", "informational":
		return s
	}
	return "unknown"
}

// sevRank orders severities, the worst highest.
func sevRank(s string) int {
	switch sevClass(s) {
	case "critical":
		return 5
	case "high":
		return 4
	case "medium":
		return 3
	case "low":
		return 2
	case "informational":
		return 1
	}
	return 0
}

// sev is a severity: shape and word.
func sev(s string) template.HTML {
	tone := map[string]string{"critical": "bad", "high": "bad", "medium": "warn", "low": "low"}[sevClass(s)]
	if tone == "" {
		tone = "dim"
	}
	name := sevClass(s)
	word := name
	if name == "unknown" {
		name = "informational"
		if word = Visible(s); word == "" {
			word = "not rated"
		}
	}
	return template.HTML(`<span class="sev `+tone+`">`) + shape(name) + template.HTML(template.HTMLEscapeString(upperFirst(word))+`</span>`)
}
