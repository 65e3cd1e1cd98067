package incident

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"vigil/internal/event"
)

// Limits of what one finding's events give; beyond them the first ones count.
const (
	maxTraits      = 400
	maxObservables = 400
)

// observed is a value that events showed.
type observed struct {
	kind, value string
	first, last time.Time
	n           int
}

// collector gathers what the proving events of one finding show: observables for people, traits for the rule of grouping.
type collector struct {
	traits      map[string]bool
	observables map[[2]string]*observed
	parser      fastjson.Parser
}

// kindWords are STIX's names of observables.
var kindWords = map[event.Kind]string{event.Domain: "domain-name", event.URL: "url", event.Email: "email-addr", event.MD5: "file-md5", event.SHA1: "file-sha1", event.SHA256: "file-sha256"}

func (c *collector) event(ev *event.Event, at time.Time) {
	if len(ev.Host) > 0 {
		c.trait("host", string(ev.Host))
		c.see("host", string(ev.Host), at)
	}
	if u := account(string(ev.User)); u != "" {
		c.traits["account:"+u] = true
		c.see("user-account", string(ev.User), at)
	}
	for _, o := range ev.Observables {
		v := string(o.Value)
		switch o.Kind {
		case event.Address:
			a, err := netip.ParseAddr(v)
			if err != nil {
				continue
			}
			a = a.Unmap()
			kind := "ipv4-addr"
			if a.Is6() {
				kind = "ipv6-addr"
			}
			c.see(kind, a.String(), at)
			if !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() {
				c.trait("address", a.String())
			}
		case event.FileName: // with its folder below
		case event.Domain, event.Email, event.MD5, event.SHA1, event.SHA256:
			c.see(kindWords[o.Kind], v, at)
			c.trait(o.Kind.String(), v)
		case event.URL:
			if strings.Contains(v, "://") {
				c.see("url", v, at)
			}
		}
	}
	v, err := c.parser.ParseBytes(ev.Raw)
	if err != nil {
		return
	}
	c.strings(v, "", 0)
}

// strings looks through an event's texts for files, hosts that are named, and hosts of addresses in a command.
func (c *collector) strings(v *fastjson.Value, key string, depth int) {
	switch v.Type() {
	case fastjson.TypeObject:
		if depth > 4 {
			return
		}
		v.GetObject().Visit(func(k []byte, v *fastjson.Value) { c.strings(v, string(k), depth+1) })
	case fastjson.TypeString:
		s := v.GetStringBytes()
		if len(s) > 8192 {
			s = s[:8192]
		}
		switch {
		case namesHost[key]:
			if len(s) > 2 {
				c.trait("host", string(s))
			}
		case namesFile[key]:
			c.file(string(s))
		case isCommand[key]:
			c.command(string(s))
		}
	}
}

// The fields, as Windows and Sysmon name them, that hold another host, a file or a command.
var (
	namesHost = map[string]bool{"WorkstationName": true, "Workstation": true, "SourceHostname": true, "TargetServerName": true, "ClientName": true}
	namesFile = map[string]bool{"TargetFilename": true, "Image": true, "SourceImage": true, "ImageLoaded": true, "Application": true}
	isCommand = map[string]bool{"CommandLine": true, "ParentCommandLine": true, "ImagePath": true, "ServiceFileName": true, "ScriptBlockText": true, "command": true}
)

