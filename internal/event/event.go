// Package event is the log event as the stages see it: one JSON object, of which time, host and observables are found
// whatever the sensor calls them. Values are borrowed from the event's bytes; parsing allocates nothing once warm.
package event

import (
	"bytes"
	"time"

	"github.com/valyala/fastjson"
)

// Kind is a kind of observable, named as in STIX.
type Kind uint8

// The kinds of observable that a log event can hold.
const (
	Address Kind = iota + 1 // ipv4-addr:value, ipv6-addr:value
	Domain                  // domain-name:value, in lower case, without the final dot
	URL                     // url:value
	Email                   // email-addr:value, in lower case
	MD5                     // file:hashes.MD5, in lower case, as are the next two
	SHA1
	SHA256
	FileName // file:name
)

var kindWords = [...]string{"", "address", "domain name", "URL", "mail address", "MD5", "SHA-1", "SHA-256", "file name"}

// String is the kind in words.
func (k Kind) String() string { return kindWords[k] }

// Observable is a value in an event that intelligence may know, and the field that held it.
type Observable struct {
	Kind  Kind
	Value []byte
	Field string
}

// Event is one parsed event. It is reused: everything in it is valid until the next Parse.
type Event struct {
	Raw []byte
	// Time is when it happened, by its own account; Timed is false where it does not say.
	Time  time.Time
	Timed bool
	// Host is the machine that it speaks of; empty where it names none.
	Host []byte
	// User is the account that acted; empty where it names none.
	User        []byte
	Observables []Observable

	parser  fastjson.Parser
	lowered []byte
	best    [3]int // how good a name time, host and user were found under
}

const maxDepth = 4

// Parse reads an event of at most one MiB. A text that is no JSON object is an error.
func (e *Event) Parse(raw []byte) error {
	e.Raw, e.Timed, e.Host, e.User = raw, false, nil, nil
	e.Observables, e.lowered, e.best = e.Observables[:0], e.lowered[:0], [3]int{99, 99, 99}
	if cap(e.lowered) < len(raw)+256 {
		e.lowered = make([]byte, 0, len(raw)*2+256)
	}
	v, err := e.parser.ParseBytes(raw)
	if err != nil {
		return err
	}
	o, err := v.Object()
	if err != nil {
		return err
	}
	e.object(o, 0)
	return nil
}

func (e *Event) object(o *fastjson.Object, depth int) {
	o.Visit(func(key []byte, v *fastjson.Value) {
		switch v.Type() {
		case fastjson.TypeString:
			e.field(key, v.GetStringBytes(), depth)
		case fastjson.TypeNumber:
			if r, ok := roles[string(key)]; ok && r.what == isTime && r.rank < e.best[0] {
				if f := v.GetFloat64(); f > 1e8 && f < 1e14 {
					for f > 1e11 { // milliseconds, or finer
						f /= 1000
					}
					e.Time, e.Timed, e.best[0] = time.UnixMicro(int64(f*1e6)).UTC(), true, r.rank
				}
			}
		case fastjson.TypeObject:
			if depth < maxDepth {
				if inner, err := v.Object(); err == nil {
					e.object(inner, depth+1)
				}
			}
		}
	})
}

// role is what a field's name says of its value; rank orders names for time, host and user, best first.
type role struct {
	what uint8
	rank int
}

const (
	isTime uint8 = iota + 1
	isHost
	isUser
	isAddress
	isDomain
	isURL
	isEmail
	isHashes
	isHash
	isImage
)

// roles maps the names that sensors use. One name has one role.
var roles = map[string]role{}

func init() {
	for what, names := range map[uint8][]string{
		isTime:    {"UtcTime", "@timestamp", "TimeCreated", "SystemTime", "EventTime", "timestamp", "time", "ts", "eventTime", "event_time"},
		isHost:    {"Computer", "Hostname", "computer_name", "hostname", "host.name", "host_name", "host", "agent_hostname"},
		isUser:    {"User", "TargetUserName", "SubjectUserName", "user", "user_name", "cs-username", "auid"},
		isAddress: {"DestinationIp", "SourceIp", "DestAddress", "SourceAddress", "IpAddress", "dst_ip", "src_ip", "dest_ip", "id.resp_h", "id.orig_h", "c-ip", "s-ip", "client_ip", "dst", "src", "answer", "sourceIPAddress", "rhost"},
		isDomain:  {"QueryName", "query", "DestinationHostname", "dst_host", "dest_host", "cs-host", "r-dns", "qname", "rrname", "host_header"},
		isURL:     {"url", "c-uri", "cs-uri", "uri", "request_url", "Url"},
		isEmail:   {"from", "sender", "mail_from", "recipient", "to", "envelope_from"},
		isHashes:  {"Hashes", "hashes"},
		isHash:    {"md5", "sha1", "sha256", "MD5", "SHA1", "SHA256", "hash"},
		isImage:   {"Image", "TargetFilename", "ImageLoaded", "file_name", "filename"},
	} {
		for i, n := range names {
			roles[n] = role{what, i}
		}
	}
}

func (e *Event) field(key, val []byte, depth int) {
	r, ok := roles[string(key)]
	if !ok || len(val) == 0 || len(val) > 4096 {
		return
	}
	switch r.what {
	case isTime:
		if r.rank < e.best[0] {
			if t, ok := parseTime(val); ok {
				e.Time, e.Timed, e.best[0] = t, true, r.rank
			}
		}
	case isHost:
		if r.rank < e.best[1] {
			e.Host, e.best[1] = val, r.rank
		}
	case isUser:
		if r.rank < e.best[2] {
			e.User, e.best[2] = val, r.rank
		}
	case isAddress:
		e.address(val, key)
	case isDomain:
		e.domain(val, key)
	case isURL:
		e.add(URL, val, key)
		e.hostOf(val, key)
	case isEmail:
		if bytes.IndexByte(val, '@') > 0 {
			e.add(Email, e.lower(val), key)
		}
	case isHashes:
		for part := range bytes.SplitSeq(val, []byte{','}) {
			if _, h, ok := bytes.Cut(part, []byte{'='}); ok {
				e.hash(h, key)
			}
		}
	case isHash:
		e.hash(val, key)
	case isImage:
		if i := bytes.LastIndexAny(val, `\/`); i >= 0 {
			val = val[i+1:]
		}
		if len(val) > 0 {
			e.add(FileName, val, key)
		}
	}
}

func (e *Event) add(k Kind, v, key []byte) {
	for _, o := range e.Observables {
		if o.Kind == k && bytes.Equal(o.Value, v) {
			return // a proxy names the host beside the URL that holds it: one event, one observable
		}
	}
	if len(e.Observables) < 64 {
		e.Observables = append(e.Observables, Observable{k, v, nameOf(key)})
	}
}

// nameOf gives the role table's own copy of a field's name, so that naming it allocates nothing.
func nameOf(key []byte) string { return fieldNames[string(key)] }

var fieldNames = map[string]string{}

func init() {
	for n := range roles {
		fieldNames[n] = n
	}
}

func (e *Event) address(val, key []byte) {
	if looksLikeAddress(val) {
		e.add(Address, e.lower(val), key)
	}
}

// looksLikeAddress keeps host names out of the addresses without parsing.
func looksLikeAddress(v []byte) bool {
	dots, colons := 0, 0
	for _, c := range v {
		switch {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return dots == 3 && colons == 0 || colons >= 2
}

func (e *Event) domain(val, key []byte) {
	val = bytes.TrimSuffix(val, []byte{'.'})
	if i := bytes.LastIndexByte(val, ':'); i > 0 && bytes.IndexByte(val, ':') == i {
		val = val[:i] // a port
	}
	if looksLikeAddress(val) {
		e.add(Address, e.lower(val), key)
	} else if bytes.IndexByte(val, '.') > 0 {
		e.add(Domain, e.lower(val), key)
	}
}

// hostOf adds the host of a URL, or of host:port as proxies log a tunnel.
func (e *Event) hostOf(url, key []byte) {
	rest := url
	if i := bytes.Index(rest, []byte("://")); i >= 0 {
		rest = rest[i+3:]
	}
	if i := bytes.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := bytes.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	e.domain(rest, key)
}

func (e *Event) hash(h, key []byte) {
	for _, c := range h {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return
		}
	}
	switch len(h) {
	case 32:
		e.add(MD5, e.lower(h), key)
	case 40:
		e.add(SHA1, e.lower(h), key)
	case 64:
		e.add(SHA256, e.lower(h), key)
	}
}

// lower folds ASCII into the event's own buffer, which never moves while the event is used.
func (e *Event) lower(v []byte) []byte {
	if len(e.lowered)+len(v) > cap(e.lowered) {
		return bytes.ToLower(v)
	}
	at := len(e.lowered)
	for _, c := range v {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		e.lowered = append(e.lowered, c)
	}
	return e.lowered[at:len(e.lowered):len(e.lowered)]
}

var layouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05Z07:00"}

// parseTime reads the forms that sensors write. One without a zone is taken as UTC.
func parseTime(v []byte) (time.Time, bool) {
	if len(v) < 10 || len(v) > 40 {
		return time.Time{}, false
	}
	s := string(v)
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil && t.Year() > 1990 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
