package sigma_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/evtx"
	"vigil/sigma"
)

// TestRegressionEVTX fires the published regression files, from the EVTX, at the rules they belong to.
func TestRegressionEVTX(t *testing.T) {
	root, err := filepath.Abs("../../shared/data/sigma")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); err != nil {
		t.Skip("public data sigma is not there")
	}
	set := &sigma.RuleSet{}
	for _, d := range []string{"rules", "rules-emerging-threats", "rules-threat-hunting"} {
		s, errs := sigma.LoadFS(os.DirFS(root), d)
		for _, err := range errs {
			t.Fatal(err)
		}
		set.Add(s)
	}
	e, _ := sigma.Compile(set, sigma.Options{})
	m := e.NewMatcher()
	files, fired := 0, 0
	err = filepath.WalkDir(filepath.Join(root, "regression_data"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".evtx") {
			return err
		}
		files++
		found := false
		if err := readEVTX(p, func(ev sigma.Event) error {
			return m.Match(ev, sigma.Logsource{}, func(h sigma.Match) {
				found = found || h.Rule.ID == strings.TrimSuffix(filepath.Base(p), ".evtx")
			})
		}); err != nil {
			return err
		}
		if found {
			fired++
		} else {
			t.Errorf("no finding in %s", p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files != 202 {
		t.Errorf("%d files", files)
	}
	t.Logf("%d of %d files fire their rule", fired, files)
}

func readEVTX(path string, f func(sigma.Event) error) error {
	fh, err := os.Open(path)
	if err != nil {
		return err
	}
	defer fh.Close()
	st, err := fh.Stat()
	if err != nil {
		return err
	}
	r, err := evtx.NewReader(fh, st.Size(), evtx.Options{})
	if err != nil {
		return err
	}
	var ev sigma.Event
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return nil
		}
		var damage *evtx.Damage
		if errors.As(err, &damage) {
			continue
		}
		if err != nil {
			return err
		}
		ev = ev[:0]
		for i := range rec.Len() {
			name, v := rec.Field(i)
			k := sigma.String
			if v.IsNull() {
				k = sigma.Null
			}
			ev = append(ev, sigma.Field{Name: name, Value: v.Bytes(), Kind: k})
		}
		if err := f(ev); err != nil {
			return err
		}
	}
}
