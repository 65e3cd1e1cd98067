package taxii

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits bound what an envelope may hold (§3.7). A zero field means its
// default.
type Limits struct {
	// MaxObjects is how many objects one envelope may hold; more refuse the
	// whole envelope. Default 50,000.
	MaxObjects int
	// MaxDepth is how deep an object may nest; a deeper one is refused alone.
	// Default 64: STIX itself never needs ten.
	MaxDepth int
	// MaxObjectBytes is how long one object may be; a longer one is refused
	// alone. Default 8 MiB.
	MaxObjectBytes int
}

func (l Limits) withDefaults() Limits {
	if l.MaxObjects <= 0 {
		l.MaxObjects = 50_000
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = 64
	}
	if l.MaxObjectBytes <= 0 {
		l.MaxObjectBytes = 8 << 20
	}
	return l
}

// Header is what TAXII itself needs to know of a STIX object.
type Header struct {
	ID          string
	Type        string
	SpecVersion string // "2.1" or "2.0"; derived as §3.4.1 needs it if absent
	Created     string // as written, "" if absent
	Modified    string // as written, "" if absent
}

// Version is the object's version as TAXII has it: modified, else created,
// else "" (then the store chooses one, §4.3.1).
func (h *Header) Version() string {
	if h.Modified != "" {
		return h.Modified
	}
	return h.Created
}

// Object is one element of an envelope: the producer's exact bytes and the
// header read from them.
type Object struct {
	Header
	Body []byte
	// Problem says why this element is not a STIX object that can be taken;
	// nil if it can. Header then holds what could be read.
	Problem error
}

// envelope is a parsed TAXII envelope. A STIX bundle parses as one too: real
// clients post bundles, real servers answer with them.
type envelope struct {
	more    bool
	next    string
	objects []Object
	listed  bool // the objects member was there
}

// parseEnvelope splits an envelope. Bodies alias data. It fails only where
// the elements can't be told apart or the envelope is over its limits; a bad
// element is kept with its Problem.
func parseEnvelope(data []byte, lim Limits) (*envelope, error) {
	s := &scanner{b: data}
	env := &envelope{}
	if s.next() != '{' {
		return nil, s.fail("an envelope is a JSON object")
	}
	s.i++
	for first := true; ; first = false {
		c := s.next()
		if c == '}' && first {
			break
		}
		if !first {
			if c == '}' {
				break
			}
			if c != ',' {
				return nil, s.fail("want a comma or the end of the envelope")
			}
			s.i++
		}
		raw, escaped, err := s.key()
		if err != nil {
			return nil, err
		}
		at := s.next()
		switch name := unescapeKey(raw, escaped); {
		case name == "objects" && at == '[':
			if env.listed {
				return nil, s.fail("objects given twice")
			}
			env.listed = true
			if env.objects, err = s.elements(lim); err != nil {
				return nil, err
			}
			continue
		case name == "objects":
			return nil, s.fail("objects is not an array")
		case name == "more" && at == 't':
			env.more = true
		case name == "next" && at == '"':
			raw, escaped, err := s.str()
			if err != nil {
				return nil, err
			}
			env.next = unescape(raw, escaped)
			continue
		case name == "next" && (at == '-' || at >= '0' && at <= '9'):
			// Some servers write their row number bare.
			start := s.i
			if err := s.number(); err != nil {
				return nil, err
			}
			env.next = string(s.b[start:s.i])
			continue
		}
		if _, err := s.skip(); err != nil {
			return nil, err
		}
	}
	s.i++
	if s.next(); s.i < len(s.b) {
		return nil, s.fail("text after the envelope")
	}
	return env, nil
}

func unescapeKey(raw []byte, escaped bool) string {
	if !escaped && len(raw) > 12 {
		return "" // longer than any name we know
	}
	return unescape(raw, escaped)
}

// elements reads the array of objects.
func (s *scanner) elements(lim Limits) ([]Object, error) {
	s.i++
	if s.next() == ']' {
		s.i++
		return nil, nil
	}
	var objects []Object
	for {
		if len(objects) >= lim.MaxObjects {
			return nil, s.fail(fmt.Sprintf("more than %d objects in one envelope", lim.MaxObjects))
		}
		s.next()
		start := s.i
		var o Object
		if err := s.object(&o, lim); err != nil {
			return nil, err
		}
		o.Body = s.b[start:s.i:s.i]
		if o.Problem == nil {
			o.Problem = o.check(lim)
		}
		objects = append(objects, o)
		switch s.next() {
		case ',':
			s.i++
		case ']':
			s.i++
			return objects, nil
		default:
			return nil, s.fail("want a comma or the end of the objects")
		}
	}
}

