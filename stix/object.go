package stix

import (
	"fmt"
	"strconv"
	"strings"
)

// Object is a STIX object: the header, and the producer's bytes.
type Object struct {
	ID           ID
	Type         string
	SpecVersion  string    // as written; "" when the object has none
	Created      Timestamp // zero when absent, as for cyber-observable objects
	Modified     Timestamp
	CreatedByRef ID
	MarkingRefs  []ID              // object_marking_refs
	Granular     []GranularMarking // granular_markings
	Labels       []string
	Confidence   int // 0 to 100, -1 when absent
	Lang         string
	Revoked      bool

	ExternalReferences []ExternalReference

	// Name is the name property, or for types that have none the property that
	// best stands for the object: the value of an address, the key of a
	// registry key, the abstract of a note.
	Name string

	// Raw is the producer's bytes of this object, exactly. It is shared with
	// what was given to Parse and must not be changed.
	Raw []byte

	refs []Ref
}

// GranularMarking marks parts of an object (STIX 2.1, 7.2.3). Exactly one of
// MarkingRef and Lang is set in a valid one.
type GranularMarking struct {
	MarkingRef ID
	Lang       string
	Selectors  []string
}

// ExternalReference points outside STIX (STIX 2.1, 2.5).
type ExternalReference struct {
	SourceName  string
	Description string
	URL         string
	ExternalID  string
	Hashes      map[string]string
}

// Ref is an embedded reference: the path of the property, and the id it holds.
type Ref struct {
	Path string
	ID   ID
}

// Parse reads one object. The error is an [*Error] that names path and reason;
// the notes say what was let pass. The object keeps raw, which must not be
// changed afterwards.
func Parse(raw []byte, opt Options) (*Object, []Note, error) {
	return parse(raw, opt, "")
}

// parse reads one object of a bundle whose spec_version is given: STIX 2.0
// has it on the bundle, 2.1 on the object.
func parse(raw []byte, opt Options, bundleVersion string) (*Object, []Note, error) {
	lim := opt.Limits.orDefault()
	d, err := scan(raw, lim)
	if err != nil {
		return nil, nil, err
	}
	defer d.release()
	c := check{doc: d, mode: opt.Mode, lim: lim}
	o := c.header()
	if c.err != nil {
		return nil, nil, c.err
	}
	c.validate(o, bundleVersion)
	if c.err != nil {
		return nil, nil, c.err
	}
	return o, c.notes, nil
}

// Refs are the embedded references of the object, in the order of the text:
// every property at any depth whose name ends in _ref or _refs, so
// created_by_ref, source_ref, target_ref, sighting_of_ref, object_refs and
// those inside extensions. Markings are not among them. The caller must not
// change the slice.
func (o *Object) Refs() []Ref { return o.refs }

// check walks one scanned object. The first refusal stays in err.
type check struct {
	*doc
	mode  Mode
	lim   Limits
	notes []Note
	err   error
	v20   bool            // the object is of STIX 2.0
	where []byte          // the path that collect is at
	steps int             // taken to find what granular markings select
	kept  strings.Builder // the object's strings, in one piece of memory
}

// refuse ends the reading, whatever the mode.
func (c *check) refuse(at uint32, format string, args ...any) {
	if c.err == nil {
		c.err = &Error{Path: c.path(at), Offset: int(c.nodes[at].start), Reason: fmt.Sprintf(format, args...)}
	}
}

// violation is refused in strict mode and noted in lenient mode.
func (c *check) violation(at uint32, format string, args ...any) {
	if c.mode == Strict {
		c.refuse(at, format, args...)
		return
	}
	c.note(Violation, at, format, args...)
}

// missing is a violation for a property that is not there.
func (c *check) missing(at uint32, name string) {
	if c.mode != Strict {
		c.note(Violation, at, "property %s is required", name)
	} else if c.err == nil {
		c.err = &Error{Path: c.path(at), Offset: int(c.nodes[at].start), Reason: "property " + name + " is required"}
	}
}

func (c *check) note(g Grade, at uint32, format string, args ...any) {
	switch n := len(c.notes); {
	case n < c.lim.Notes:
		c.notes = append(c.notes, Note{Path: c.path(at), Reason: fmt.Sprintf(format, args...), Grade: g})
	case n == c.lim.Notes:
		c.notes = append(c.notes, Note{Reason: "there is more to note than is kept", Grade: g})
	}
}

