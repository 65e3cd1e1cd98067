package taxii

import (
	"strings"
)

// MediaType is what every TAXII 2.1 response carries as its Content-Type, to
// the byte: the OASIS client compares its parameters as text.
const MediaType = "application/taxii+json;version=2.1"

// STIXMediaType is the media type of a STIX 2.1 object in a manifest.
const STIXMediaType = "application/stix+json;version=2.1"

// mediaRange is one element of an Accept header, or a Content-Type.
type mediaRange struct {
	name    string // lower case, for example application/taxii+json
	version string // the version parameter, or ""
	charset string // lower case, or ""
	q       bool   // false only when q is zero
}

func parseMediaRange(s string) mediaRange {
	name, params, _ := strings.Cut(s, ";")
	m := mediaRange{name: strings.ToLower(strings.TrimSpace(name)), q: true}
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		key, value, _ := strings.Cut(p, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "version":
			m.version = value
		case "charset":
			m.charset = strings.ToLower(value)
		case "q":
			m.q = strings.Trim(value, "0.") != ""
		}
	}
	return m
}

// acceptable reports whether a client that sent these Accept headers takes a
// TAXII 2.1 response (§1.6.8, §3.1). The most specific range that covers us
// decides, as RFC 9110 §12.5.1 has it. No Accept header means anything goes.
// application/json and application/stix+json are taken for what real clients
// mean by them.
func acceptable(headers []string) bool {
	best, ok := -1, true
	for _, h := range headers {
		for h != "" {
			var element string
			element, h, _ = strings.Cut(h, ",")
			if element = strings.TrimSpace(element); element == "" {
				continue
			}
			if best < 0 {
				best, ok = 0, false
			}
			m := parseMediaRange(element)
			rank := 0
			switch m.name {
			case "application/taxii+json":
				switch m.version {
				case "2.1":
					rank = 5
				case "":
					rank = 4
				}
			case "application/json", "application/stix+json":
				rank = 3
			case "application/*":
				rank = 2
			case "*/*":
				rank = 1
			}
			if rank == 0 || rank < best {
				continue
			}
			if rank == best {
				ok = ok || m.q
			} else {
				best, ok = rank, m.q
			}
		}
	}
	return ok
}

// postable reports whether a request body of this Content-Type can be an
// envelope. Plain application/json is taken (§3.1 allows it); another version
// of TAXII, another charset or a missing header is not.
func postable(header string) bool {
	m := parseMediaRange(header)
	switch m.name {
	case "application/taxii+json":
		if m.version != "" && m.version != "2.1" {
			return false
		}
	case "application/json":
	default:
		return false
	}
	return m.charset == "" || m.charset == "utf-8" || m.charset == "utf8"
}
