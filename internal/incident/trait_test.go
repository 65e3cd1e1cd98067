package incident

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"vigil/internal/event"
)

func traitsOf(t testing.TB, raw string) []string {
	t.Helper()
	var ev event.Event
	if err := ev.Parse([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	c := collector{traits: map[string]bool{}, observables: map[[2]string]*observed{}}
	c.event(&ev, time.Time{})
	traits, _ := c.result()
	return traits
}

// What an event shows of who was there; what every machine shows is left out.
func TestTraits(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{`{"Hostname":"HA-OPS-03.harbour.example"}`, "host:ha-ops-03"},
		{`{"Hostname":"192.0.2.7"}`, "host:192.0.2.7"},
		{`{"Hostname":"localhost"}`, ""},
		{`{"User":"HARBOUR\\K.Lund"}`, "account:k.lund"},
		{`{"user":"k.lund@harbour.example"}`, "account:k.lund"},
		{`{"User":"NT AUTHORITY\\SYSTEM"}`, ""},
		{`{"User":"HARBOUR\\HA-OPS-03$"}`, ""},
		{`{"user":"root"}`, ""},
		{`{"src_ip":"10.40.10.7","dst_ip":"127.0.0.1"}`, "address:10.40.10.7"},
		{`{"src_ip":"fe80::1","dst_ip":"2001:DB8::1"}`, "address:2001:db8::1"},
		{`{"src_ip":"::ffff:192.0.2.1"}`, "address:192.0.2.1"},
		{`{"query":"CDN.Quay.example."}`, "domain name:cdn.quay.example"},
		{`{"WorkstationName":"HA-OPS-03"}`, "host:ha-ops-03"},
		{`{"TargetFilename":"D:\\Mail\\Berths.scrm"}`, "file:berths.scrm"},
		{`{"TargetFilename":"C:\\Windows\\Temp\\x.tmp0"}`, ""},
		{`{"Image":"C:\\Program Files\\Scribe\\scribe.exe"}`, ""},
		{`{"CommandLine":"copy \\\\HA-FS-01\\berths\\plan.doc x"}`, "host:ha-fs-01"},
		{`{"CommandLine":"copy \\\\127.0.0.1\\ADMIN$\\x.out x"}`, ""},
		{`{"CommandLine":"copy \\\\192.0.2.9\\ADMIN$\\x.out x"}`, "address:192.0.2.9"},
		{`{"CommandLine":"schtasks /create /S HA-OPS-07 /tr \"C:\\ProgramData\\sync4.exe /x\""}`, "file:sync4.exe host:ha-ops-07"},
		{`{"CommandLine":"get 'https://cdn.quay.example:8443/s?q'"}`, "domain name:cdn.quay.example"},
		{`{"command":"/usr/bin/cat /etc/passwd"}`, ""},
		{`{"command":"/usr/bin/sh /home/k/drop.sh"}`, "file:drop.sh"},
		{`{"Event":{"Data":{"CommandLine":"x /tmp/dropper.bin"}}}`, "file:dropper.bin"},
	} {
		if got := strings.Join(traitsOf(t, c.raw), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.raw, got, c.want)
		}
	}
}

// Whatever a log line holds, it is taken in within the limits, and the same again.
func FuzzTraits(f *testing.F) {
	for _, s := range []string{`\\a\b /s x "C:\q\file.exe" http://u:p@h.example/`, "\\\\", "/s", "://", "a://", `C:\`, strings.Repeat(`\\h`, 3000), "\xff\x00"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, command, path string) {
		c := collector{traits: map[string]bool{}, observables: map[[2]string]*observed{}}
		c.command(command)
		c.file(path)
		c.trait("host", path)
		c.see("host", path, time.Time{})
		traits, seen := c.result()
		if len(traits) > maxTraits || len(seen) > maxObservables {
			t.Fatalf("%d traits, %d observables", len(traits), len(seen))
		}
		for _, tr := range traits {
			kind, v, ok := strings.Cut(tr, ":")
			if !ok || kind == "" || v == "" || len(v) > 512 || v != strings.ToLower(v) {
				t.Fatalf("the trait %q", tr)
			}
		}
	})
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestNames(t *testing.T) {
	if u := uuidOf("finding--1"); !uuid.MatchString(u) || u != uuidOf("finding--1") || u == uuidOf("finding--2") {
		t.Errorf("%s is no UUID of version 8, or not one name's alone", u)
	}
	if a := Tag("incident--1"); !regexp.MustCompile(`^INC-[A-Z2-7]{6}$`).MatchString(a) || a == Tag("incident--2") {
		t.Errorf("the tag %s", a)
	}
	if got := clip(strings.Repeat("é", 200), maxTitle); len(got) > maxTitle || !strings.HasSuffix(got, "é…") {
		t.Errorf("clipped to %d bytes: %q", len(got), got)
	}
}
