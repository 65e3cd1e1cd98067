package stix

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"vigil/stix/pattern"
)

// validate checks the object against the tables of the specification.
func (c *check) validate(o *Object, bundleVersion string) {
	s := shapes[o.Type]
	class := ""
	if s != nil {
		class = s.class
	}
	if o.SpecVersion == "" && class != "sco" && (bundleVersion == "2.0" || o.Type != "" && s != nil) {
		// STIX 2.0 has no spec_version on objects; 2.1 asks for it on all but
		// cyber-observables.
		if bundleVersion == "2.0" || bundleVersion == "" && c.looks20(o) {
			o.SpecVersion = "2.0"
			c.note(Advice, 0, "read as STIX 2.0, which has no spec_version on objects")
		}
	}
	c.v20 = o.SpecVersion == "2.0"
	if !o.ID.RFCUUID() {
		c.violation(c.child(0, "id"), "has a UUID without the version and variant of RFC 4122")
	}
	ext := c.extensions(o, s)
	if s == nil {
		c.unknownType(o, ext)
		return
	}
	if def := typeExtensions[o.Type]; def != "" && !ext.newType {
		c.violation(0, "the type %s needs the extension %s", o.Type, def)
	}
	c.shape(0, s, ext.toplevel)
	c.selectors(o)
	switch o.Type {
	case "indicator":
		c.indicator()
	case "relationship":
		c.relationship()
	case "marking-definition":
		c.markingDefinition(o)
	case "observed-data":
		c.observedData()
	case "malware":
		if at := c.child(0, "is_family"); at != 0 && c.nodes[at].kind == kindTrue && c.child(0, "name") == 0 {
			c.missing(0, "name")
		}
	case "network-traffic":
		if c.child(0, "end") != 0 {
			if at := c.child(0, "is_active"); at == 0 || c.nodes[at].kind != kindFalse {
				c.violation(0, "property is_active must be false where end is present")
			}
		}
	case "email-message":
		c.emailMessage()
	case "process":
		if !c.anyOwn(s) {
			c.violation(0, "a process needs at least one property of its own")
		}
	case "language-content":
		c.languageContent()
	}
}

// looks20 tells an object of STIX 2.0 from a 2.1 object that lacks its
// spec_version: none of the types and properties that 2.1 added is there.
func (c *check) looks20(o *Object) bool {
	switch o.Type {
	case "grouping", "incident", "infrastructure", "location", "malware-analysis", "note", "opinion",
		"language-content", "extension-definition", "event", "impact", "task":
		return false
	case "indicator":
		return c.child(0, "pattern_type") == 0
	case "malware":
		return c.child(0, "is_family") == 0
	}
	for _, name := range []string{"confidence", "lang", "extensions"} {
		if c.child(0, name) != 0 {
			return false
		}
	}
	return true
}

// optional20 are required properties of 2.1 that 2.0 did not have.
var optional20 = map[string]bool{"spec_version": true, "pattern_type": true, "is_family": true}

// shape checks the properties of node at against s. In an object with a
// toplevel-property-extension unknown properties are the extension's.
func (c *check) shape(at uint32, s *shape, extended bool) {
	var seen uint64
	var slots [maxSlots + 1]uint32
	for i := c.first(at); i != 0 && c.err == nil; i = c.nodes[i].next {
		name := c.keyBytes(i)
		p := s.props[string(name)]
		if p == nil {
			c.unknownProperty(i, name, extended)
			continue
		}
		seen |= p.required
		slots[p.slot] = i
		c.property(i, p)
	}
	if missing := (uint64(1)<<len(s.names) - 1) &^ seen; missing != 0 {
		for k, name := range s.names {
			if missing>>k&1 == 1 && !(c.v20 && optional20[name]) {
				c.missing(at, name)
			}
		}
	}
	for i := range s.rules {
		c.rule(at, &s.rules[i], &slots)
	}
}

