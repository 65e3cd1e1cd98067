package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func ruleFor(pkg string) (best rule, ok bool) {
	for _, r := range table {
		if below(pkg, r.pkg) && len(r.pkg) >= len(best.pkg) {
			best, ok = r, true
		}
	}
	return best, ok
}

// importFaults checks one file outside tests against the table.
func importFaults(f file) (out []string) {
	r, ok := ruleFor(f.pkg)
	if !ok {
		return []string{fmt.Sprintf("%s: package %s has no line in the import table", f.path, f.pkg)}
	}
	for _, p := range f.imports() {
		dep, own := strings.CutPrefix(p, module+"/")
		if !own {
			continue
		}
		target, ok := ruleFor(dep)
		if ok && target.pkg == r.pkg {
			continue
		}
		// Where the imported folder has a line of its own, a permission for a wider folder still covers it.
		if !slices.ContainsFunc(r.may, func(m string) bool { return below(dep, m) }) {
			out = append(out, fmt.Sprintf("%s: %s may not import %s", f.path, f.pkg, dep))
		}
	}
	return out
}

func TestImports(t *testing.T) {
	for _, f := range parseAll(t) {
		if !f.test {
			for _, fault := range importFaults(f) {
				t.Error(fault)
			}
		}
	}
}

// The table itself: no line lets a package reach one that may reach it.
func TestTableHasNoCycle(t *testing.T) {
	reaches := func(a, b rule) bool {
		return slices.ContainsFunc(a.may, func(m string) bool { return below(b.pkg, m) })
	}
	for i, a := range table {
		for _, b := range table[i+1:] {
			if a.pkg == b.pkg {
				t.Errorf("%s stands twice in the table", a.pkg)
			}
			if reaches(a, b) && reaches(b, a) {
				t.Errorf("%s and %s may import each other", a.pkg, b.pkg)
			}
		}
		for _, p := range public {
			if below(a.pkg, p) {
				for _, m := range a.may {
					if strings.HasPrefix(m, "internal") {
						t.Errorf("public %s may import %s", a.pkg, m)
					}
				}
			}
		}
	}
}

// uses lists the names that a file takes from an imported package.
func uses(f file, importPath string, fn func(name string, sel *ast.SelectorExpr, parent ast.Node)) {
	names := f.imports()
	var stack []ast.Node
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && names[id.Name] == importPath {
				fn(sel.Sel.Name, sel, stack[len(stack)-1])
			}
		}
		stack = append(stack, n)
		return true
	})
}

func systemFaults(f file) (out []string) {
	uses(f, module+"/internal/marking", func(name string, _ *ast.SelectorExpr, _ ast.Node) {
		if name == "System" {
			out = append(out, f.path+": reads as marking.System and is not listed in systemReaders")
		}
	})
	for _, s := range f.ast.Imports {
		if s.Name != nil && s.Name.Name == "." && s.Path.Value == strconv.Quote(module+"/internal/marking") {
			out = append(out, f.path+": imports marking with a dot, which hides who reads as the system")
		}
	}
	return out
}

func TestSystemReaders(t *testing.T) {
	used := map[string]bool{"internal/marking/reader.go": true}
	seen := map[string]bool{}
	for _, f := range parseAll(t) {
		seen[f.path] = true
		if f.test {
			continue
		}
		faults := systemFaults(f)
		if _, listed := systemReaders[f.path]; listed {
			used[f.path] = used[f.path] || len(faults) > 0
			continue
		}
		for _, fault := range faults {
			t.Error(fault)
		}
	}
	for p := range systemReaders {
		if seen[p] && !used[p] {
			t.Errorf("%s is listed in systemReaders and no longer reads as the system: take it out", p)
		}
	}
}

// dialNames is what opens a connection, or builds what does.
var dialNames = map[string][]string{
	"net":        {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "DefaultResolver", "LookupHost", "LookupIP", "LookupAddr", "LookupTXT", "LookupCNAME"},
	"net/http":   {"Get", "Post", "PostForm", "Head", "DefaultClient", "DefaultTransport", "Client", "Transport", "ProxyFromEnvironment"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
	"net/smtp":   {"Dial", "SendMail"},
}

func dialFaults(f file) (out []string) {
	for p, names := range dialNames {
		uses(f, p, func(name string, _ *ast.SelectorExpr, parent ast.Node) {
			if !slices.Contains(names, name) {
				return
			}
			// A pointer to a client is one that somebody else built.
			if _, pointer := parent.(*ast.StarExpr); pointer && (name == "Client" || name == "Transport") {
				return
			}
			out = append(out, fmt.Sprintf("%s: uses %s.%s; internal/egress builds every outbound connection", f.path, p, name))
		})
	}
	return out
}

func TestOnlyEgressDials(t *testing.T) {
	for _, f := range parseAll(t) {
		if f.test || below(f.pkg, "internal/egress") || dialers[f.path] != "" {
			continue
		}
		for _, fault := range dialFaults(f) {
			t.Error(fault)
		}
	}
}

var createTable = regexp.MustCompile(`CREATE (?:VIRTUAL )?TABLE (?:IF NOT EXISTS )?([a-z_]+)`)

// coreSQL finds statements that touch the store's own tables.
func coreSQL(tables []string) *regexp.Regexp {
	names := `(` + strings.Join(tables, "|") + `)\b`
	return regexp.MustCompile(`(?is)\bselect\b.*\b(from|join)\s+` + names + `|\b(insert|replace)\b[\w\s]*\binto\s+` + names + `|\bupdate\s+(or\s+\w+\s+)?` + names + `\s+set\b|\bdelete\s+from\s+` + names +
		`|\b(create|alter|drop)\s+(virtual\s+)?table\s+(if\s+(not\s+)?exists\s+)?` + names)
}

func sqlFaults(f file, core *regexp.Regexp) (out []string) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			if s, ok := constant(e); ok {
				if core.MatchString(s) {
					out = append(out, fmt.Sprintf("%s: names the store's tables in SQL; only internal/store does: %.80q", f.path, s))
				}
				return false
			}
		}
		return true
	})
	return out
}

