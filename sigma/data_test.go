package sigma

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// dataDir finds the public data beside the repository, or skips.
func dataDir(tb testing.TB, parts ...string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatal("no go.mod above the package")
		}
		dir = up
	}
	p := filepath.Join(append([]string{dir, "..", "shared", "data"}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		tb.Skipf("public data %s is not there", filepath.Join(parts...))
	}
	return p
}

var ruleDirs = []string{"rules", "rules-emerging-threats", "rules-placeholder", "rules-threat-hunting"}

var loadOnce struct {
	sync.Once
	set  *RuleSet
	errs []*RuleError
}

// allRules loads every published rule once. The set must not be changed.
func allRules(tb testing.TB) (*RuleSet, []*RuleError) {
	dir := dataDir(tb, "sigma")
	loadOnce.Do(func() { loadOnce.set, loadOnce.errs = loadAll(dir) })
	return loadOnce.set, loadOnce.errs
}

func loadAll(dir string) (*RuleSet, []*RuleError) {
	set := &RuleSet{}
	var errs []*RuleError
	for _, d := range ruleDirs {
		s, e := LoadFS(os.DirFS(dir), d)
		set.Add(s)
		errs = append(errs, e...)
	}
	return set, errs
}

// windowsRules are the rules for Windows and those that name no product.
func windowsRules(set *RuleSet) *RuleSet {
	out := &RuleSet{}
	for _, r := range set.Rules {
		if r.Logsource.Product == "windows" {
			out.Rules = append(out.Rules, r)
		}
	}
	return out
}

// otrfLines returns up to perArchive lines of each of the first archives (all when archives is 0).
func otrfLines(tb testing.TB, archives, perArchive int) [][]byte {
	tb.Helper()
	dir := dataDir(tb, "logs", "otrf")
	files, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var out [][]byte
	read := func(r io.Reader) {
		br := bufio.NewReaderSize(r, 1<<20)
		for n := 0; n < perArchive; {
			l, err := br.ReadBytes('\n')
			l = bytes.TrimSpace(l)
			if len(l) > 0 && l[0] == '{' && l[len(l)-1] == '}' {
				out = append(out, l)
				n++
			}
			if err != nil {
				return
			}
		}
	}
	for i, f := range files {
		if archives > 0 && i >= archives {
			break
		}
		p := filepath.Join(dir, f.Name())
		if strings.HasSuffix(p, ".zip") {
			z, err := zip.OpenReader(p)
			if err != nil {
				tb.Fatal(err)
			}
			for _, m := range z.File {
				if r, err := m.Open(); err == nil && !strings.Contains(m.Name, "__MACOSX") {
					read(r)
					r.Close()
				}
			}
			z.Close()
			continue
		}
		fh, err := os.Open(p)
		if err != nil {
			tb.Fatal(err)
		}
		gz, err := gzip.NewReader(fh)
		if err != nil {
			tb.Fatal(err)
		}
		for tr := tar.NewReader(gz); ; {
			h, err := tr.Next()
			if err != nil {
				break
			}
			if h.Typeflag == tar.TypeReg && !strings.HasPrefix(filepath.Base(h.Name), "._") {
				read(tr)
			}
		}
		fh.Close()
	}
	return out
}