// unknownProperty judges a property that the tables do not know. Names that
// begin with x_ are the custom properties of STIX 2.0, which 2.1 still reads.
func (c *check) unknownProperty(i uint32, name []byte, extended bool) {
	n := &c.nodes[i]
	if n.kind == kindNull {
		c.violation(i, "must not be null")
	}
	for _, ch := range name {
		if !(ch >= 'a' && ch <= 'z' || ch >= '0' && ch <= '9' || ch == '_') || len(name) > 250 {
			c.violation(i, "is no property name: a-z, 0-9 and _ are allowed, at most 250 characters")
			return
		}
	}
	if !extended && !c.v20 && !(len(name) > 2 && name[0] == 'x' && name[1] == '_') {
		c.violation(i, "is no property of this type, and no extension of the object brings it")
	}
	if n.kind == kindArray && n.count == 0 {
		c.violation(i, "must not be an empty list")
	}
}

func (c *check) property(i uint32, p *prop) {
	if !p.list {
		c.value(i, p)
		return
	}
	n := &c.nodes[i]
	if n.kind != kindArray {
		c.violation(i, "must be a list, not %s", n.kind)
		return
	}
	if n.count == 0 {
		c.violation(i, "must not be an empty list")
		return
	}
	for j := c.first(i); j != 0 && c.err == nil; j = c.nodes[j].next {
		c.value(j, p)
	}
}

func (c *check) value(i uint32, p *prop) {
	n := &c.nodes[i]
	switch p.kind {
	case anyProp:
		if n.kind == kindNull {
			c.violation(i, "must not be null")
		}
		return
	case boolProp:
		if n.kind != kindTrue && n.kind != kindFalse {
			c.violation(i, "must be a boolean, not %s", n.kind)
		}
		return
	case intProp, floatProp:
		c.number(i, p)
		return
	case hashesProp:
		c.hashes(i)
		return
	case dictProp:
		c.dict(i)
		return
	case structProp:
		if n.kind != kindObject {
			c.violation(i, "must be an object, not %s", n.kind)
			return
		}
		c.shape(i, p.shape, c.v20)
		return
	}
	if n.kind != kindString {
		c.violation(i, "must be a string, not %s", n.kind)
		return
	}
	if p.kind == stringProp {
		return
	}
	b := c.text(i)
	switch p.kind {
	case timeProp, millisProp:
		t, reason := parseTimestamp(b)
		if reason != "" {
			c.violation(i, "%s", reason)
		} else if p.kind == millisProp && t.Digits() < 3 {
			c.violation(i, "must be precise to the millisecond: three fractional digits or more")
		}
	case hexProp:
		if len(b)%2 != 0 || !allHex(b) {
			c.violation(i, "must be an even number of hexadecimal digits")
		}
	case binaryProp:
		if _, err := base64.StdEncoding.Strict().DecodeString(string(b)); err != nil {
			c.violation(i, "must be base64")
		}
	case vocabProp:
		if !p.terms[string(b)] && !c.v20 {
			c.note(Advice, i, "%q is not in the open vocabulary %s", clip(string(b)), p.vocab)
		}
	case enumProp:
		if !p.terms[string(b)] {
			c.violation(i, "%q is not in %s", clip(string(b)), p.vocab)
		}
	case refProp:
		c.ref(i, b, &p.refs)
	}
}

func (c *check) ref(i uint32, b []byte, r *refRule) {
	if reason := idFault(b); reason != "" {
		c.violation(i, "%s", reason)
		return
	}
	if typ := b[:len(b)-uuidLen-2]; !r.allows(typ) {
		c.violation(i, "must name one of %s, not %s", r.text, typ)
	}
}

func (c *check) number(i uint32, p *prop) {
	n := &c.nodes[i]
	if n.kind != kindNumber {
		if p.kind == intProp {
			c.violation(i, "must be an integer, not %s", n.kind)
		} else {
			c.violation(i, "must be a number, not %s", n.kind)
		}
		return
	}
	text := string(c.raw[n.start:n.end])
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) {
		c.violation(i, "is a number out of range")
		return
	}
	if p.kind == intProp {
		if strings.ContainsAny(text, ".eE") {
			c.violation(i, "must be an integer, not %s", clip(text))
			return
		}
		// STIX 2.1, 2.7: integers fit 53 bits.
		if math.Abs(v) > 1<<53-1 {
			c.violation(i, "is an integer beyond 2^53-1")
		}
	}
	if p.bounded[0] && v < p.low || p.bounded[1] && v > p.high {
		c.violation(i, "%s is outside %s to %s", clip(text), bound(p.bounded[0], p.low), bound(p.bounded[1], p.high))
	}
}

