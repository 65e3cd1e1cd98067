package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// maxTried is how many of a name's addresses are tried.
const maxTried = 6

// Resolver answers the addresses of a name; net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Dialer connects to addresses that its Config allows. Safe for concurrent use.
type Dialer struct {
	cfg      Config
	resolver Resolver
}

// NewDialer uses the system's resolver when resolver is nil.
func NewDialer(cfg Config, resolver Resolver) *Dialer {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	return &Dialer{cfg: cfg.withDefaults(), resolver: resolver}
}

// DialContext resolves host, judges every address and dials the judged addresses themselves, one after another. When any address of the name is denied the name is
// refused whole: a mixed answer is how rebinding looks.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fmt.Errorf("%w: network %q", ErrDenied, network)
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("dial %s: port: %w", address, err)
	}
	if !d.cfg.AnyPort && !slices.Contains(d.cfg.Ports, uint16(port)) {
		return nil, fmt.Errorf("dial %s: %w: port %d is not allowed", address, ErrDenied, port)
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DialTimeout)
	defer cancel()
	addrs, err := d.lookup(ctx, network, host)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	for _, a := range addrs {
		if err := d.cfg.Check(a); err != nil {
			return nil, fmt.Errorf("dial %s: %w", address, err)
		}
	}
	addrs = addrs[:min(len(addrs), maxTried)]
	// Each attempt gets its share of the time that is left, so that one dead address does not use up the others' chance.
	deadline, _ := ctx.Deadline()
	var errs []error
	for i, a := range addrs {
		share := time.Until(deadline) / time.Duration(len(addrs)-i)
		one, cancelOne := context.WithTimeout(ctx, share)
		conn, err := (&net.Dialer{}).DialContext(one, network, netip.AddrPortFrom(a, uint16(port)).String())
		cancelOne()
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("dial %s: %w", address, errors.Join(errs...))
}

func (d *Dialer) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ipNetwork := "ip" + network[len("tcp"):]
	addrs, err := d.resolver.LookupNetIP(ctx, ipNetwork, host)
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	if len(addrs) == 0 {
		return nil, errors.New("resolve: the name has no address")
	}
	return addrs, nil
}
