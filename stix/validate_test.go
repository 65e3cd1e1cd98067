package stix

import (
	"strings"
	"testing"
	"time"
)

// with fills an object of type typ with the common properties that it needs.
func with(typ, props string) string {
	s := `{"type":"` + typ + `","spec_version":"2.1","id":"` + typ + `--` + uuid1 + `"`
	if Class(typ) != "sco" {
		s += `,"created":"2030-01-01T00:00:00.000Z","modified":"2030-01-01T00:00:00.000Z"`
	}
	if typ == "marking-definition" {
		s = strings.Replace(s, `,"modified":"2030-01-01T00:00:00.000Z"`, "", 1)
	}
	if props != "" {
		s += "," + props
	}
	return s + "}"
}

// One line a case: a whole object, and the fault that strict mode names ("" for
// none). Lenient mode accepts each, and notes the same fault.
func TestValidate(t *testing.T) {
	f := func(raw, fault string) {
		t.Helper()
		_, _, err := Parse([]byte(raw), Options{Mode: Strict})
		_, notes, lerr := Parse([]byte(raw), Options{Mode: Lenient})
		if fault == "" {
			if err != nil {
				t.Errorf("%s\n\trefused: %v", raw, err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s\n\tgot  %v\n\twant %s", raw, err, fault)
		}
		found := false
		for _, n := range notes {
			// The strict error has the offset between path and reason.
			found = found || n.Grade == Violation && (strings.Contains(fault, n.Reason) || strings.Contains(n.Reason, fault) || strings.Contains(n.String(), fault))
		}
		if lerr != nil || !found {
			t.Errorf("%s\n\tlenient: %v %v", raw, lerr, notes)
		}
	}
	// every type: its least valid form, and a required property left out
	g := func(typ, props, missing string) {
		t.Helper()
		f(with(typ, props), "")
		if missing != "" {
			f(with(typ, ""), "property "+missing+" is required")
		}
	}
	ref := `["report--` + uuid2 + `"]`
	g("attack-pattern", `"name":"n"`, "name")
	g("campaign", `"name":"n"`, "name")
	g("course-of-action", `"name":"n"`, "name")
	g("grouping", `"context":"unspecified","object_refs":`+ref, "context")
	g("identity", `"name":"n"`, "name")
	g("incident", `"name":"n"`, "name")
	g("indicator", `"pattern":"[a:b = 1]","pattern_type":"stix","valid_from":"2030-01-01T00:00:00Z"`, "pattern")
	g("infrastructure", `"name":"n"`, "name")
	g("intrusion-set", `"name":"n"`, "name")
	g("location", `"country":"xx"`, "")
	g("malware", `"is_family":false`, "is_family")
	g("malware-analysis", `"product":"p","result":"benign"`, "product")
	g("note", `"content":"c","object_refs":`+ref, "content")
	g("observed-data", `"first_observed":"2030-01-01T00:00:00Z","last_observed":"2030-01-01T00:00:00Z","number_observed":1,"object_refs":["url--`+uuid1+`"]`, "first_observed")
	g("opinion", `"opinion":"agree","object_refs":`+ref, "opinion")
	g("report", `"name":"n","published":"2030-01-01T00:00:00Z","object_refs":`+ref, "name")
	g("threat-actor", `"name":"n"`, "name")
	g("tool", `"name":"n"`, "name")
	g("vulnerability", `"name":"n"`, "name")
	g("relationship", `"relationship_type":"uses","source_ref":"campaign--`+uuid1+`","target_ref":"tool--`+uuid1+`"`, "relationship_type")
	g("sighting", `"sighting_of_ref":"tool--`+uuid1+`"`, "sighting_of_ref")
	g("marking-definition", `"definition_type":"statement","definition":{"statement":"s"}`, "definition_type")
	g("extension-definition", `"created_by_ref":"identity--`+uuid1+`","name":"n","schema":"s","version":"1.0.0","extension_types":["new-sdo"]`, "created_by_ref")
	g("language-content", `"object_ref":"report--`+uuid1+`","contents":{"fr":{"name":"nom"}}`, "object_ref")
	g("artifact", `"payload_bin":"dGVzdA=="`, "")
	g("autonomous-system", `"number":64496`, "number")
	g("directory", `"path":"/tmp"`, "path")
	g("domain-name", `"value":"quaymar.example"`, "value")
	g("email-addr", `"value":"a@quaymar.example"`, "value")
	g("email-message", `"is_multipart":false`, "is_multipart")
	g("file", `"name":"n"`, "")
	g("ipv4-addr", `"value":"192.0.2.1"`, "value")
	g("ipv6-addr", `"value":"2001:db8::1"`, "value")
	g("mac-addr", `"value":"00:00:5e:00:53:01"`, "value")
	g("mutex", `"name":"n"`, "name")
	g("network-traffic", `"protocols":["tcp"],"src_ref":"ipv4-addr--`+uuid1+`"`, "protocols")
	g("process", `"pid":1`, "")
	g("software", `"name":"n"`, "name")
	g("url", `"value":"https://quaymar.example/"`, "value")
	g("user-account", `"user_id":"u"`, "")
	g("windows-registry-key", `"key":"k"`, "")
	g("x509-certificate", `"serial_number":"1"`, "")

	// common properties
	tool := func(props string) string { return with("tool", `"name":"n",`+props) }
	f(`{"type":"tool","id":"tool--`+uuid1+`","spec_version":"2.1","name":"n","modified":"2030-01-01T00:00:00.000Z"}`, "property created is required")
	f(`{"type":"tool","id":"tool--`+uuid1+`","spec_version":"2.1","name":"n","created":"2030-01-01T00:00:00.000Z"}`, "property modified is required")
	f(`{"type":"tool","id":"tool--`+uuid1+`","spec_version":"2.2","name":"n","created":"2030-01-01T00:00:00.000Z","modified":"2030-01-01T00:00:00.000Z"}`, "spec-version-enum")
	f(`{"type":"tool","id":"tool--`+uuid1+`","spec_version":"2.1","name":"n","created":"2030-01-02T00:00:00.000Z","modified":"2030-01-01T00:00:00.000Z"}`, "is before created")
	f(`{"type":"tool","id":"tool--`+uuid1+`","spec_version":"2.1","name":"n","created":"2030-01-01T00:00:00Z","modified":"2030-01-01T00:00:00.000Z"}`, "precise to the millisecond")
	f(`{"type":"tool","id":"tool--`+uuid1+`","spec_version":"2.1","name":"n","created":"2030-01-01T00:00:00.123456Z","modified":"2030-01-01T00:00:00.123456Z"}`, "")
	f(`{"type":"tool","id":"tool--11111111-1111-4111-0111-111111111111","spec_version":"2.1","name":"n","created":"2030-01-01T00:00:00.000Z","modified":"2030-01-01T00:00:00.000Z"}`, "version and variant")
	f(tool(`"created_by_ref":"tool--`+uuid1+`"`), "must name one of identity, not tool")
	f(tool(`"created_by_ref":"identity"`), "form type--uuid")
	f(tool(`"created_by_ref":5`), "must be a string, not a number")
	f(tool(`"revoked":"yes"`), "must be a boolean, not a string")
	f(tool(`"confidence":101`), "101 is outside 0 to 100")
	f(tool(`"confidence":-1`), "-1 is outside 0 to 100")
	f(tool(`"confidence":50.0`), "must be an integer")
	f(tool(`"confidence":"50"`), "must be an integer, not a string")
	f(tool(`"labels":[]`), "empty list")
	f(tool(`"labels":"x"`), "must be a list, not a string")
	f(tool(`"labels":["x",5]`), "must be a string, not a number")
	f(tool(`"lang":null`), "must be a string, not null")
	f(tool(`"object_marking_refs":["tool--`+uuid1+`"]`), "must name one of marking-definition, not tool")
	f(tool(`"external_references":[{"source_name":"s"}]`), "one of the properties description, url, external_id is required")
	f(tool(`"external_references":[{"url":"u"}]`), "property source_name is required")
	f(tool(`"external_references":[{"source_name":"s","url":"u","hashes":{"MD5":"x"}}]`), "is no MD5")
	f(tool(`"external_references":["s"]`), "must be an object, not a string")
	f(tool(`"kill_chain_phases":[{"kill_chain_name":"k"}]`), "property phase_name is required")
	f(tool(`"granular_markings":[{"marking_ref":"`+string(TLP2Red)+`","selectors":["name"]}]`), "")
	f(tool(`"granular_markings":[{"lang":"fr","selectors":["name"]}]`), "")
	f(tool(`"granular_markings":[{"selectors":["name"]}]`), "one of the properties lang, marking_ref is required")
	f(tool(`"granular_markings":[{"marking_ref":"`+string(TLP2Red)+`","lang":"fr","selectors":["name"]}]`), "exclude each other")
	f(tool(`"granular_markings":[{"marking_ref":"`+string(TLP2Red)+`"}]`), "property selectors is required")
	f(tool(`"granular_markings":[{"marking_ref":"`+string(TLP2Red)+`","selectors":["title"]}]`), `the selector "title" selects nothing`)
	f(tool(`"labels":["x"],"granular_markings":[{"marking_ref":"`+string(TLP2Red)+`","selectors":["labels.[1]"]}]`), `"labels.[1]" selects nothing`)
	f(tool(`"name_2":"n"`), "is no property of this type")
	f(tool(`"x_quay":"n"`), "")
	f(tool(`"x_quay":null`), "must not be null")
	f(tool(`"x_quay":[]`), "empty list")
	f(tool(`"x-quay":1`), "is no property name")
	f(tool(`"defanged":true`), "is no property of this type")

	// extensions
	ext := `"extension-definition--` + uuid1 + `"`
	f(tool(`"extensions":{`+ext+`:{"extension_type":"property-extension","a":1}}`), "")
	f(tool(`"extensions":{`+ext+`:{"extension_type":"toplevel-property-extension"}},"rank":5`), "")
	f(tool(`"extensions":{`+ext+`:{"extension_type":"property-extension"}},"rank":5`), "is no property of this type")
	f(tool(`"extensions":{`+ext+`:{"a":1}}`), "property extension_type is required")
	f(tool(`"extensions":{`+ext+`:{"extension_type":"x"}}`), "extension-type-enum")
	f(tool(`"extensions":{"extension-definition--1":{"extension_type":"new-sdo"}}`), "has a key that is not of the form")
	f(tool(`"extensions":{"ntfs-ext":{"sid":"1"}}`), "neither a predefined extension of tool")
	f(tool(`"extensions":{}`), "empty dictionary")
	f(tool(`"extensions":[]`), "must be an object")
	f(with("file", `"name":"n","extensions":{"ntfs-ext":{"sid":"1"}}`), "")
	f(with("file", `"name":"n","extensions":{"ntfs-ext":{"side":"1"}}`), "is no property of this type")
	f(with("file", `"name":"n","extensions":{"windows-pebinary-ext":{"pe_type":"exe","machine_hex":"14c"}}`), "even number of hexadecimal")
	f(with("file", `"name":"n","extensions":{"windows-pebinary-ext":{"pe_type":"exe","sections":[{"size":1}]}}`), "property name is required")
	f(with("x-halvern-box", `"size":5`), "")
	f(with("box", `"size":5`), "is no type of STIX 2.1")
	f(with("box", `"size":5,"extensions":{`+ext+`:{"extension_type":"new-sdo"}}`), "")
	f(with("box", `"confidence":500,"extensions":{`+ext+`:{"extension_type":"new-sdo"}}`), "outside 0 to 100")
	f(with("task", `"outcome":"pending"`), "needs the extension extension-definition--2074a052")
	f(with("task", `"outcome":"pending","extensions":{"`+string(TaskExtension)+`":{"extension_type":"new-sdo"}}`), "")
	f(with("incident", `"name":"n","extensions":{"`+string(IncidentCoreExtension)+`":{"extension_type":"property-extension","determination":"suspected","investigation_status":"new"}}`), "")
	f(with("incident", `"name":"n","extensions":{"`+string(IncidentCoreExtension)+`":{"extension_type":"property-extension","determination":"perhaps","investigation_status":"new"}}`), "incident-determination-enum")
	f(with("incident", `"name":"n","extensions":{"`+string(IncidentCoreExtension)+`":{"extension_type":"property-extension","determination":"suspected"}}`), "property investigation_status is required")

	// rules of single types
	f(with("campaign", `"name":"n","first_seen":"2030-01-02T00:00:00Z","last_seen":"2030-01-01T00:00:00Z"`), "is before first_seen")
	f(with("campaign", `"name":"n","first_seen":"2030-01-01T00:00:00Z","last_seen":"2030-01-01T00:00:00.0Z"`), "")
	f(with("campaign", `"name":"n","first_seen":"yesterday"`), "not of the form")
	ind := `"pattern_type":"stix","valid_from":"2030-01-01T00:00:00Z","pattern":`
	f(with("indicator", ind+`"[a:b = ]"`), "pattern 1:8: expected a value")
	f(with("indicator", ind+`"[a:b = 1]","valid_until":"2030-01-01T00:00:00Z"`), "must be later than valid_from")
	f(with("indicator", `"pattern_type":"sigma","valid_from":"2030-01-01T00:00:00Z","pattern":"title: x"`), "")
	f(with("location", `"name":"n"`), "one of the properties region, country, latitude is required")
	f(with("location", `"latitude":5`), "property latitude asks for longitude")
	f(with("location", `"latitude":95.5,"longitude":0`), "95.5 is outside -90 to 90")
	f(with("location", `"country":"xx","precision":5`), "property precision asks for latitude")
	f(with("malware", `"is_family":true`), "property name is required")
	f(with("malware", `"is_family":false,"sample_refs":["url--`+uuid1+`"]`), "must name one of artifact, file, not url")
	f(with("malware-analysis", `"product":"p"`), "result, analysis_sco_refs is required")
	f(with("malware-analysis", `"product":"p","sample_ref":"tool--`+uuid1+`"`), "must name one of sco, not tool")
	f(with("opinion", `"opinion":"maybe","object_refs":`+ref), "opinion-enum")
	obs := `"first_observed":"2030-01-01T00:00:00Z","last_observed":"2030-01-01T00:00:00Z"`
	f(with("observed-data", obs+`,"number_observed":0,"object_refs":["url--`+uuid1+`"]`), "0 is outside 1 to 999999999")
	f(with("observed-data", obs+`,"number_observed":1`), "objects, object_refs is required")
	f(with("observed-data", obs+`,"number_observed":1,"object_refs":["tool--`+uuid1+`"]`), "must name one of sco, sro, not tool")
	f(with("observed-data", obs+`,"number_observed":1,"objects":{"0":{"type":"url","value":"u"}}`), "")
	f(with("observed-data", obs+`,"number_observed":1,"objects":{"0":{"type":"tool"}}`), "is no cyber-observable type")
	f(with("observed-data", obs+`,"number_observed":1,"objects":{"0":5}`), "an observable with a type")
	rel := func(typ, src, dst, more string) string {
		return with("relationship", `"relationship_type":"`+typ+`","source_ref":"`+src+`--`+uuid1+`","target_ref":"`+dst+`--`+uuid2+`"`+more)
	}
	f(rel("related-to", "relationship", "tool", ""), "not relationship")
	f(rel("related-to", "tool", "marking-definition", ""), "not marking-definition")
	f(rel("Uses", "campaign", "tool", ""), "is no relationship type")
	f(rel("uses", "campaign", "tool", `,"start_time":"2030-01-01T00:00:00Z","stop_time":"2030-01-01T00:00:00Z"`), "must be later than start_time")
	f(rel("sold-to", "x-thing", "tool", ""), "")
	f(with("sighting", `"sighting_of_ref":"url--`+uuid1+`"`), "must name one of sdo, not url")
	f(with("sighting", `"sighting_of_ref":"tool--`+uuid1+`","count":1000000000`), "outside 0 to 999999999")
	f(with("sighting", `"sighting_of_ref":"tool--`+uuid1+`","where_sighted_refs":["tool--`+uuid1+`"]`), "must name one of identity, location")
	f(with("marking-definition", `"definition_type":"tlp","definition":{"tlp":"blue"}`), "tlp1-enum")
	f(with("marking-definition", `"definition_type":"statement","definition":{}`), "property statement is required")
	f(with("marking-definition", `"definition_type":"statement"`), "property definition is required")
	f(with("marking-definition", `"definition_type":"statement","definition":{"statement":"s"},"modified":"2030-01-01T00:00:00.000Z"`), "is no property of this type")
	f(with("language-content", `"object_ref":"report--`+uuid1+`","contents":{"fr":"nom"}`), "an object of translated properties")
	f(with("language-content", `"object_ref":"report--`+uuid1+`","contents":{}`), "empty dictionary")
	f(with("language-content", `"object_ref":"report--`+uuid1+`","contents":{"f r":{}}`), "is no dictionary key")
	f(with("artifact", `"payload_bin":"x"`), "must be base64")
	f(with("artifact", `"url":"https://quaymar.example/a"`), "property url asks for hashes")
	f(with("artifact", `"payload_bin":"dGVzdA==","url":"u","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e"}`), "exclude each other")
	f(with("artifact", `"payload_bin":"dGVzdA==","encryption_algorithm":"rot13"`), "encryption-algorithm-enum")
	f(with("email-message", `"is_multipart":true,"body":"b"`), "must not be present where is_multipart is true")
	f(with("email-message", `"is_multipart":false,"body_multipart":[{"body":"b"}]`), "must not be present where is_multipart is false")
	f(with("file", `"size":1`), "one of the properties hashes, name is required")
	f(with("file", `"hashes":{}`), "empty dictionary")
	f(with("file", `"hashes":{"SHA-256":"d41d8cd98f00b204e9800998ecf8427e"}`), "is no SHA-256: 64 hexadecimal digits")
	f(with("file", `"hashes":{"MD5":5}`), "must be a string, not a number")
	f(with("file", `"hashes":{"SSDEEP":"3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C"}`), "")
	f(with("network-traffic", `"protocols":["tcp"]`), "src_ref, dst_ref is required")
	f(with("network-traffic", `"protocols":["tcp"],"src_ref":"url--`+uuid1+`"`), "not url")
	f(with("network-traffic", `"protocols":["tcp"],"src_ref":"ipv4-addr--`+uuid1+`","dst_port":65536`), "outside 0 to 65535")
	f(with("network-traffic", `"protocols":["tcp"],"src_ref":"ipv4-addr--`+uuid1+`","end":"2030-01-01T00:00:00Z"`), "is_active must be false")
	f(with("process", ``), "at least one property of its own")
	f(with("x509-certificate", ``), "is required")
	f(with("autonomous-system", `"number":1e3`), "must be an integer")
	f(with("autonomous-system", `"number":9007199254740993`), "beyond 2^53-1")
}

// What is worth saying and breaks nothing.
func TestAdvice(t *testing.T) {
	f := func(raw, advice string) {
		t.Helper()
		for _, mode := range []Mode{Strict, Lenient} {
			_, notes, err := Parse([]byte(raw), Options{Mode: mode})
			if err != nil || len(notes) != 1 || notes[0].Grade != Advice || !strings.Contains(notes[0].String(), advice) {
				t.Errorf("%s\n\tgot %v %v, want %s", raw, notes, err, advice)
			}
		}
	}
	f(with("tool", `"name":"n","tool_types":["hammer"]`), `tool_types[0]: "hammer" is not in the open vocabulary tool-type-ov`)
	f(with("file", `"hashes":{"MD6":"00"}`), `hashes.MD6: "MD6" is not in the open vocabulary hash-algorithm-ov`)
	f(with("relationship", `"relationship_type":"mitigates","source_ref":"tool--`+uuid1+`","target_ref":"tool--`+uuid2+`"`), "no mitigates from tool to tool")
	f(with("observed-data", `"first_observed":"2030-01-01T00:00:00Z","last_observed":"2030-01-01T00:00:00Z","number_observed":1,"objects":{"0":{"type":"url"}}`), "deprecated")
	f(with("marking-definition", `"definition_type":"x-own","definition":{"a":1}`), "is not a marking type")
	f(`{"type":"indicator","id":"indicator--`+uuid1+`","created":"2017-01-01T00:00:00.000Z","modified":"2017-01-01T00:00:00.000Z",`+
		`"labels":["malicious-activity"],"pattern":"[ipv4-addr:value = '192.0.2.1']","valid_from":"2017-01-01T00:00:00Z"}`, "read as STIX 2.0")
}

// The official markings: the same id with other content is refused in both
// modes, since whoever trusts the id would read another marking.
func TestOfficialMarkings(t *testing.T) {
	f := func(raw string, want bool) {
		t.Helper()
		for _, mode := range []Mode{Strict, Lenient} {
			o, notes, err := Parse([]byte(raw), Options{Mode: mode})
			if (err == nil) != want {
				t.Errorf("%s\n\t%v", raw, err)
				continue
			}
			if want && (!SameAsOfficial(o) || mode == Strict && len(notes) > 1) {
				t.Errorf("%s\n\t%v", raw, notes)
			}
		}
	}
	if n := len(OfficialMarkings()); n != 9 {
		t.Errorf("%d official markings", n)
	}
	for _, m := range OfficialMarkings() {
		raw := string(m.Raw)
		f(raw, true)
		if got, ok := OfficialMarking(m.ID); !ok || got.Level != m.Level || m.Level == "" {
			t.Errorf("%s: %+v", m.ID, got)
		}
		f(strings.Replace(raw, `"`+m.Level+`"`, `"other"`, 1), false)
		f(strings.Replace(raw, `.000Z`, `.001Z`, 1), false)
		f(strings.Replace(raw, `{`, `{"x_note":"released to all",`, 1), false)
		f(strings.Replace(raw, `.000Z`, `.0000Z`, 1), true)
	}
	f(`{"type":"marking-definition","id":"`+string(TLP1Red)+`","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"red"}}`, true)
	f(`{"type":"marking-definition","id":"`+string(TLP1Red)+`","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"white"}}`, false)
	f(`{"type":"marking-definition","id":"`+string(TLP1Red)+`","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp"}`, false)
	for _, id := range []ID{PAPWhite, PAPClear, PAPGreen, PAPAmber, PAPRed} {
		p, ok := OfficialPAPMarking(id)
		if !ok {
			t.Fatal(id)
		}
		f(string(p.Raw), true)
		f(strings.Replace(string(p.Raw), "2022-10-01", "2022-10-02", 1), true)
		f(strings.Replace(string(p.Raw), `"`+p.Level+`"`, `"other"`, 1), false)
	}
	if SameAsOfficial(&Object{ID: "marking-definition--" + uuid1}) {
		t.Error("a marking of one's own is official")
	}
}

func TestMake(t *testing.T) {
	now := time.Date(2030, 3, 1, 12, 0, 0, 123456789, time.UTC)
	o, err := Make("sighting", now, Props{
		"id": ID("sighting--" + uuid1), "sighting_of_ref": ID("indicator--" + uuid1), "created_by_ref": ID("identity--" + uuid2), "count": 3,
		"where_sighted_refs": []ID{"identity--" + uuid2}, "labels": []string{"b", "a"}, "x_score": 0.5, "first_seen": now, "description": "",
		"observed_data_refs": []ID{}, "summary": false, "external_references": []ExternalReference{{SourceName: "s", URL: "u"}},
		"x_map": map[string]any{"b": 1, "a": []any{"x", true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"sighting","spec_version":"2.1","id":"sighting--` + uuid1 + `","created_by_ref":"identity--` + uuid2 + `",` +
		`"created":"2030-03-01T12:00:00.123Z","modified":"2030-03-01T12:00:00.123Z","first_seen":"2030-03-01T12:00:00.123Z","count":3,` +
		`"sighting_of_ref":"indicator--` + uuid1 + `","where_sighted_refs":["identity--` + uuid2 + `"],"summary":false,"labels":["b","a"],` +
		`"external_references":[{"source_name":"s","url":"u"}],"x_map":{"a":["x",true],"b":1},"x_score":0.5}`
	if string(o.Raw) != want {
		t.Errorf("got  %s\nwant %s", o.Raw, want)
	}
	next, err := NewVersion(o, now, Props{"count": 4, "labels": nil})
	if err != nil || next.Modified.String() != "2030-03-01T12:00:00.124Z" || next.Created != o.Created || len(next.Labels) > 0 || next.ID != o.ID {
		t.Errorf("next version: %s %v", next.Raw, err)
	}
	if s, _ := next.Lookup("x_score"); string(s) != "0.5" {
		t.Errorf("x_score became %s", s)
	}
	if _, err := NewVersion(o, now, Props{"id": "x"}); err == nil {
		t.Error("a new version takes another id")
	}
	revoked, err := NewVersion(o, now.Add(time.Hour), Props{"revoked": true})
	if err != nil || !revoked.Revoked || revoked.Modified.String() != "2030-03-01T13:00:00.123Z" {
		t.Errorf("revoked: %s %v", revoked.Raw, err)
	}
	if _, err := NewVersion(revoked, now, nil); err == nil {
		t.Error("a revoked object has a new version")
	}
	d, err := Make("domain-name", now, Props{"value": "quaymar.example"})
	if err != nil || !d.Created.IsZero() {
		t.Fatal(d, err)
	}
	if _, err := NewVersion(d, now, nil); err == nil {
		t.Error("an observable has a new version")
	}
	if id, err := DeterministicID(d.Raw); err != nil || id != d.ID {
		t.Errorf("id %s, deterministic %s %v", d.ID, id, err)
	}
	if _, err := Make("tool", now, nil); err == nil || !strings.Contains(err.Error(), "property name is required") {
		t.Errorf("a tool without name: %v", err)
	}
	if _, err := Make("tool", now, Props{"name": make(chan int)}); err == nil {
		t.Error("a channel is a name")
	}
	core := IncidentCore{
		Determination: DeterminationSuspected, InvestigationStatus: "new", IncidentTypes: []string{"ransomware"}, Criticality: 0,
		DetectionMethods: []string{"human-review"}, Recoverability: RecoverabilityRegular, ImpactedEntityCounts: map[string]int{"organizations": 2},
		ImpactRefs: []ID{"impact--" + uuid1}, EventRefs: []ID{"event--" + uuid1, "event--" + uuid2}, TaskRefs: []ID{"task--" + uuid1},
		Scores: []IncidentScore{{Name: "s", Value: 7.5}},
	}
	inc, err := Make("incident", now, Props{"name": "Brightwater intake", "extensions": core.Props()})
	if err != nil {
		t.Fatal(err)
	}
	back, ok := IncidentCoreOf(inc)
	if !ok || string(mustMake(t, back)) != string(mustMake(t, core)) {
		t.Errorf("incident core: %+v", back)
	}
	if len(inc.Refs()) != 4 {
		t.Errorf("refs of the incident: %v", inc.Refs())
	}
	if _, ok := IncidentCoreOf(o); ok {
		t.Error("a sighting has an incident core")
	}
	task, err := Make("task", now, Props{"name": "Isolate the intake host", "outcome": TaskPending, "task_types": []string{"containment"}})
	if err != nil || !strings.HasSuffix(string(task.Raw), `"extensions":{"`+string(TaskExtension)+`":{"extension_type":"new-sdo"}}}`) {
		t.Errorf("task: %v", err)
	}
}

func mustMake(t *testing.T, c IncidentCore) []byte {
	b, err := appendValue(nil, c.Props())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every type that Vigil writes itself can be made, and is valid.
func TestMakeOwn(t *testing.T) {
	now := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
	f := func(typ string, p Props) ID {
		t.Helper()
		o, err := Make(typ, now, p)
		if err != nil {
			t.Errorf("%s: %v", typ, err)
			return ""
		}
		if !strings.HasPrefix(string(o.Raw), `{"type":"`+typ+`","spec_version":"2.1","id":"`+string(o.ID)+`",`) {
			t.Errorf("%s begins %.80s", typ, o.Raw)
		}
		if _, notes, err := Parse(o.Raw, Options{}); err != nil || len(notes) > 0 {
			t.Errorf("%s: %v %v", typ, notes, err)
		}
		return o.ID
	}
	us := f("identity", Props{"name": "Halvern CSIRT", "identity_class": "organization"})
	url := f("url", Props{"value": "https://quaymar.example/gate"})
	f("ipv4-addr", Props{"value": "198.51.100.7"})
	f("ipv6-addr", Props{"value": "2001:db8::7"})
	f("email-addr", Props{"value": "desk@quaymar.example"})
	f("file", Props{"name": "loom.exe", "hashes": map[string]string{"MD5": "d41d8cd98f00b204e9800998ecf8427e"}})
	f("process", Props{"pid": 4711})
	ind := f("indicator", Props{"name": "Quiet Loom gate", "created_by_ref": us, "pattern_type": "stix", "pattern": "[url:value = 'https://quaymar.example/gate']", "valid_from": now})
	obs := f("observed-data", Props{"created_by_ref": us, "first_observed": now, "last_observed": now, "number_observed": 2, "object_refs": []ID{url}})
	f("sighting", Props{"created_by_ref": us, "sighting_of_ref": ind, "observed_data_refs": []ID{obs}, "count": 2})
	inc := f("incident", Props{"name": "Brightwater intake", "created_by_ref": us, "extensions": IncidentCore{
		Determination: DeterminationConfirmed, InvestigationStatus: "open", Criticality: 70}.Props()})
	f("event", Props{"name": "Gate reached", "status": EventOccurred, "start_time": now})
	f("impact", Props{"impact_category": "availability", "extensions": Props{
		string(ImpactExtension): Props{"extension_type": "new-sdo"}, "availability-ext": Props{"availability_impact": 40}}})
	f("note", Props{"content": "Seen at two sites.", "object_refs": []ID{inc}})
	f("opinion", Props{"opinion": "agree", "object_refs": []ID{ind}})
	f("report", Props{"name": "Quiet Loom", "published": now, "report_types": []string{"threat-report"}, "object_refs": []ID{ind, inc}})
	f("grouping", Props{"context": "suspicious-activity", "object_refs": []ID{ind, url}})
	f("relationship", Props{"relationship_type": "based-on", "source_ref": ind, "target_ref": obs})
	f("course-of-action", Props{"name": "Block the gate"})
	f("marking-definition", Props{"definition_type": "statement", "definition": Props{"statement": "Halvern CSIRT"}})
	f("extension-definition", Props{"created_by_ref": us, "name": "Vigil assessment", "schema": "https://vigil.example/assessment.json", "version": "1.0.0", "extension_types": []string{"new-sdo"}})
}