var (
	errNotObject  = errors.New("not a JSON object")
	errDuplicated = errors.New("id, type, spec_version, created or modified is given twice")
	errNotString  = errors.New("id, type, spec_version, created or modified is not a string")
	errUTF8       = errors.New("not valid UTF-8")
	errTooDeep    = errors.New("nested too deeply")
)

// object reads one element: its header if it is an object. A returned error
// is one of syntax and ends the envelope; any other goes to o.Problem.
func (s *scanner) object(o *Object, lim Limits) error {
	if s.next() != '{' {
		o.Problem = errNotObject
		_, err := s.skip()
		return err
	}
	s.i++
	if s.next() == '}' {
		s.i++
		return nil
	}
	var seen uint8
	for {
		raw, escaped, err := s.key()
		if err != nil {
			return err
		}
		if field := headerField(raw, escaped); field != 0 {
			if seen&field != 0 {
				o.Problem = errDuplicated
			}
			seen |= field
			if s.next() == '"' {
				raw, escaped, err := s.str()
				if err != nil {
					return err
				}
				o.set(field, raw, escaped)
			} else {
				o.Problem = errNotString
				if _, err := s.skip(); err != nil {
					return err
				}
			}
		} else {
			depth, err := s.skip()
			if err != nil {
				return err
			}
			if depth >= lim.MaxDepth {
				o.Problem = errTooDeep
			}
		}
		switch s.next() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.fail("want a comma or the end of the object")
		}
	}
}

const (
	fieldID = 1 << iota
	fieldType
	fieldSpec
	fieldCreated
	fieldModified
)

func headerField(raw []byte, escaped bool) uint8 {
	if escaped {
		raw = []byte(unescape(raw, true)) // "\u0069d" is id too
	}
	switch string(raw) {
	case "id":
		return fieldID
	case "type":
		return fieldType
	case "spec_version":
		return fieldSpec
	case "created":
		return fieldCreated
	case "modified":
		return fieldModified
	}
	return 0
}

func (o *Object) set(field uint8, raw []byte, escaped bool) {
	switch field {
	case fieldID:
		o.ID = unescape(raw, escaped)
	case fieldType:
		if n := len(raw); !escaped && n < len(o.ID) && o.ID[:n] == string(raw) {
			o.Type = o.ID[:n] // shares the id's memory
			return
		}
		o.Type = unescape(raw, escaped)
	case fieldSpec:
		if string(raw) == "2.1" {
			o.SpecVersion = "2.1"
			return
		}
		o.SpecVersion = unescape(raw, escaped)
	case fieldCreated:
		o.Created = unescape(raw, escaped)
	case fieldModified:
		o.Modified = unescape(raw, escaped)
	}
}

// check applies what every STIX object must satisfy for TAXII to carry it.
// It also fills in an absent spec_version: only STIX 2.1 has objects without
// created and modified, and only 2.0 has others without spec_version.
func (o *Object) check(lim Limits) error {
	switch {
	case len(o.Body) > lim.MaxObjectBytes:
		return fmt.Errorf("longer than %d bytes", lim.MaxObjectBytes)
	case !utf8.Valid(o.Body):
		return errUTF8
	case o.Type == "":
		return errors.New("has no type")
	case o.ID == "":
		return errors.New("has no id")
	case o.Type == "bundle":
		return errors.New("a bundle is not a STIX object; post what is in it")
	case !validID(o.ID, o.Type):
		return errors.New("id is not its type, two hyphens and a UUID")
	}
	for _, t := range []string{o.Modified, o.Created} {
		if t == "" {
			continue
		}
		if _, err := ParseTime(t); err != nil || !utcForm(t) {
			return errors.New("created or modified is not a STIX timestamp (RFC 3339, UTC, Z)")
		}
	}
	if o.SpecVersion == "" {
		o.SpecVersion = "2.1"
		if o.Version() != "" {
			o.SpecVersion = "2.0"
		}
	} else if o.SpecVersion != "2.1" && o.SpecVersion != "2.0" {
		return fmt.Errorf("spec_version %.20q is not supported", o.SpecVersion)
	}
	return nil
}

// validID is STIX 2.1 §2.9 as far as carrying needs it: object-type--UUID.
func validID(id, typ string) bool {
	if len(id) != len(typ)+38 || len(typ) > 250 || id[:len(typ)] != typ || id[len(typ):len(typ)+2] != "--" {
		return false
	}
	for i := range len(typ) {
		if c := typ[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return validUUID(id[len(typ)+2:])
}

func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
				return false
			}
		}
	}
	return true
}
