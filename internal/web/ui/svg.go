package ui

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
)

// drawing builds an SVG. Text is escaped and made visible on its way in; colours are classes, since the policy allows no style attribute.
type drawing struct{ strings.Builder }

// el writes an element with attributes in pairs; an empty body closes it at once. Bodies are markup already.
func (d *drawing) el(name, body string, attrs ...string) {
	d.open(name, attrs...)
	d.WriteString(body)
	d.WriteString("</" + name + ">")
}

func (d *drawing) open(name string, attrs ...string) {
	d.WriteString("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		d.WriteString(" " + attrs[i] + `="` + esc(attrs[i+1]) + `"`)
	}
	d.WriteByte('>')
}

func (d *drawing) text(class string, x, y float64, s string, more ...string) {
	d.el("text", esc(s), append([]string{"class", class, "x", f1(x), "y", f1(y)}, more...)...)
}

func (d *drawing) html() template.HTML { return template.HTML(d.String()) }

func esc(s string) string { return template.HTMLEscapeString(Visible(s)) }

// f1 writes a coordinate with at most one decimal.
func f1(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0")
}

func path(format string, v ...float64) string {
	args := make([]any, len(v))
	for i := range v {
		args[i] = f1(v[i])
	}
	return fmt.Sprintf(format, args...)
}

// textWidth estimates the width of words in the sans at 12 px, a little generously, so that what it finds free is free.
func textWidth(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("iljtf.,:;'|!()[] Ir-", r):
			w += 4.4
		case strings.ContainsRune("mwMW@", r):
			w += 10.6
		case r >= 'A' && r <= 'Z' || r > 0x2000:
			w += 8.2
		default:
			w += 7
		}
	}
	return w
}

// fit cuts words to a width and adds an ellipsis when it had to.
func fit(s string, width float64) string {
	if textWidth(s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 1 && textWidth(string(r))+8 > width {
		r = r[:len(r)-1]
	}
	return strings.TrimRight(string(r), " ,·") + "…"
}
