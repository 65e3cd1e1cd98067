package exercise

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// A naive evaluator for the part of Sigma that the exercise's rules use. It is on purpose not the product's engine:
// it says what the rules mean, so that story and engine can be held against each other.

type naiveRule struct {
	name, id  string
	product   string
	category  string
	service   string
	searches  map[string]any
	condition string
	level     string
	tags      []string
}

func parseNaive(t testing.TB, r Rule) naiveRule {
	t.Helper()
	var y struct {
		Title, ID, Status, Description, Author, Date, Level string
		Tags, Falsepositives                                []string
		Logsource                                           map[string]string
		Detection                                           map[string]any
	}
	if err := yaml.Unmarshal(r.YAML, &y); err != nil {
		t.Fatalf("%s: %v", r.File, err)
	}
	for name, v := range map[string]string{"title": y.Title, "id": y.ID, "status": y.Status, "description": y.Description, "author": y.Author, "level": y.Level} {
		if v == "" {
			t.Errorf("%s: no %s", r.File, name)
		}
	}
	if len(y.Falsepositives) == 0 || len(y.Tags) == 0 {
		t.Errorf("%s: no false positives or no tags", r.File)
	}
	c, _ := y.Detection["condition"].(string)
	delete(y.Detection, "condition")
	return naiveRule{name: r.Name, id: y.ID, product: y.Logsource["product"], category: y.Logsource["category"], service: y.Logsource["service"],
		searches: y.Detection, condition: c, level: y.Level, tags: y.Tags}
}

// sysmonCategory is what Sigma calls Sysmon's event ids.
var sysmonCategory = map[string]string{"1": "process_creation", "3": "network_connection", "5": "process_termination", "10": "process_access",
	"11": "file_event", "13": "registry_set", "22": "dns_query"}

// concerns says whether the rule's logsource covers the event.
func (r naiveRule) concerns(source LogSource, ev map[string]any) bool {
	category, service := source.Category, source.Service
	if source.Product == "windows" {
		switch text(ev["Channel"]) {
		case "Microsoft-Windows-Sysmon/Operational":
			category, service = sysmonCategory[text(ev["EventID"])], "sysmon"
		default:
			service = strings.ToLower(text(ev["Channel"]))
		}
	}
	return (r.product == "" || r.product == source.Product) && (r.category == "" || r.category == category) && (r.service == "" || r.service == service)
}

func (r naiveRule) matches(t testing.TB, ev map[string]any) bool {
	for _, part := range strings.Split(r.condition, " and ") {
		part, not := strings.CutPrefix(part, "not ")
		var got bool
		switch {
		case strings.HasPrefix(part, "all of "):
			got = true
			for _, n := range r.named(strings.TrimPrefix(part, "all of ")) {
				got = got && search(t, r.searches[n], ev)
			}
		case strings.HasPrefix(part, "1 of "):
			for _, n := range r.named(strings.TrimPrefix(part, "1 of ")) {
				got = got || search(t, r.searches[n], ev)
			}
		default:
			got = search(t, r.searches[part], ev)
		}
		if got == not {
			return false
		}
	}
	return true
}

func (r naiveRule) named(glob string) []string {
	var out []string
	for n := range r.searches {
		if strings.HasPrefix(n, strings.TrimSuffix(glob, "*")) {
			out = append(out, n)
		}
	}
	return out
}

func search(t testing.TB, s any, ev map[string]any) bool {
	switch s := s.(type) {
	case []any: // one of several
		for _, alternative := range s {
			if search(t, alternative, ev) {
				return true
			}
		}
		return false
	case map[string]any:
		for key, want := range s {
			if !field(t, key, want, ev) {
				return false
			}
		}
		return len(s) > 0
	}
	t.Fatalf("a search of an unknown shape: %T", s)
	return false
}

func field(t testing.TB, key string, want any, ev map[string]any) bool {
	parts := strings.Split(key, "|")
	v, ok := ev[parts[0]]
	if !ok {
		return false
	}
	got, all, how := text(v), false, ""
	for _, m := range parts[1:] {
		if m == "all" {
			all = true
		} else {
			how = m
		}
	}
	list, isList := want.([]any)
	if !isList {
		list = []any{want}
	}
	hits := 0
	for _, w := range list {
		if compare(t, how, got, text(w)) {
			hits++
		}
	}
	return all && hits == len(list) || !all && hits > 0
}

func compare(t testing.TB, how, got, want string) bool {
	g, w := strings.ToLower(got), strings.ToLower(want)
	switch how {
	case "":
		return g == w
	case "contains":
		return strings.Contains(g, w)
	case "startswith":
		return strings.HasPrefix(g, w)
	case "endswith":
		return strings.HasSuffix(g, w)
	case "re":
		return regexp.MustCompile(want).MatchString(got)
	case "gt":
		a, err1 := strconv.ParseFloat(got, 64)
		b, err2 := strconv.ParseFloat(want, 64)
		return err1 == nil && err2 == nil && a > b
	}
	t.Fatalf("modifier %q is not in the evaluator", how)
	return false
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// holds says whether the event holds the indicator's value, as the detection's index would look.
func holds(ind Indicator, ev map[string]any) bool {
	switch ind.Key {
	case "loader-host":
		for _, f := range []string{"cs-host", "query", "QueryName", "DestinationHostname"} {
			if v := text(ev[f]); v == LoaderHost || strings.HasSuffix(v, "."+LoaderHost) {
				return true
			}
		}
	case "loader-file":
		return strings.Contains(strings.ToLower(text(ev["Hashes"])), LoaderHash)
	case "relay-address":
		for _, f := range []string{"SourceIp", "DestinationIp", "src_ip", "dst_ip", "IpAddress", "answer"} {
			if text(ev[f]) == RelayAddr {
				return true
			}
		}
	}
	return false
}

func decode(t testing.TB, line []byte) map[string]any {
	t.Helper()
	var ev map[string]any
	if err := json.Unmarshal(line, &ev); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return ev
}
