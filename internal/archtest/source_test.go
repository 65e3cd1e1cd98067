package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "vigil"

// file is one Go file of the module, parsed.
type file struct {
	path  string // from the root, with slashes
	pkg   string // its folder
	test  bool
	lines int
	gen   bool
	ast   *ast.File
}

// imports maps the names under which a file knows its imports to their paths.
func (f file) imports() map[string]string {
	out := map[string]string{}
	for _, s := range f.ast.Imports {
		p, _ := strconv.Unquote(s.Path.Value)
		name := path.Base(p)
		if s.Name != nil {
			name = s.Name.Name
		}
		out[name] = p
	}
	return out
}

func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod upward of the test")
		}
		dir = up
	}
}

// walk visits the repository's own files: no .git, no data directory, no artifacts.
func walk(t testing.TB, fn func(rel, abs string)) {
	t.Helper()
	base := root(t)
	err := filepath.WalkDir(base, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(base, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			switch rel {
			case ".git", ".vigil", "artifacts", "bench/results":
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			fn(rel, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func parseAll(t testing.TB) []file {
	t.Helper()
	var out []file
	fset := token.NewFileSet()
	walk(t, func(rel, abs string) {
		if !strings.HasSuffix(rel, ".go") || strings.HasPrefix(rel, "bench/") || strings.Contains(rel, "testdata/") {
			return
		}
		src, err := os.ReadFile(abs)
		if err != nil {
			return // an editor's temporary file, gone again
		}
		out = append(out, parse(t, fset, rel, string(src)))
	})
	if len(out) < 20 {
		t.Fatalf("only %d Go files found", len(out))
	}
	return out
}

func parse(t testing.TB, fset *token.FileSet, rel, src string) file {
	t.Helper()
	a, err := parser.ParseFile(fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file{path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), lines: strings.Count(src, "\n"), gen: ast.IsGenerated(a), ast: a}
}

// below says whether pkg is folder or stands below it.
func below(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }
