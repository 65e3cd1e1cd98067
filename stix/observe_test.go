package stix

import (
	"testing"

	"vigil/stix/pattern"
)

func TestObserve(t *testing.T) {
	parse := func(raw string) *Object {
		t.Helper()
		o, _, err := Parse([]byte(raw), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	ip := parse(with("ipv4-addr", `"value":"198.51.100.7"`))
	traffic := parse(with("network-traffic", `"protocols":["tcp"],"dst_port":443,"dst_ref":"`+string(ip.ID)+`"`))
	seen := func(more string) *Object {
		return parse(with("observed-data", `"first_observed":"2030-01-01T00:00:00Z","last_observed":"2030-01-01T00:00:05Z","number_observed":3,`+more))
	}
	byRef := seen(`"object_refs":["` + string(traffic.ID) + `","url--` + uuid2 + `"]`)
	inside := seen(`"objects":{"0":{"type":"ipv4-addr","value":"198.51.100.7"},"1":{"type":"network-traffic","protocols":["tcp"],"dst_ref":"0"}}`)
	lookup := func(id ID) *Object {
		switch id {
		case ip.ID:
			return ip
		case traffic.ID:
			return traffic
		}
		return nil
	}
	f := func(o *Object, text string, want bool) {
		t.Helper()
		p, err := pattern.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		obs, err := Observe(o, lookup)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pattern.Match(p, []pattern.Observation{obs}, pattern.Budget{})
		if err != nil || got != want {
			t.Errorf("%s over %s: got %v %v", text, o.ID, got, err)
		}
	}
	for _, o := range []*Object{byRef, inside} {
		f(o, "[network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24']", true)
		f(o, "[network-traffic:dst_ref.value = '198.51.100.8']", false)
		f(o, "[network-traffic:protocols[*] = 'tcp'] REPEATS 3 TIMES", true)
		f(o, "[network-traffic:protocols[*] = 'tcp'] REPEATS 4 TIMES", false)
		f(o, "[ipv4-addr:value = '198.51.100.7'] WITHIN 5 SECONDS", true)
		f(o, "[ipv4-addr:value = '198.51.100.7'] WITHIN 4 SECONDS", false)
	}
	f(traffic, "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 443]", true)
	f(ip, "[ipv4-addr:value = '198.51.100.7']", true)
	f(ip, "[ipv6-addr:value = '198.51.100.7']", false)
}

// A fault in the tables is named by its line.
func TestTables(t *testing.T) {
	f := func(text, fault string) {
		t.Helper()
		if _, _, err := readTables("common sdo\n  created! millis\n\ncommon sco\n  defanged bool\n\n" + text); err == nil || err.Error() != fault {
			t.Errorf("%q: got %v, want %s", text, err, fault)
		}
	}
	f("thing x\n", `tables line 7: "thing x"`)
	f("sdo x\n  a\n", "tables line 8: property a has no kind")
	f("sdo x\n  a number\n", `tables line 8: property a has no kind "number"`)
	f("sdo x\n  a vocab\n", "tables line 8: property a names nothing")
	f("sdo x\n  a vocab none-ov\n", "tables: x: no vocabulary none-ov")
	f("sdo x\n  a struct none\n", "tables: x: no struct none")
	f("sdo x\n  @order created b\n", "tables: x: a rule names b, which is no property")
	if n := len(shapes); n != 45 {
		t.Errorf("%d object types in the tables", n)
	}
}
