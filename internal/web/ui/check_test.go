package ui

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// tag is a start or end tag as a browser would see it in our output: all attribute values are quoted.
type tag struct {
	name  string
	end   bool
	attrs [][2]string
}

func (t tag) get(name string) string {
	for _, a := range t.attrs {
		if a[0] == name {
			return a[1]
		}
	}
	return ""
}

var (
	tagRE  = regexp.MustCompile(`^<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s+[^\s"'<>/=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*)\s*>`)
	attrRE = regexp.MustCompile(`([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?`)
	void   = []string{"br", "hr", "img", "input", "link", "meta", "wbr"}
	// blocks end an open paragraph in a browser.
	blocks = []string{"details", "div", "dl", "fieldset", "figure", "form", "h1", "h2", "h3", "main", "nav", "ol", "p", "pre", "section", "table", "ul"}
)

// parse splits a page into tags; it refuses what is not plainly a tag or text.
func parse(page string) ([]tag, error) {
	page = strings.TrimPrefix(page, "<!doctype html>")
	var out []tag
	for {
		i := strings.IndexByte(page, '<')
		if i < 0 {
			return out, nil
		}
		m := tagRE.FindStringSubmatch(page[i:])
		if m == nil {
			return nil, fmt.Errorf("a < that opens no tag: %.80q", page[i:])
		}
		t := tag{name: strings.ToLower(m[2]), end: m[1] == "/"}
		for _, a := range attrRE.FindAllStringSubmatch(m[3], -1) {
			t.attrs = append(t.attrs, [2]string{strings.ToLower(a[1]), html.UnescapeString(a[2] + a[3])})
		}
		out = append(out, t)
		page = page[i+len(m[0]):]
		if !t.end && (t.name == "style" || t.name == "script" || t.name == "textarea" || t.name == "title") {
			j := strings.Index(page, "</"+t.name)
			if j < 0 {
				return nil, fmt.Errorf("<%s> is never closed", t.name)
			}
			if t.name == "script" && strings.TrimSpace(page[:j]) != "" {
				return nil, fmt.Errorf("an inline script: %.60q", page[:j])
			}
			page = page[j:]
		}
	}
}

// checkPage holds for every page: sound markup, nothing that the policy would refuse, nothing from outside, at most one filled button.
func checkPage(t *testing.T, page string) {
	t.Helper()
	tags, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	ids, filled := map[string]bool{}, 0
	hunt := strings.Contains(page, `class="report"`)
	for _, g := range tags {
		if g.end {
			if len(open) == 0 || open[len(open)-1] != g.name {
				t.Fatalf("</%s> where %v is open", g.name, open)
			}
			open = open[:len(open)-1]
			continue
		}
		inside := func(name string) bool { return slices.Contains(open, name) }
		if inside("p") && slices.Contains(blocks, g.name) {
			t.Errorf("<%s> in a paragraph: a browser ends the paragraph there", g.name)
		}
		if g.name == "form" && inside("form") || g.name == "a" && (inside("a") || inside("button")) || g.name == "button" && (inside("a") || inside("button")) {
			t.Errorf("<%s> within %v", g.name, open)
		}
		for _, a := range g.attrs {
			switch name, value := a[0], a[1]; {
			case name == "style", strings.HasPrefix(name, "on"), strings.HasPrefix(name, "hx-on"), name == "srcdoc":
				t.Errorf("<%s %s=%q>", g.name, name, value)
			case name == "href", name == "src", name == "action", name == "formaction", name == "hx-get", name == "hx-post", name == "sse-connect", name == "xlink:href":
				if value != "" && (!strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") || strings.HasPrefix(value, "//")) {
					t.Errorf("<%s %s=%q> leads away", g.name, name, value)
				}
			case name == "id":
				if ids[value] {
					t.Errorf("two elements have the id %q", value)
				}
				ids[value] = true
			}
		}
		if g.name == "script" && g.get("src") == "" {
			t.Error("a script without src")
		}
		if (g.name == "style" || g.name == "link") && hunt != (g.name == "style") {
			t.Errorf("<%s> does not belong here", g.name)
		}
		if slices.Contains(strings.Fields(g.get("class")), "do") {
			filled++
		}
		if slices.Contains([]string{"iframe", "object", "embed", "base", "frame", "portal"}, g.name) {
			t.Errorf("<%s>", g.name)
		}
		if !slices.Contains(void, g.name) {
			open = append(open, g.name)
		}
	}
	if len(open) > 0 {
		t.Errorf("never closed: %v", open)
	}
	if filled > 1 {
		t.Errorf("%d filled buttons", filled)
	}
	for i, r := range page {
		if unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && r != '\n' && r != '\t' {
			t.Fatalf("%U at byte %d", r, i)
		}
	}
	if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "<no value>") || strings.Contains(page, "%!") {
		t.Error("the template engine refused a value, or one is missing")
	}
}

// skeleton is a page without its text and values: what a browser would build. The marks around named controls are left out.
func skeleton(page string) (string, error) {
	tags, err := parse(page)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	skip := 0
	for _, g := range tags {
		if g.name == "span" && (skip > 0 || g.get("class") == "ctl") { // a ctl span holds nothing but text
			if g.end {
				skip--
			} else {
				skip++
			}
			continue
		}
		b.WriteString("<")
		if g.end {
			b.WriteString("/")
		}
		b.WriteString(g.name)
		for _, a := range g.attrs {
			b.WriteString(" " + a[0])
		}
		b.WriteString(">\n")
	}
	return b.String(), nil
}