// constant joins the string literals of an addition; what is not a literal becomes a blank.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		a, okA := constant(e.X)
		b, okB := constant(e.Y)
		return a + " " + b, okA || okB
	}
	return "", false
}

func TestOnlyStoreNamesItsTables(t *testing.T) {
	files := parseAll(t)
	var tables []string
	for _, f := range files {
		if f.pkg == "internal/store" && !f.test {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					for _, m := range createTable.FindAllStringSubmatch(l.Value, -1) {
						tables = append(tables, m[1])
					}
				}
				return true
			})
		}
	}
	if !slices.Contains(tables, "obj") || !slices.Contains(tables, "mark") {
		t.Fatalf("the store's schema was not found: %v", tables)
	}
	core := coreSQL(tables)
	for _, f := range files {
		if !f.test && !below(f.pkg, "internal/store") {
			for _, fault := range sqlFaults(f, core) {
				t.Error(fault)
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	type state struct{ has, source bool }
	seen := map[string]*state{}
	for _, f := range parseAll(t) {
		if f.test {
			continue
		}
		s := seen[f.pkg]
		if s == nil {
			s = &state{}
			seen[f.pkg] = s
		}
		s.source = true
		doc := f.ast.Doc.Text()
		if strings.HasPrefix(doc, "Package "+f.ast.Name.Name+" ") || f.ast.Name.Name == "main" && len(doc) > 20 {
			s.has = true
		}
	}
	for pkg, s := range seen {
		if s.source && !s.has {
			t.Errorf("%s: no comment that starts with its package's name", pkg)
		}
	}
}

func TestFileLength(t *testing.T) {
	for _, f := range parseAll(t) {
		if f.test || f.gen {
			continue
		}
		limit := maxLines
		if l, ok := longFiles[f.path]; ok {
			limit = l
		}
		if f.lines > limit {
			t.Errorf("%s: %d lines, %d allowed: which two things is it?", f.path, f.lines, limit)
		} else if f.lines > limit*9/10 {
			t.Logf("%s: %d lines, %d allowed", f.path, f.lines, limit)
		}
	}
}

func TestHotPackagesDecodeThemselves(t *testing.T) {
	for _, f := range parseAll(t) {
		if f.test || f.ast.Name.Name == "main" || !slices.ContainsFunc(hot, func(h string) bool { return below(f.pkg, h) }) {
			continue
		}
		for _, p := range f.imports() {
			if p == "encoding/json" {
				t.Errorf("%s: imports encoding/json on the event path", f.path)
			}
		}
	}
}

func TestLicence(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); !strings.Contains(s, "Apache License") || !strings.Contains(s, "Version 2.0, January 2004") {
		t.Error("LICENSE is not the Apache License 2.0")
	}
}

// forbidden is text that ties the repository to one machine. The pieces are joined here, so that this file passes its own test.
var forbidden = regexp.MustCompile(`(^|[^\w.*/-])/` + `(work|tmp)/|\b(registry\.` + `npmjs|proxy\.` + `golang|registry\.` + `yarnpkg|files\.` + `pythonhosted)\.`)

func TestTextIsOfTheProductAlone(t *testing.T) {
	walk(t, func(rel, abs string) {
		if strings.Contains(rel, "/vendored/") || strings.HasSuffix(rel, ".sum") {
			return
		}
		b, err := os.ReadFile(abs)
		if err != nil || len(b) > 4<<20 || !utf8.Valid(b) {
			return
		}
		for i, line := range strings.Split(string(b), "\n") {
			m := forbidden.FindString(line)
			if m == "" {
				continue
			}
			if strings.HasSuffix(m, "/"+"tmp/") && slices.ContainsFunc(storyPaths, func(p string) bool { return strings.HasPrefix(rel, p) }) {
				continue
			}
			t.Errorf("%s:%d: %q ties the text to one machine", rel, i+1, strings.TrimSpace(m))
		}
	})
}
