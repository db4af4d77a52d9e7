package modules

import (
	"context"
	"errors"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Neigh]{
		Name: "neigh",
		Doc:  "Manages an entry of the ARP or NDP table that stays (ip-neighbour(8)), or an address that is answered for. What was learned counts as absent: it is replaced, and never removed.",
		Example: `neigh "192.168.60.5" {
  dev    = "vxlan0"
  lladdr = "02:00:00:00:00:05"
}
neigh "192.168.60.77" {
  dev   = "vxlan0"
  proxy = true
}`,
		Validate: (*Neigh).validate, Complete: (*Neigh).complete, Read: readNeigh, Apply: applyNeigh,
	})
}

// Neigh is an entry of the neighbour table.
type Neigh struct {
	InNetNS
	IP     string `json:"address" lab:"key" doc:"IPv4 or IPv6 address of the neighbour."`
	Dev    string `json:"dev,omitempty" lab:"option" doc:"Device that the neighbour is reached by; with the address it names the entry. Required."`
	LLAddr string `json:"lladdr,omitempty" doc:"Link layer (MAC) address of the neighbour. Required unless proxy is set."`
	State  string `json:"nud,omitempty" enum:"permanent,noarp" default:"permanent" doc:"State: both are valid for ever, noarp goes when the carrier does."`
	Router *bool  `json:"router,omitempty" doc:"Whether the neighbour is a router; left alone if unset."`
	Proxy  bool   `json:"proxy,omitempty" lab:"option" default:"false" doc:"Whether this host answers for the address instead: a proxy entry, beside which an ordinary one can be."`
}

func (n *Neigh) validate() error {
	ip, err := validAddr("address", n.IP)
	if err != nil {
		return err
	}
	if ip.IsMulticast() || ip.IsUnspecified() {
		return argf("address", "%s is not the address of a neighbour", ip)
	}
	n.IP = ip.String()
	if n.Dev == "" {
		return argf("dev", "required argument is missing")
	}
	if n.LLAddr != "" {
		if err := validLLAddr("lladdr", &n.LLAddr); err != nil {
			return err
		}
	}
	if n.Proxy && (n.LLAddr != "" || n.State != "" || n.Router != nil) {
		return argf("proxy", "an address that is answered for has no lladdr, nud or router")
	}
	if n.State == "" && !n.Proxy {
		n.State = "permanent"
	}
	return validDevice("dev", n.Dev)
}

func (n *Neigh) complete() error {
	if n.LLAddr == "" && !n.Proxy {
		return argf("lladdr", "required argument is missing: the address that frames for this neighbour go to")
	}
	return nil
}

func readNeigh(ctx context.Context, h host.Host, want *Neigh) (*Neigh, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	e, err := n.Neighs().Get(ctx, want.entry())
	if errors.Is(err, host.ErrNotExist) || err == nil && !e.Configured() {
		return nil, nil // without the device too; adding says so
	}
	if err != nil {
		return nil, err
	}
	have := *want
	have.LLAddr, have.State, have.Router = e.MAC, e.State, &e.Router
	return &have, nil
}

func applyNeigh(ctx context.Context, h host.Host, have, want *Neigh, _ Diff) error {
	if want == nil {
		n, err := have.net(ctx, h)
		if err != nil {
			return err
		}
		return n.Neighs().Delete(ctx, have.entry())
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	e := want.entry()
	if err := takesLLAddr(ctx, n, e); err != nil {
		return err
	}
	if want.Router == nil && have != nil {
		e.Router = *have.Router
	}
	return n.Neighs().Set(ctx, e)
}

// takesLLAddr refuses entries of devices without such addresses: the kernel takes them, and keeps no address.
func takesLLAddr(ctx context.Context, n host.Net, e host.Neigh) error {
	l, err := n.Links().Get(ctx, e.Link)
	if err != nil || e.Proxy || l.Address != nil && !l.Loopback {
		return nil //nolint:nilerr // Set says what is wrong with the device
	}
	return &host.Error{Op: "set neighbour", Object: e.IP + " dev " + e.Link, Kind: host.ErrUnsupported, Err: errNoLLAddr}
}

var errNoLLAddr = errors.New("the device has no link layer addresses")

func (n *Neigh) entry() host.Neigh {
	return host.Neigh{Link: n.Dev, IP: n.IP, MAC: n.LLAddr, State: n.State, Proxy: n.Proxy, Router: n.Router != nil && *n.Router}
}
