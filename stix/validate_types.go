package stix

import (
	"strconv"
	"strings"
)

// extended says what the extensions of an object declare.
type extended struct {
	toplevel bool // some extension puts properties on the object itself
	newType  bool // some extension defines the object's type
}

// extensions checks the extensions property (STIX 2.1, 3.7 and 7.3).
func (c *check) extensions(o *Object, s *shape) (e extended) {
	at := c.child(0, "extensions")
	if at == 0 {
		return e
	}
	if c.nodes[at].kind != kindObject {
		c.violation(at, "must be an object, not %s", c.nodes[at].kind)
		return e
	}
	if c.nodes[at].count == 0 {
		c.violation(at, "must not be an empty dictionary")
	}
	for i := c.first(at); i != 0 && c.err == nil; i = c.nodes[i].next {
		key := c.key(i)
		if c.nodes[i].kind != kindObject {
			c.violation(i, "must be an object, not %s", c.nodes[i].kind)
			continue
		}
		typ := c.child(i, "extension_type")
		if typ != 0 {
			switch string(c.stringAt(typ)) {
			case "toplevel-property-extension":
				e.toplevel = true
			case "new-sdo", "new-sco", "new-sro":
				e.newType = true
			}
		}
		var known *shape
		if s != nil {
			known = s.exts[key]
		}
		switch {
		case known != nil:
			c.shape(i, known, false)
		case strings.HasPrefix(key, "extension-definition--"):
			if reason := idFault(key); reason != "" {
				c.violation(i, "has a key that %s", reason)
			}
			if typ == 0 {
				c.violation(i, "property extension_type is required")
			} else if terms := vocabulary["extension-type-enum"]; !terms[string(c.stringAt(typ))] {
				c.violation(typ, "%q is not in extension-type-enum", clip(string(c.stringAt(typ))))
			}
		case !c.v20:
			c.violation(i, "is neither a predefined extension of %s nor an extension definition", clip(o.Type))
		}
	}
	return e
}

// unknownType judges an object whose type the tables do not have: an extension
// brings it, or it is a custom type of STIX 2.0, whose name begins with x-.
func (c *check) unknownType(o *Object, e extended) {
	if !e.newType && !c.v20 && !strings.HasPrefix(o.Type, "x-") {
		c.violation(c.child(0, "type"), "%q is no type of STIX 2.1, and no extension of the object brings it", clip(o.Type))
	}
	base := shapes["identity"].props // the common properties of domain objects
	for i := c.first(0); i != 0 && c.err == nil; i = c.nodes[i].next {
		name := c.keyBytes(i)
		switch string(name) {
		case "type", "id":
		case "spec_version", "created_by_ref", "created", "modified", "revoked", "labels", "confidence", "lang",
			"external_references", "object_marking_refs", "granular_markings", "extensions":
			c.property(i, base[string(name)])
		default:
			c.unknownProperty(i, name, true)
		}
	}
	if !o.Created.IsZero() && !o.Modified.IsZero() && o.Modified.Compare(o.Created) < 0 {
		c.violation(c.child(0, "modified"), "is before created")
	}
	c.selectors(o)
}

// selectors checks that granular markings mark something (STIX 2.1, 7.2.3.1).
// A selector that finds nothing is a marking that its producer believes in and
// no reader can apply.
func (c *check) selectors(o *Object) {
	if len(o.Granular) == 0 {
		return
	}
	list := c.child(0, "granular_markings")
	for g := c.first(list); g != 0; g = c.nodes[g].next {
		if c.nodes[g].kind != kindObject {
			continue
		}
		at := c.child(g, "selectors")
		if at == 0 || c.nodes[at].kind != kindArray {
			continue
		}
		for i := c.first(at); i != 0; i = c.nodes[i].next {
			if sel := string(c.stringAt(i)); c.selected(sel) == 0 {
				c.violation(i, "the selector %q selects nothing", clip(sel))
			}
		}
	}
}

// maxSelectorSteps bounds the work of following selectors in one object.
const maxSelectorSteps = 10_000_000

