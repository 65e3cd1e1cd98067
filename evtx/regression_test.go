package evtx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// regressionFiles are public logs, each with a JSON rendering by another
// program beside it. They are not part of the repository.
func regressionFiles(t testing.TB) []string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	var files []string
	root := filepath.Join(dir, "..", "shared", "data", "sigma", "regression_data")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the public regression files are not there: %v", err)
	}
	err = filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".evtx") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestAgainstOtherRenderings compares every field of every regression file
// with the rendering beside it, in both directions.
func TestAgainstOtherRenderings(t *testing.T) {
	fields, records := 0, 0
	for _, path := range regressionFiles(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, damage := readAll(t, data, Options{}); len(damage) > 0 {
			t.Errorf("%s: %v", path, damage)
		}
		text, err := os.ReadFile(strings.TrimSuffix(path, ".evtx") + ".json")
		if err != nil {
			t.Logf("%s: no rendering beside it", filepath.Base(path))
			continue
		}
		var want []string
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		for dec.More() {
			var doc any
			if err := dec.Decode(&doc); err != nil {
				t.Errorf("%s: %v", path, err)
				break
			}
			list, ok := doc.([]any)
			if !ok {
				list = []any{doc}
			}
			for _, doc := range list {
				m, _ := doc.(map[string]any)
				flat := flatten(nil, "", "", m["Event"])
				slices.Sort(flat)
				want = append(want, strings.Join(flat, "\n"))
			}
		}
		var have []string
		r, err := NewReader(bytes.NewReader(data), int64(len(data)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := r.Next(); err == nil; rec, err = r.Next() {
			var flat []string
			for n, v := range rec.All() {
				if l := normal(n, string(v.Bytes())); l != "" {
					flat = append(flat, l)
				}
			}
			slices.Sort(flat)
			fields += len(flat)
			records++
			have = append(have, strings.Join(flat, "\n"))
		}
		if retouched := "ad691d92-15f2-4181-9aa4-723c74f9ddc3.evtx"; filepath.Base(path) == retouched {
			// This rendering was edited by hand: the log holds Explorer.EXE.
			if !bytes.Contains(data, u16s("Explorer.EXE")) || bytes.Contains(data, u16s("Explorer.exe")) {
				t.Error("the log of the retouched rendering is another")
			}
			for i := range want {
				want[i] = strings.Replace(want[i], "=C:\\Windows\\Explorer.exe", "=C:\\Windows\\Explorer.EXE", 1)
			}
		}
		if !slices.Equal(have, want) {
			t.Errorf("%s:\n%s\n--- want ---\n%s", path, strings.Join(have, "\n\n"), strings.Join(want, "\n\n"))
		}
	}
	t.Logf("%d fields of %d records agree", fields, records)
}

// normal removes what the two renderings write differently: braces and case
// of GUIDs, digits of fractions of seconds, white space at the ends, fields
// without content.
func normal(name, v string) string {
	v = strings.TrimSpace(v)
	if v == "" {
		return ""
	}
	if len(v) == 38 && v[0] == '{' && v[9] == '-' {
		v = v[1:37]
	}
	if len(v) == 36 && v[8] == '-' && v[13] == '-' {
		v = strings.ToUpper(v)
	}
	if len(v) > 20 && v[4] == '-' && v[10] == 'T' && strings.HasSuffix(v, "Z") {
		v, _, _ = strings.Cut(v, ".")
	}
	return name + "=" + strings.Join(strings.Fields(v), " ")
}

// flatten names the leaves of the other rendering the way this package does.
func flatten(out []string, section, name string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			switch {
			case k == "#text":
				out = flatten(out, section, name, e)
			case strings.HasSuffix(k, "_attributes") || k == "#attributes":
				el := name
				if k != "#attributes" {
					el = strings.TrimSuffix(k, "_attributes")
				}
				attrs, _ := e.(map[string]any)
				for a, av := range attrs {
					switch {
					case strings.HasPrefix(a, "xmlns") || a == "Name" && el == "Data":
					case el == "TimeCreated":
						out = flatten(out, section, el, av)
					default:
						out = flatten(out, section, el+"_"+a, av)
					}
				}
			default:
				out = flatten(out, section, k, e)
			}
		}
	case []any:
		for _, e := range v {
			out = flatten(out, section, name, e)
		}
	case nil:
	default:
		if l := normal(name, fmt.Sprint(v)); l != "" {
			out = append(out, l)
		}
	}
	return out
}
