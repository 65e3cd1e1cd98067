package event

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	cases := []struct{ in, host, user, when, obs string }{
		{`{"UtcTime":"2026-03-01 04:05:06.123","Hostname":"ha-ops-07","User":"HA\\ivy","DestinationIp":"198.51.100.23","Hashes":"MD5=D41D8CD98F00B204E9800998ECF8427E,IMPHASH=x"}`,
			"ha-ops-07", `HA\ivy`, "2026-03-01T04:05:06.123Z", "address=198.51.100.23 MD5=d41d8cd98f00b204e9800998ecf8427e"},
		{`{"@timestamp":"2026-03-01T04:05:06Z","host":{"name":"x"},"QueryName":"CDN-Harbour.example."}`, "", "", "2026-03-01T04:05:06Z", "domain name=cdn-harbour.example"},
		{`{"ts":1772337906.5,"url":"https://user@CDN-harbour.example:8443/a?b","hostname":"p"}`, "p", "", "2026-03-01T04:05:06.5Z", "URL=https://user@CDN-harbour.example:8443/a?b domain name=cdn-harbour.example"},
		{`{"time":1772337906500,"url":"198.51.100.9:443"}`, "", "", "2026-03-01T04:05:06.5Z", "URL=198.51.100.9:443 address=198.51.100.9"},
		{`{"time":"soon","Computer":"a","Hostname":"b","Image":"C:\\x\\loader.exe","sender":"Mallory@Mail.example"}`, "a", "", "", "file name=loader.exe mail address=mallory@mail.example"},
		{`{"dst_ip":"2001:DB8::1","src_ip":"not an address","sha256":"zz"}`, "", "", "", "address=2001:db8::1"},
		{`{}`, "", "", "", ""},
	}
	var e Event
	for _, c := range cases {
		if err := e.Parse([]byte(c.in)); err != nil {
			t.Fatalf("%s: %v", c.in, err)
		}
		var obs []string
		for _, o := range e.Observables {
			obs = append(obs, fmt.Sprintf("%s=%s", o.Kind, o.Value))
		}
		when := ""
		if e.Timed {
			when = e.Time.Format("2006-01-02T15:04:05.999Z")
		}
		if got := strings.Join(obs, " "); got != c.obs && strings.Join(reversed(obs), " ") != c.obs || string(e.Host) != c.host || string(e.User) != c.user || when != c.when {
			t.Errorf("%s\n got host %q user %q time %s: %s\nwant host %q user %q time %s: %s", c.in, e.Host, e.User, when, got, c.host, c.user, c.when, c.obs)
		}
	}
	for _, bad := range []string{``, `[]`, `"x"`, `{`, `{"a":}`} {
		if e.Parse([]byte(bad)) == nil {
			t.Errorf("%q was parsed", bad)
		}
	}
}

func reversed(in []string) []string {
	var out []string
	for i := len(in) - 1; i >= 0; i-- {
		out = append(out, in[i])
	}
	return out
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"url":"https://a@b:1/c","Hashes":"MD5=,=","host":{"host":{"host":"x"}},"ts":1e300}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		if e.Parse(b) == nil && len(e.Observables) > 64 {
			t.Fatal("too many observables")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(`{"UtcTime":"2026-03-01 04:05:06.123","Hostname":"ha-ops-07","User":"HA\\ivy","DestinationIp":"198.51.100.23","Image":"C:\\x\\y.exe","Hashes":"MD5=D41D8CD98F00B204E9800998ECF8427E,IMPHASH=x","EventID":3,"Channel":"x"}`)
	var e Event
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}
