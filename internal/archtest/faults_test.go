package archtest

import (
	"go/token"
	"testing"
)

// Each check is shown to fail on what it forbids, and to pass what is near.
func TestChecksFindFaults(t *testing.T) {
	core := coreSQL([]string{"obj", "record", "mark"})
	f := func(check func(file) []string, path, src string, want int) {
		t.Helper()
		if got := check(parse(t, token.NewFileSet(), path, src)); len(got) != want {
			t.Errorf("%s: %d faults, want %d: %v\n%s", path, len(got), want, got, src)
		}
	}
	sql := func(x file) []string { return sqlFaults(x, core) }

	f(importFaults, "stix/x.go", `package stix; import _ "vigil/internal/marking"`, 1)
	f(importFaults, "internal/store/x.go", `package store; import _ "vigil/internal/marking"`, 0)
	f(importFaults, "internal/store/x.go", `package store; import _ "vigil/internal/detect"`, 1)
	f(importFaults, "internal/detect/x.go", `package detect; import _ "vigil/internal/incident"`, 1)
	f(importFaults, "internal/incident/x.go", `package incident; import _ "vigil/internal/detect"`, 0)
	f(importFaults, "internal/ledger/verify/x.go", `package verify; import _ "vigil/internal/store"`, 1)
	f(importFaults, "internal/web/ui/x.go", `package ui; import _ "vigil/internal/app"`, 1)
	f(importFaults, "internal/web/ui/x.go", `package ui; import _ "vigil/internal/web/assets"`, 0)
	f(importFaults, "internal/nowhere/x.go", `package nowhere`, 1)

	f(systemFaults, "internal/web/x.go", `package web; import "vigil/internal/marking"; var r = marking.System("all")`, 1)
	f(systemFaults, "internal/web/x.go", `package web; import m "vigil/internal/marking"; var r = m.System`, 1)
	f(systemFaults, "internal/web/x.go", `package web; import . "vigil/internal/marking"; var r = System("all")`, 1)
	f(systemFaults, "internal/web/x.go", `package web; import "vigil/internal/marking"; var r = marking.Public`, 0)

	f(dialFaults, "x/x.go", `package x; import "net/http"; var c = http.Client{}`, 1)
	f(dialFaults, "x/x.go", `package x; import "net/http"; var c = &http.Client{}`, 1)
	f(dialFaults, "x/x.go", `package x; import "net/http"; var c = new(http.Client)`, 1)
	f(dialFaults, "x/x.go", `package x; import "net/http"; var c *http.Client`, 0)
	f(dialFaults, "x/x.go", `package x; import "net/http"; func f() { http.Get("u") }`, 1)
	f(dialFaults, "x/x.go", `package x; import n "net"; var d = n.Dial`, 1)
	f(dialFaults, "x/x.go", `package x; import "net"; var l = net.Listen`, 0)

	f(sql, "x/x.go", "package x; const q = `SELECT a FROM obj WHERE b`", 1)
	f(sql, "x/x.go", `package x; const q = "select a " + "from obj"`, 1)
	f(sql, "x/x.go", `package x; const q = "INSERT OR IGNORE INTO record VALUES(1)"`, 1)
	f(sql, "x/x.go", `package x; const q = "UPDATE mark SET a=1"`, 1)
	f(sql, "x/x.go", `package x; const q = "DELETE FROM obj"`, 1)
	f(sql, "x/x.go", `package x; const q = "SELECT a FROM incident_row"`, 0)
	f(sql, "x/x.go", `package x; const q = "update record"`, 0)

	for s, want := range map[string]bool{
		`open "` + `/` + `work/main"`: true, `in /` + `tmp/x`: true, `a/` + `tmp/x`: false, `net/` + `work/`: false, `https://registry.` + `npmjs.org`: true,
	} {
		if forbidden.MatchString(s) != want {
			t.Errorf("%q: forbidden %v, want %v", s, !want, want)
		}
	}
}