// keep copies b into a string of the object. Strings share memory with each
// other, not with the object's bytes: who keeps an id does not keep the object.
func (c *check) keep(b []byte) string {
	if c.kept.Cap()-c.kept.Len() < len(b) {
		c.kept.Reset()
		c.kept.Grow(max(min(len(c.raw)/2, 384), len(b)))
	}
	at := c.kept.Len()
	c.kept.Write(b)
	return c.kept.String()[at:]
}

// header reads what every consumer needs.
func (c *check) header() *Object {
	o := &Object{Raw: c.raw, Confidence: -1}
	for i := c.first(0); i != 0 && c.err == nil; i = c.nodes[i].next {
		n := &c.nodes[i]
		name := c.keyBytes(i)
		switch string(name) {
		case "type":
			if n.kind != kindString {
				c.refuse(i, "must be a string, not %s", n.kind)
				continue
			}
			o.Type = intern(c.text(i))
			if reason := typeFault(o.Type); reason != "" {
				c.refuse(i, "%s", reason)
			}
		case "id":
			if n.kind != kindString {
				c.refuse(i, "must be a string, not %s", n.kind)
				continue
			}
			id := c.text(i)
			if reason := idFault(id); reason != "" {
				c.refuse(i, "%s", reason)
			}
			o.ID = ID(c.keep(id))
		case "spec_version":
			o.SpecVersion = intern(c.stringAt(i))
		case "created":
			o.Created = c.timeAt(i)
		case "modified":
			o.Modified = c.timeAt(i)
		case "created_by_ref":
			if n.kind == kindString && idFault(c.text(i)) == "" {
				o.CreatedByRef = ID(c.keep(c.text(i)))
			}
		case "object_marking_refs":
			// An unreadable marking would be a marking ignored: refused in both modes.
			o.MarkingRefs = c.ids(i)
		case "granular_markings":
			o.Granular = c.granular(i)
		case "labels":
			o.Labels = c.strings(i)
		case "confidence":
			if v, err := strconv.Atoi(string(c.raw[n.start:n.end])); n.kind == kindNumber && err == nil && v >= 0 && v <= 100 {
				o.Confidence = v
			}
		case "lang":
			o.Lang = intern(c.stringAt(i))
		case "revoked":
			o.Revoked = n.kind == kindTrue
		case "external_references":
			o.ExternalReferences = c.externals(i)
		}
	}
	if c.err != nil {
		return o
	}
	switch {
	case o.Type == "":
		c.refuse(0, "property type is required")
	case o.Type == "bundle":
		c.refuse(0, "is a bundle, not an object")
	case o.ID == "":
		c.refuse(0, "property id is required")
	case o.ID.Type() != o.Type:
		c.refuse(c.child(0, "id"), "names the type %s, but the object's type is %s", o.ID.Type(), o.Type)
	}
	o.Name = c.title(o.Type)
	o.refs = c.collect(0, o.CreatedByRef, nil)
	return o
}

// titles gives for each type without a name the properties that best stand
// for one, best first.
var titles = map[string][]string{
	"artifact":             {"url", "mime_type"},
	"autonomous-system":    {"name", "number"},
	"directory":            {"path"},
	"email-addr":           {"value", "display_name"},
	"email-message":        {"subject", "message_id"},
	"impact":               {"impact_category"},
	"language-content":     {"object_ref"},
	"malware-analysis":     {"result_name", "product"},
	"marking-definition":   {"name", "definition_type"},
	"network-traffic":      {"dst_port"},
	"note":                 {"abstract", "content"},
	"opinion":              {"opinion"},
	"process":              {"command_line", "pid"},
	"relationship":         {"relationship_type"},
	"user-account":         {"display_name", "account_login", "user_id"},
	"windows-registry-key": {"key"},
	"x509-certificate":     {"subject", "serial_number"},
	"indicator":            {"name", "pattern"},
	"location":             {"name", "city", "administrative_area", "country", "region"},
	"":                     {"name", "value"},
}

