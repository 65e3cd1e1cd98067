package stix

import (
	"crypto/sha1"
	"fmt"
)

// scoNamespace is the UUIDv5 namespace of cyber-observable ids (STIX 2.1, 2.9).
var scoNamespace = [16]byte{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}

// contributing lists the ID contributing properties of each cyber-observable
// type (STIX 2.1, chapter 6).
var contributing = map[string][]string{
	"artifact":             {"hashes", "payload_bin"},
	"autonomous-system":    {"number"},
	"directory":            {"path"},
	"domain-name":          {"value"},
	"email-addr":           {"value"},
	"email-message":        {"from_ref", "subject", "body"},
	"file":                 {"hashes", "name", "parent_directory_ref", "extensions"},
	"ipv4-addr":            {"value"},
	"ipv6-addr":            {"value"},
	"mac-addr":             {"value"},
	"mutex":                {"name"},
	"network-traffic":      {"start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"},
	"process":              {},
	"software":             {"name", "cpe", "swid", "vendor", "version"},
	"url":                  {"value"},
	"user-account":         {"account_type", "user_id", "account_login"},
	"windows-registry-key": {"key", "values"},
	"x509-certificate":     {"hashes", "serial_number"},
}

// DeterministicID computes the id that a cyber-observable object should have:
// a UUIDv5 over the canonical form of its ID contributing properties. Of
// several hashes the first by the order MD5, SHA-1, SHA-256, SHA-512 counts,
// and any other only when it stands alone. A process, or an object that has
// none of the properties, gets no deterministic id and an error.
func DeterministicID(raw []byte) (ID, error) {
	d, err := scan(raw, DefaultLimits)
	if err != nil {
		return "", fmt.Errorf("deterministic id: %w", err)
	}
	defer d.release()
	typ := ""
	if t := d.child(0, "type"); t != 0 {
		typ = string(d.text(t))
	}
	names, ok := contributing[typ]
	if !ok {
		return "", fmt.Errorf("deterministic id: %q is not a cyber-observable type of STIX 2.1", clip(typ))
	}
	buf := []byte{'{'}
	// The lists above are not sorted, the canonical form is.
	var props []string
	for _, name := range names {
		if d.child(0, name) != 0 {
			props = append(props, name)
		}
	}
	if len(props) == 0 {
		return "", fmt.Errorf("deterministic id: %s has none of the properties that contribute to one", typ)
	}
	sortUTF16(props)
	for k, name := range props {
		if k > 0 {
			buf = append(buf, ',')
		}
		buf = append(appendString(buf, name), ':')
		at := d.child(0, name)
		if name == "hashes" && d.nodes[at].kind == kindObject {
			buf = d.bestHash(buf, at)
			continue
		}
		if buf, err = d.canonical(buf, at); err != nil {
			return "", fmt.Errorf("deterministic id: %w", err)
		}
	}
	buf = append(buf, '}')
	h := sha1.New()
	h.Write(scoNamespace[:])
	h.Write(buf)
	var u [16]byte
	copy(u[:], h.Sum(nil))
	return idOf(typ, u, 5), nil
}

// bestHash writes the one hash that contributes to an id.
func (d *doc) bestHash(dst []byte, at uint32) []byte {
	best := uint32(0)
	for _, name := range []string{"MD5", "SHA-1", "SHA-256", "SHA-512"} {
		if best = d.child(at, name); best != 0 {
			break
		}
	}
	if best == 0 {
		for c := d.first(at); c != 0; c = d.nodes[c].next {
			if best == 0 || d.key(c) < d.key(best) {
				best = c
			}
		}
	}
	dst = append(dst, '{')
	if best != 0 {
		dst = append(appendString(dst, d.key(best)), ':')
		dst = appendString(dst, d.text(best))
	}
	return append(dst, '}')
}
