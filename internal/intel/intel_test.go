package intel

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

func openBase(t testing.TB) (*Base, *store.Store) {
	t.Helper()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	s, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), Schemas: []store.Schema{Schema}, Now: func() time.Time { at = at.Add(time.Millisecond); return at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(s), s
}

func analyst(t testing.TB) access.Principal {
	t.Helper()
	r, err := marking.NewReader(marking.Identity{Person: "person--analyst", Org: "csirt", OwnStaff: true})
	if err != nil {
		t.Fatal(err)
	}
	return access.Principal{Person: "person--analyst", Role: access.Analyst, Reader: r, Means: "test"}
}

// shared gives a file of the public data beside the repository, or skips.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("%s is not here: this test needs the public data beside the repository", name)
	} else if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return raw
}

func TestATTACKThereAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("24,771 objects three times over take a while")
	}
	raw := shared(t, "attack/enterprise-attack-18.1.json.gz")
	b, s := openBase(t)
	ctx := context.Background()
	opt := Options{Source: "mitre", Name: "enterprise-attack-18.1", DefaultTLP: marking.Clear, HasDefault: true}
	begin := time.Now()
	sum, err := b.Import(ctx, analyst(t), bytes.NewReader(raw), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s in %s", sum, time.Since(begin))
	if sum.Objects != 24771 || sum.Counts[store.Added] != 24771 {
		t.Fatalf("imported %s", sum)
	}
	again, err := b.Import(ctx, analyst(t), bytes.NewReader(raw), opt)
	if err != nil || again.Counts[store.Unchanged] != 24771 {
		t.Fatalf("again: %s (%v)", again, err)
	}
	var out bytes.Buffer
	ex, err := b.Export(ctx, analyst(t), &out, Selection{})
	if err != nil || ex.Label.TLP() != marking.Clear {
		t.Fatalf("%+v %v", ex, err)
	}
	want := map[string]string{}
	read := func(r io.Reader, f func(stix.Item)) {
		if err := stix.ReadBundle(r, stix.Options{Mode: stix.Lenient}, func(i stix.Item) error { f(i); return i.Err }); err != nil {
			t.Fatal(err)
		}
	}
	read(bytes.NewReader(raw), func(i stix.Item) { want[string(i.Object.ID)] = string(i.Raw) })
	n := 0
	read(&out, func(i stix.Item) {
		n++
		if want[string(i.Object.ID)] != string(i.Raw) {
			t.Errorf("%s came back with other bytes", i.Object.ID)
		}
		delete(want, string(i.Object.ID))
	})
	if len(want) != 0 || n != ex.Objects {
		t.Errorf("%d objects did not come back", len(want))
	}
	v, err := s.View(ctx, analyst(t).Reader)
	if err != nil {
		t.Fatal(err)
	}
	f, err := v.Search(ctx, "T1003.001", nil, 10)
	if err != nil || f.Count == 0 {
		t.Fatalf("a technique is not found by its id: %+v %v", f, err)
	}
}

func TestOneBadObjectCostsNoOther(t *testing.T) {
	b, _ := openBase(t)
	var in strings.Builder
	in.WriteString(`{"type":"bundle","id":"bundle--11111111-1111-4111-8111-111111111111","objects":[`)
	for i := range 1000 {
		if i > 0 {
			in.WriteByte(',')
		}
		if i == 500 {
			in.WriteString(`{"type":"malware","id":"malware--not-a-uuid"}`)
			continue
		}
		in.WriteString(`{"type":"tool","spec_version":"2.1","id":"` + string(stix.NewID("tool")) + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"t"}`)
	}
	in.WriteString(`]}`)
	sum, err := b.Import(context.Background(), analyst(t), strings.NewReader(in.String()), Options{Source: "lorrin"})
	if err != nil || sum.Counts[store.Added] != 999 || sum.Counts[store.Refused] != 1 {
		t.Fatalf("%s (%v)", sum, err)
	}
	if v := sum.Verdicts[0]; v.Index != 500 || v.Reason == "" {
		t.Errorf("%+v", v)
	}
	cut := in.String()[:in.Len()/2]
	b2, _ := openBase(t)
	sum, err = b2.Import(context.Background(), analyst(t), strings.NewReader(cut), Options{Source: "lorrin"})
	if err == nil || sum.Counts[store.Added] < 400 {
		t.Errorf("a bundle cut short: %s (%v)", sum, err)
	}
}

func TestRoleMayNot(t *testing.T) {
	b, _ := openBase(t)
	who := analyst(t)
	who.Role = access.Overseer
	if _, err := b.Import(context.Background(), who, strings.NewReader(`{}`), Options{Source: "x"}); err == nil {
		t.Error("an overseer imported")
	}
	if _, err := b.Export(context.Background(), who, io.Discard, Selection{}); err == nil {
		t.Error("an overseer exported")
	}
}
