package stix

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// ID is a STIX identifier, "type--uuid" (STIX 2.1, 2.9). The UUID keeps the
// letter case of its producer: ids are compared byte for byte.
type ID string

// uuidLen is the length of a UUID in its 8-4-4-4-12 text form.
const uuidLen = 36

// ParseID checks that s is an object type, two hyphens and a UUID in text
// form. It does not ask for a version or variant of the UUID; see [ID.RFCUUID].
func ParseID(s string) (ID, error) {
	if reason := idFault(s); reason != "" {
		return "", fmt.Errorf("id %q: %s", clip(s), reason)
	}
	return ID(s), nil
}

// idFault says what keeps s from being an identifier, or "".
func idFault[T string | []byte](s T) string {
	if len(s) == 0 {
		return "is empty"
	}
	cut := len(s) - uuidLen - 2
	if cut < 1 || s[cut] != '-' || s[cut+1] != '-' {
		return "is not of the form type--uuid"
	}
	if reason := typeFault(s[:cut]); reason != "" {
		return reason
	}
	u := s[cut+2:]
	if u[8] != '-' || u[13] != '-' || u[18] != '-' || u[23] != '-' {
		return "has a UUID that is not of the form 8-4-4-4-12"
	}
	for i := 0; i < uuidLen; i++ {
		if hexClass[u[i]] == 0 || hexClass[u[i]] == 2 && i != 8 && i != 13 && i != 18 && i != 23 {
			return "has a UUID with a character that is not hexadecimal"
		}
	}
	return ""
}

// hexClass is 1 for a hexadecimal digit and 2 for a hyphen.
var hexClass = func() (t [256]uint8) {
	for _, c := range []byte("0123456789abcdefABCDEF") {
		t[c] = 1
	}
	t['-'] = 2
	return t
}()

// typeFault says what keeps s from being an object type name (STIX 2.1, 11.2:
// 3 to 250 of a-z, 0-9 and single hyphens), or "".
func typeFault[T string | []byte](s T) string {
	if len(s) < 3 || len(s) > 250 {
		return "has a type name that is not 3 to 250 characters long"
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '-' && i > 0 && i < len(s)-1 && s[i-1] != '-':
		default:
			return "has a type name with a character other than a-z, 0-9 and single hyphens"
		}
	}
	return ""
}

func isHex(c byte) bool { return hexClass[c] == 1 }

// Type is the object type that the id names, "" when id is no identifier.
func (id ID) Type() string {
	if cut := len(id) - uuidLen - 2; cut > 0 && id[cut:cut+2] == "--" {
		return string(id[:cut])
	}
	return ""
}

// UUID is the part after the type, "" when id is no identifier.
func (id ID) UUID() string {
	if cut := len(id) - uuidLen; cut > 2 && id[cut-2:cut] == "--" {
		return string(id[cut:])
	}
	return ""
}

// RFCUUID reports whether the UUID has the variant and a version (1 to 8) of
// RFC 4122 and RFC 9562, as the specification asks.
func (id ID) RFCUUID() bool {
	u := id.UUID()
	return len(u) == uuidLen && u[14] >= '1' && u[14] <= '8' && strings.IndexByte("89abAB", u[19]) >= 0
}

// NewID makes a random identifier (UUIDv4) for an object of type typ.
func NewID(typ string) ID {
	var u [16]byte
	rand.Read(u[:]) // never fails: crypto/rand ends the process instead
	return idOf(typ, u, 4)
}

// idOf formats an identifier from 16 bytes, with version and RFC variant set.
func idOf(typ string, u [16]byte, version byte) ID {
	u[6] = u[6]&0x0f | version<<4
	u[8] = u[8]&0x3f | 0x80
	b := make([]byte, 0, len(typ)+2+uuidLen)
	b = append(append(b, typ...), "--"...)
	b = append(hex.AppendEncode(b, u[0:4]), '-')
	b = append(hex.AppendEncode(b, u[4:6]), '-')
	b = append(hex.AppendEncode(b, u[6:8]), '-')
	b = append(hex.AppendEncode(b, u[8:10]), '-')
	b = hex.AppendEncode(b, u[10:16])
	return ID(b)
}

// clip shortens outside text for an error message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