func bound(known bool, v float64) string {
	if !known {
		return "any"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func allHex(b []byte) bool {
	for _, c := range b {
		if !isHex(c) {
			return false
		}
	}
	return len(b) > 0
}

// hashForm gives for each algorithm of hash-algorithm-ov the length of its
// text in hexadecimal digits, 0 for those of another form.
var hashForm = map[string]int{
	"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128, "SHA3-256": 64, "SHA3-512": 128, "SSDEEP": 0, "TLSH": 0,
}

// hashes checks a hash dictionary (STIX 2.1, 2.6).
func (c *check) hashes(i uint32) {
	if !c.dict(i) {
		return
	}
	for j := c.first(i); j != 0; j = c.nodes[j].next {
		name := c.key(j)
		if c.nodes[j].kind != kindString {
			c.violation(j, "must be a string, not %s", c.nodes[j].kind)
			continue
		}
		digits, known := hashForm[name]
		switch b := c.text(j); {
		case !known:
			if len(name) < 3 {
				c.violation(j, "names a hash algorithm in less than three characters")
			} else if !c.v20 {
				c.note(Advice, j, "%q is not in the open vocabulary hash-algorithm-ov", clip(name))
			}
		case digits > 0 && (len(b) != digits || !allHex(b)):
			c.violation(j, "is no %s: %d hexadecimal digits are expected", name, digits)
		case len(b) == 0:
			c.violation(j, "is empty")
		}
	}
}

// dict checks a dictionary (STIX 2.1, 2.4).
func (c *check) dict(i uint32) bool {
	n := &c.nodes[i]
	if n.kind != kindObject {
		c.violation(i, "must be an object, not %s", n.kind)
		return false
	}
	if n.count == 0 {
		c.violation(i, "must not be an empty dictionary")
		return false
	}
	for j := c.first(i); j != 0; j = c.nodes[j].next {
		m := &c.nodes[j]
		if m.kind == kindNull {
			c.violation(j, "must not be null")
		}
		name := c.raw[m.keyStart:m.keyEnd]
		ok := len(name) > 0 && len(name) <= 250 && !m.keyEscaped
		for _, ch := range name {
			ok = ok && (ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || ch == '_' || ch == '-')
		}
		if !ok {
			c.violation(j, "is no dictionary key: letters, digits, - and _ are allowed, 1 to 250 of them")
		}
	}
	return true
}

func (c *check) rule(at uint32, r *rule, slots *[maxSlots + 1]uint32) {
	switch r.kind {
	case "order", "after":
		first, second := slots[r.slots[0]], slots[r.slots[1]]
		if first == 0 || second == 0 {
			return
		}
		a, b := c.timeAt(first), c.timeAt(second)
		if a.IsZero() || b.IsZero() {
			return
		}
		if cmp := b.Compare(a); cmp < 0 {
			c.violation(second, "is before %s", r.props[0])
		} else if cmp == 0 && r.kind == "after" {
			c.violation(second, "must be later than %s", r.props[0])
		}
	case "some":
		for _, s := range r.slots {
			if slots[s] != 0 {
				return
			}
		}
		c.violation(at, "one of the properties %s is required", strings.Join(r.props, ", "))
	case "one":
		n := 0
		for _, s := range r.slots {
			if slots[s] != 0 {
				n++
			}
		}
		if n > 1 {
			c.violation(at, "the properties %s exclude each other", strings.Join(r.props, ", "))
		}
	case "needs":
		if slots[r.slots[0]] == 0 {
			return
		}
		for k, s := range r.slots[1:] {
			if slots[s] == 0 {
				c.violation(at, "property %s asks for %s", r.props[0], r.props[k+1])
			}
		}
	}
}

// indicator checks a STIX pattern by its grammar.
func (c *check) indicator() {
	at := c.child(0, "pattern")
	if at == 0 || c.nodes[at].kind != kindString {
		return
	}
	typ := c.child(0, "pattern_type")
	if !(typ == 0 && c.v20) && (typ == 0 || string(c.stringAt(typ)) != "stix") {
		return
	}
	if err := pattern.Check(string(c.text(at))); err != nil {
		c.violation(at, "%s", err)
	}
}