// command reads a command line: files with their folder, hosts after \\ or /s, and hosts of URLs.
func (c *collector) command(s string) {
	words := strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == '"' || r == '\'' || r == ',' || r == ';' || r == '(' || r == ')'
	})
	for i, w := range words {
		switch {
		case strings.Contains(w, "://"):
			_, rest, _ := strings.Cut(w, "://")
			if n := strings.IndexAny(rest, "/?#:"); n >= 0 {
				rest = rest[:n]
			}
			if strings.Contains(rest, ".") {
				c.trait(event.Domain.String(), rest)
			}
		case strings.HasPrefix(w, `\\`):
			host, _, _ := strings.Cut(w[2:], `\`)
			if a, err := netip.ParseAddr(host); err != nil && len(host) > 2 {
				c.trait("host", host)
			} else if err == nil && !a.IsLoopback() {
				c.trait("address", a.String())
			}
		case strings.EqualFold(w, "/s") && i+1 < len(words):
			if h := words[i+1]; len(h) > 2 && !strings.ContainsAny(h, `/\:`) {
				c.trait("host", h)
			}
		default:
			c.file(w)
		}
	}
}

// ownFolders are where the system and installed programs lie: what lies there says nothing of who was there.
var ownFolders = []string{`:\windows\`, `:\program files\`, `:\program files (x86)\`, "/usr/", "/bin/", "/sbin/", "/lib/", "/etc/", "/opt/", "/proc/", "/dev/"}

// file takes a file outside the system's own folders by its name.
func (c *collector) file(path string) {
	p := strings.ToLower(path)
	n := strings.LastIndexAny(p, `\/`)
	if n < 1 || !(strings.Contains(p, `:\`) || p[0] == '/') {
		return
	}
	for _, f := range ownFolders {
		if f[0] == ':' && len(p) > 1 && strings.HasPrefix(p[1:], f) || strings.HasPrefix(p, f) {
			return
		}
	}
	if name := p[n+1:]; len(name) >= 6 && strings.Contains(name, ".") {
		c.trait("file", name)
	}
}

// everywhere are accounts that every machine has.
var everywhere = map[string]bool{"system": true, "local service": true, "network service": true, "localsystem": true, "anonymous logon": true, "root": true, "-": true, "n/a": true}

// account is the name of an account without its domain, in lower case; "" where it tells nobody from another.
func account(s string) string {
	if i := strings.LastIndexByte(s, '\\'); i >= 0 {
		s = s[i+1:]
	}
	s, _, _ = strings.Cut(s, "@")
	s = strings.ToLower(strings.TrimSpace(s))
	if everywhere[s] || strings.HasSuffix(s, "$") || len(s) < 2 {
		return ""
	}
	return s
}

// trait notes a mark of likeness. A host is known by its first label, so that the short name and the full one agree.
func (c *collector) trait(kind, v string) {
	v = strings.ToLower(strings.TrimSpace(v))
	if kind == "host" {
		if _, err := netip.ParseAddr(v); err != nil {
			v, _, _ = strings.Cut(v, ".")
		}
		if v == "" || v == "localhost" {
			return
		}
	}
	if v == "" || len(v) > 512 || len(c.traits) >= maxTraits {
		return
	}
	c.traits[kind+":"+v] = true
}

func (c *collector) see(kind, v string, at time.Time) {
	if v == "" || len(v) > 4096 {
		return
	}
	k := [2]string{kind, v}
	o := c.observables[k]
	if o == nil {
		if len(c.observables) >= maxObservables {
			return
		}
		o = &observed{kind: kind, value: v, first: at, last: at}
		c.observables[k] = o
	}
	o.n++
	if at.Before(o.first) {
		o.first = at
	}
	if at.After(o.last) {
		o.last = at
	}
}

func (c *collector) result() (traits []string, seen []observed) {
	for t := range c.traits {
		traits = append(traits, t)
	}
	slices.Sort(traits)
	for _, o := range c.observables {
		seen = append(seen, *o)
	}
	slices.SortFunc(seen, func(a, b observed) int {
		return bytes.Compare([]byte(a.kind+"\x00"+a.value), []byte(b.kind+"\x00"+b.value))
	})
	return traits, seen
}

// uuidOf makes a UUID of a name: version 8, whose content is ours to choose (RFC 9562, 5.8).
func uuidOf(name string) string {
	h := sha256.Sum256([]byte(name))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