// title finds the object's name.
func (c *check) title(typ string) string {
	names := titles[typ]
	if names == nil {
		names = titles[""]
	}
	for _, name := range names {
		if at := c.child(0, name); at != 0 && (c.nodes[at].kind == kindString || c.nodes[at].kind == kindNumber) {
			if known, ok := known[string(c.text(at))]; ok {
				return known
			}
			return c.keep(c.text(at))
		}
	}
	return ""
}

func (c *check) stringAt(i uint32) []byte {
	if c.nodes[i].kind != kindString {
		return nil
	}
	return c.text(i)
}

func (c *check) timeAt(i uint32) Timestamp {
	t, _ := parseTimestamp(c.stringAt(i))
	return t
}

// strings gives the strings of an array; other elements are left out.
func (c *check) strings(at uint32) []string {
	if c.nodes[at].kind != kindArray {
		return nil
	}
	out := make([]string, 0, c.nodes[at].count)
	for i := c.first(at); i != 0; i = c.nodes[i].next {
		if c.nodes[i].kind == kindString {
			out = append(out, string(c.text(i)))
		}
	}
	return out
}

// ids reads a list of identifiers whose loss would be unsafe.
func (c *check) ids(at uint32) []ID {
	if c.nodes[at].kind != kindArray {
		c.refuse(at, "must be an array, not %s", c.nodes[at].kind)
		return nil
	}
	if int(c.nodes[at].count) > c.lim.Refs {
		c.refuse(at, "holds more than %d references", c.lim.Refs)
		return nil
	}
	out := make([]ID, 0, c.nodes[at].count)
	for i := c.first(at); i != 0; i = c.nodes[i].next {
		out = append(out, c.markingID(i))
	}
	return out
}

func (c *check) markingID(i uint32) ID {
	if c.nodes[i].kind != kindString {
		c.refuse(i, "must be an identifier, not %s", c.nodes[i].kind)
		return ""
	}
	b := c.text(i)
	if id, ok := officialIDs[string(b)]; ok {
		return id
	}
	if reason := idFault(b); reason != "" {
		c.refuse(i, "%s", reason)
	}
	return ID(c.keep(b))
}

func (c *check) granular(at uint32) []GranularMarking {
	if c.nodes[at].kind != kindArray {
		c.refuse(at, "must be an array, not %s", c.nodes[at].kind)
		return nil
	}
	out := make([]GranularMarking, 0, c.nodes[at].count)
	for i := c.first(at); i != 0; i = c.nodes[i].next {
		if c.nodes[i].kind != kindObject {
			c.refuse(i, "must be an object, not %s", c.nodes[i].kind)
			return nil
		}
		var g GranularMarking
		if r := c.child(i, "marking_ref"); r != 0 {
			g.MarkingRef = c.markingID(r)
		}
		if r := c.child(i, "lang"); r != 0 {
			g.Lang = string(c.stringAt(r))
		}
		if r := c.child(i, "selectors"); r != 0 {
			g.Selectors = c.strings(r)
		}
		out = append(out, g)
	}
	return out
}

func (c *check) externals(at uint32) []ExternalReference {
	if c.nodes[at].kind != kindArray {
		return nil
	}
	out := make([]ExternalReference, 0, c.nodes[at].count)
	for i := c.first(at); i != 0; i = c.nodes[i].next {
		if c.nodes[i].kind != kindObject {
			continue
		}
		var e ExternalReference
		for j := c.first(i); j != 0; j = c.nodes[j].next {
			switch string(c.keyBytes(j)) {
			case "source_name":
				e.SourceName = intern(c.stringAt(j))
			case "description":
				e.Description = c.keep(c.stringAt(j))
			case "url":
				e.URL = c.keep(c.stringAt(j))
			case "external_id":
				e.ExternalID = c.keep(c.stringAt(j))
			case "hashes":
				for k := c.first(j); k != 0 && c.nodes[j].kind == kindObject; k = c.nodes[k].next {
					if e.Hashes == nil {
						e.Hashes = make(map[string]string)
					}
					e.Hashes[c.key(k)] = string(c.stringAt(k))
				}
			}
		}
		out = append(out, e)
	}
	return out
}

