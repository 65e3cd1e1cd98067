// Package egress builds every outbound connection. An address is judged after the name was resolved and the judged address itself is dialled, so that a name whose answer
// changes between look and leap gains nothing. Redirects are few and judged again, no proxy is taken from the environment, TLS is 1.2 or newer, every step has a time limit
// and every body a size limit. Nothing else in the program dials.
package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// ErrDenied is wrapped by every refusal of an address, a scheme or a redirect: the configuration decides it, a retry doesn't.
var ErrDenied = errors.New("egress denied")

// ErrTooLarge is returned by the body of a response that is longer than Config.MaxBody.
var ErrTooLarge = errors.New("response is longer than allowed")

// Config says where connections may go. The zero value allows public addresses only, over https only.
type Config struct {
	// Allow lists networks that may be reached although they are private, loopback or otherwise special. A prefix of a metadata service is honoured only when it is no
	// wider than /24 (IPv6 /64), so that allowing "10.0.0.0/8" or "0.0.0.0/0" opens no credentials by accident.
	Allow []netip.Prefix
	// Only, when not empty, lists the networks that may be reached at all; Allow is still needed for special ones among them.
	Only []netip.Prefix
	// PlainHTTP allows http:// beside https://.
	PlainHTTP bool
	// Ports lists the TCP ports that may be reached; empty is 443, and 80 with PlainHTTP. AnyPort lifts the limit.
	Ports   []uint16
	AnyPort bool
	// Redirects is how many redirects are followed; 0 follows none. At most 10.
	Redirects int
	// Proxy is the URL of an outbound HTTP proxy; empty is none. The proxy resolves names itself, so its own rules take the place of the
	// address rules here; written-out addresses are still judged.
	Proxy string
	// DialTimeout bounds resolving and connecting (default 10 s), TLSTimeout the handshake (10 s), HeaderTimeout the wait for the answer's head (30 s), Timeout the whole
	// exchange with its body (2 min).
	DialTimeout, TLSTimeout, HeaderTimeout, Timeout time.Duration
	// MaxBody is how many bytes of a response body, after decompression, are read (default 64 MiB).
	MaxBody int64
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.DialTimeout, 10*time.Second)
	def(&c.TLSTimeout, 10*time.Second)
	def(&c.HeaderTimeout, 30*time.Second)
	def(&c.Timeout, 2*time.Minute)
	if c.MaxBody <= 0 {
		c.MaxBody = 64 << 20
	}
	if len(c.Ports) == 0 {
		c.Ports = []uint16{443}
		if c.PlainHTTP {
			c.Ports = append(c.Ports, 80)
		}
	}
	c.Redirects = min(max(c.Redirects, 0), 10)
	return c
}

type network struct {
	prefix netip.Prefix
	what   string
}

// metadata lists the addresses at which cloud hosts hand out credentials.
var metadata = networks("metadata service",
	"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128")

// special lists the networks that are not the public internet: the IANA special-purpose registries (RFC 6890 and its updates), first match names it.
var special = concat(
	networks("loopback", "127.0.0.0/8", "::1/128"),
	networks("unspecified", "0.0.0.0/8", "::/128"),
	networks("private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
	networks("carrier-grade NAT", "100.64.0.0/10"),
	networks("link-local", "169.254.0.0/16", "fe80::/10"),
	networks("multicast", "224.0.0.0/4", "ff00::/8"),
	networks("documentation", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
	networks("benchmarking", "198.18.0.0/15", "2001:2::/48"),
	networks("protocol assignment", "192.0.0.0/24", "2001::/23", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "5f00::/16"),
	networks("relay anycast", "192.88.99.0/24"),
	networks("reserved", "240.0.0.0/4"),
	networks("discard-only", "100::/64"),
	// These carry an IPv4 address inside, and reach it where a gateway stands.
	networks("translated", "::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"),
)

func networks(what string, prefixes ...string) []network {
	out := make([]network, len(prefixes))
	for i, p := range prefixes {
		out[i] = network{netip.MustParsePrefix(p), what}
	}
	return out
}

func concat(lists ...[]network) (out []network) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// Check judges one resolved address; nil allows it. The error wraps ErrDenied and names the address and why.
func (c Config) Check(addr netip.Addr) error {
	if !addr.IsValid() {
		return fmt.Errorf("%w: no address", ErrDenied)
	}
	if addr.Zone() != "" && !within(c.Allow, addr.WithZone("").Unmap()) {
		return fmt.Errorf("%w: %v is link-local", ErrDenied, addr)
	}
	addr = addr.WithZone("").Unmap()
	if len(c.Only) > 0 && !within(c.Only, addr) {
		return fmt.Errorf("%w: %v is outside the networks this connection may reach", ErrDenied, addr)
	}
	for _, n := range metadata {
		if n.prefix.Contains(addr) {
			for _, p := range c.Allow {
				if p.Contains(addr) && (addr.Is4() && p.Bits() >= 24 || addr.Is6() && p.Bits() >= 64) {
					return nil
				}
			}
			return fmt.Errorf("%w: %v is a %s", ErrDenied, addr, n.what)
		}
	}
	if within(c.Allow, addr) {
		return nil
	}
	for _, n := range special {
		if n.prefix.Contains(addr) {
			return fmt.Errorf("%w: %v is a %s address", ErrDenied, addr, n.what)
		}
	}
	// What is neither IPv4 nor global unicast as assigned today (2000::/3) is not the public internet.
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return fmt.Errorf("%w: %v is a reserved address", ErrDenied, addr)
	}
	return nil
}

var globalUnicast = netip.MustParsePrefix("2000::/3")

func within(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
