package modules

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Address]{
		Name: "address",
		Doc:  "Manages addresses of a device. Others stay unless exclusive is set; those the kernel or DHCP gave are never touched.",
		Example: `address "enp0s8" {
  cidr      = ["192.168.50.4/16", "fd00:50::4/64"]
  exclusive = true
}`,
		Validate: (*Address).validate, Read: readAddress, Apply: applyAddress,
	})
}

// Address is the set of addresses of one device.
type Address struct {
	InNetNS
	Dev       string   `json:"dev" lab:"key" doc:"Device name."`
	CIDR      []string `json:"cidr,omitempty" lab:"set" doc:"Addresses with the length of their prefix, such as 192.168.50.4/24 or fd00::4/64. Required."`
	Exclusive bool     `json:"exclusive,omitempty" lab:"option" default:"false" doc:"Whether all other addresses of the device are removed."`
	NoDAD     bool     `json:"nodad,omitempty" lab:"option" default:"false" doc:"Whether IPv6 addresses are added without duplicate address detection."`
}

func (a *Address) validate() error {
	if a.CIDR == nil {
		return argf("cidr", "required argument is missing")
	}
	if len(a.CIDR) == 0 && !a.Exclusive {
		return argf("cidr", "an empty list changes nothing unless exclusive = true, which removes all addresses")
	}
	for i, text := range a.CIDR {
		path := fmt.Sprintf("cidr[%d]", i)
		p, err := validCIDR(path, text)
		if err != nil {
			return err
		}
		if slices.Contains(a.CIDR[:i], p.String()) {
			return argf(path, "%s is there twice", p)
		}
		a.CIDR[i] = p.String()
	}
	return validDevice("dev", a.Dev)
}

// validCIDR parses an address of an interface.
func validCIDR(path, text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		if _, e := netip.ParseAddr(text); e == nil {
			return p, argf(path, "%q lacks the length of its prefix, such as /24", text)
		}
		return p, argf(path, "%q is not an address with a prefix length that fits its family, such as 192.168.50.4/24 or fd00::4/64", text)
	}
	if p.Addr().IsMulticast() || p.Addr().IsUnspecified() {
		return p, argf(path, "%s is not an address that a device can have", p)
	}
	return p, nil
}

func readAddress(ctx context.Context, h host.Host, want *Address) (*Address, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	have := &Address{InNetNS: want.InNetNS, Dev: want.Dev, CIDR: []string{}}
	all, err := n.Addrs().List(ctx, want.Dev)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil // without the device there are none; adding says so
	}
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if slices.Contains(want.CIDR, a.CIDR) || want.Exclusive && !a.Dynamic {
			have.CIDR = append(have.CIDR, a.CIDR)
		}
	}
	if len(have.CIDR) == 0 && len(want.CIDR) > 0 {
		return nil, nil
	}
	host.Sort(have.CIDR, byAddress) // the kernel's order is by age and scope
	return have, nil
}

// byAddress orders addresses in CIDR form: IPv4 first.
func byAddress(a, b string) int {
	p, q := netip.MustParsePrefix(a), netip.MustParsePrefix(b)
	if c := p.Addr().Compare(q.Addr()); c != 0 {
		return c
	}
	return p.Bits() - q.Bits()
}

func applyAddress(ctx context.Context, h host.Host, have, want *Address, _ Diff) error {
	if want == nil {
		n, err := have.net(ctx, h)
		if err != nil {
			return err
		}
		return have.remove(ctx, h, n, have.CIDR)
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	if have == nil {
		have = &Address{}
		if _, err := n.Addrs().List(ctx, want.Dev); err != nil {
			return err // no such device: with nothing to add, nothing else would say so
		}
	}
	if err := addAddresses(ctx, n, want, have.CIDR); err != nil {
		return err
	}
	extra := slices.DeleteFunc(slices.Clone(have.CIDR), func(c string) bool { return slices.Contains(want.CIDR, c) })
	if len(extra) == 0 {
		return nil
	}
	if err := want.remove(ctx, h, n, extra); err != nil {
		return err
	}
	// With the first IPv4 address of a network go its secondary ones, some of which were just added
	// (net.ipv4.conf.*.promote_secondaries).
	now, err := readAddress(ctx, h, want)
	if err != nil {
		return err
	}
	if now == nil {
		now = &Address{}
	}
	return addAddresses(ctx, n, want, now.CIDR)
}

func addAddresses(ctx context.Context, n host.Net, want *Address, have []string) error {
	for _, c := range want.CIDR {
		if slices.Contains(have, c) {
			continue
		}
		p := netip.MustParsePrefix(c)
		if err := n.Addrs().Add(ctx, host.Addr{Link: want.Dev, CIDR: c, NoDAD: want.NoDAD && p.Addr().Is6()}); err != nil {
			return err
		}
	}
	return nil
}

// remove removes addresses; those that went with another one are gone already.
func (a *Address) remove(ctx context.Context, h host.Host, n host.Net, cidrs []string) error {
	all, err := n.Addrs().List(ctx, a.Dev)
	if err != nil {
		return err
	}
	if err := a.keepSession(h, all, cidrs); err != nil {
		return err
	}
	for _, e := range all {
		if !slices.Contains(cidrs, e.CIDR) {
			continue
		}
		if err := n.Addrs().Delete(ctx, e); err != nil && !errors.Is(err, host.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keepSession refuses to take away the address that the session came in on, with whatever prefix lengths it is there.
func (a *Address) keepSession(h host.Host, all []host.Addr, cidrs []string) error {
	ip := sessionIP(h, a.NetNS)
	goes, stays := "", false
	for _, e := range all {
		switch {
		case ip == "" || !isIP(e, ip):
		case slices.Contains(cidrs, e.CIDR):
			goes = e.CIDR
		default:
			stays = true
		}
	}
	if goes == "" || stays {
		return nil
	}
	return &host.Error{Op: "remove address", Object: goes + " dev " + a.Dev, Kind: host.ErrRefused, Err: errSession}
}