// collect appends the references below container at. creator is the object's
// created_by_ref, whose text is shared. The path to at is in c.where: asking
// for it anew each time would walk long lists once for every item.
func (c *check) collect(at uint32, creator ID, refs []Ref) []Ref {
	index := 0
	for i := c.first(at); i != 0 && c.err == nil; i, index = c.nodes[i].next, index+1 {
		n := &c.nodes[i]
		if n.kind < kindString {
			continue
		}
		name := c.keyBytes(i)
		switch {
		case n.kind == kindString:
			if hasSuffix(name, "_ref") {
				refs = c.collectOne(i, i, name, creator, refs)
			}
			continue
		case at == 0 && (string(name) == "object_marking_refs" || string(name) == "granular_markings"):
			continue
		case n.kind == kindArray && hasSuffix(name, "_refs"):
			for j := c.first(i); j != 0 && c.err == nil; j = c.nodes[j].next {
				if c.nodes[j].kind == kindString {
					refs = c.collectOne(i, j, name, creator, refs)
				}
			}
		}
		if n.count > 0 {
			before := len(c.where)
			if c.nodes[at].kind == kindArray {
				c.where = strconv.AppendInt(append(c.where, '['), int64(index), 10)
				c.where = append(c.where, ']')
			} else {
				c.where = c.join(name)
			}
			refs = c.collect(i, creator, refs)
			c.where = c.where[:before]
		}
	}
	return refs
}

// join appends a name to the path in c.where.
func (c *check) join(name []byte) []byte {
	if len(c.where) > 0 {
		c.where = append(c.where, '.')
	}
	return append(c.where, name...)
}

// collectOne appends the reference in string node j of property i.
func (c *check) collectOne(i, j uint32, name []byte, creator ID, refs []Ref) []Ref {
	b := c.text(j)
	if idFault(b) != "" {
		return refs
	}
	if len(refs) >= c.lim.Refs {
		c.err = &Error{Path: c.path(i), Offset: int(c.nodes[j].start), limit: true, Reason: fmt.Sprintf("object holds more than %d references", c.lim.Refs)}
		return refs
	}
	id := creator
	if string(b) != string(creator) {
		id = ID(c.keep(b))
	}
	if refs == nil {
		refs = make([]Ref, 0, 3)
	}
	return append(refs, Ref{Path: c.refPath(name), ID: id})
}

func hasSuffix(b []byte, s string) bool {
	return len(b) > len(s) && string(b[len(b)-len(s):]) == s
}

func (c *check) refPath(name []byte) string {
	if len(c.where) == 0 {
		return intern(name)
	}
	before := len(c.where)
	path := c.keep(c.join(name))
	c.where = c.where[:before]
	return path
}

// known holds strings that nearly every object repeats.
var known = func() map[string]string {
	m := make(map[string]string)
	for _, s := range []string{
		"2.0", "2.1", "en",
		"attack-pattern", "campaign", "course-of-action", "grouping", "identity", "incident", "indicator",
		"infrastructure", "intrusion-set", "location", "malware", "malware-analysis", "note", "observed-data",
		"opinion", "report", "threat-actor", "tool", "vulnerability", "relationship", "sighting",
		"marking-definition", "language-content", "extension-definition",
		"artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file",
		"ipv4-addr", "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process", "software", "url",
		"user-account", "windows-registry-key", "x509-certificate",
		"created_by_ref", "source_ref", "target_ref", "sighting_of_ref", "where_sighted_refs", "observed_data_refs",
		"object_refs", "object_ref", "sample_refs", "operating_system_refs", "resolves_to_refs", "belongs_to_refs",
		"parent_directory_ref", "contains_refs", "content_ref", "host_vm_ref", "analysis_sco_refs", "sample_ref",
		"uses", "mitigates", "detects", "indicates", "attributed-to", "targets", "related-to", "based-on", "revoked-by",
		"derived-from", "duplicate-of", "subtechnique-of", "communicates-with", "consists-of", "delivers", "located-at",
		"src_ref", "dst_ref", "parent_ref", "child_refs", "image_ref", "creator_user_ref", "opened_connection_refs",
	} {
		m[s] = s
	}
	return m
}()

func intern(b []byte) string {
	if s, ok := known[string(b)]; ok {
		return s
	}
	return string(b)
}