// selected finds the node that a granular-marking selector names, 0 for none.
func (c *check) selected(selector string) uint32 {
	at := uint32(0)
	for part := range strings.SplitSeq(selector, ".") {
		// Each step may pass all children: bound the sum over all selectors.
		if c.steps += int(c.nodes[at].count); c.steps > maxSelectorSteps {
			if c.err == nil {
				c.err = &Error{Path: "granular_markings", Offset: -1, limit: true, Reason: "the selectors take too many steps to follow"}
			}
			return 0
		}
		if strings.HasPrefix(part, "[") && strings.HasSuffix(part, "]") {
			n, err := strconv.Atoi(part[1 : len(part)-1])
			if err != nil || n < 0 || c.nodes[at].kind != kindArray || n >= int(c.nodes[at].count) {
				return 0
			}
			for at = c.first(at); n > 0; n-- {
				at = c.nodes[at].next
			}
			continue
		}
		if at = c.child(at, part); at == 0 {
			return 0
		}
	}
	return at
}

// markingDefinition checks STIX 2.1, 7.2.1: a definition, or an extension.
func (c *check) markingDefinition(o *Object) {
	typ, def := c.child(0, "definition_type"), c.child(0, "definition")
	if c.child(0, "extensions") == 0 || typ != 0 || def != 0 {
		switch {
		case typ == 0:
			c.missing(0, "definition_type")
		case def == 0:
			c.missing(0, "definition")
		case c.nodes[def].kind != kindObject:
			c.violation(def, "must be an object, not %s", c.nodes[def].kind)
		default:
			c.definition(string(c.stringAt(typ)), typ, def)
		}
	}
	if _, ok := official[o.ID]; ok && !SameAsOfficial(o) {
		// Refused in both modes: whoever trusts the id would read another marking.
		c.refuse(0, "has the id of an official TLP marking, but other content")
	}
	if _, ok := officialPAP[o.ID]; ok && !SameAsOfficial(o) {
		c.refuse(0, "has the id of an official PAP marking, but other content")
	}
}

func (c *check) definition(kind string, typ, def uint32) {
	prop := ""
	switch kind {
	case "tlp":
		prop = "tlp"
	case "statement":
		prop = "statement"
	default:
		c.note(Advice, typ, "%q is not a marking type of STIX 2.1", clip(kind))
		return
	}
	at := c.child(def, prop)
	switch {
	case at == 0:
		c.missing(def, prop)
	case c.nodes[at].kind != kindString:
		c.violation(at, "must be a string, not %s", c.nodes[at].kind)
	case kind == "tlp" && !vocabulary["tlp1-enum"][string(c.text(at))]:
		c.violation(at, "%q is not in tlp1-enum", clip(string(c.text(at))))
	}
}

// observedData checks the deprecated objects property (STIX 2.1, 4.14).
func (c *check) observedData() {
	at := c.child(0, "objects")
	if at == 0 {
		return
	}
	if c.nodes[at].kind != kindObject || c.nodes[at].count == 0 {
		c.violation(at, "must be a dictionary of observables that is not empty")
		return
	}
	if !c.v20 {
		c.note(Advice, at, "is deprecated in favour of object_refs")
	}
	for i := c.first(at); i != 0 && c.err == nil; i = c.nodes[i].next {
		typ := c.child(i, "type")
		if c.nodes[i].kind != kindObject || typ == 0 {
			c.violation(i, "must be an observable with a type")
			continue
		}
		if s := shapes[string(c.stringAt(typ))]; s != nil && s.class != "sco" {
			c.violation(typ, "%s is no cyber-observable type", s.name)
		}
	}
}

func (c *check) emailMessage() {
	multi, at := c.child(0, "is_multipart"), c.child(0, "body_multipart")
	switch {
	case multi == 0:
	case c.nodes[multi].kind == kindTrue && c.child(0, "body") != 0:
		c.violation(c.child(0, "body"), "must not be present where is_multipart is true")
	case c.nodes[multi].kind == kindFalse && at != 0:
		c.violation(at, "must not be present where is_multipart is false")
	}
}

// anyOwn reports whether the object has a property beyond the common ones.
func (c *check) anyOwn(s *shape) bool {
	for i := c.first(0); i != 0; i = c.nodes[i].next {
		switch string(c.keyBytes(i)) {
		case "type", "id", "spec_version", "object_marking_refs", "granular_markings", "defanged":
		default:
			return true
		}
	}
	return false
}

// languageContent checks that contents maps languages to properties.
func (c *check) languageContent() {
	at := c.child(0, "contents")
	if at == 0 || c.nodes[at].kind != kindObject {
		return
	}
	for i := c.first(at); i != 0; i = c.nodes[i].next {
		if c.nodes[i].kind != kindObject {
			c.violation(i, "must be an object of translated properties, not %s", c.nodes[i].kind)
		}
	}
}
