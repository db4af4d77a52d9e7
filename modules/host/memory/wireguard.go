package memory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"labctl/modules/host"
)

// WireGuards returns the WireGuard devices of the namespace.
func (n *Net) WireGuards() host.WireGuards { return wireguards{n} }

type wireguards struct{ *Net }

// open returns what a device has, locked, loaded when first looked at.
func (n wireguards) open(ctx context.Context, op, name string) (wg *host.WireGuard, unlock func(), err error) {
	if unlock, err = n.Net.open(ctx); err != nil {
		return nil, nil, err
	}
	d := n.findLocked(name)
	switch {
	case d == nil || d.Kind != "wireguard":
		unlock()
		return nil, nil, refused(op, name, errNoDevice, "")
	case d.wireguard != nil:
	case !d.fresh && n.base != nil:
		have, err := n.base.WireGuards().Get(ctx, name)
		if err != nil {
			unlock()
			return nil, nil, err
		}
		d.wireguard = &have
	case !d.fresh && n.seed != nil && n.seed.WireGuards != nil:
		have := n.seed.WireGuards[name]
		d.wireguard = &have
	default:
		d.wireguard = &host.WireGuard{}
	}
	return d.wireguard, unlock, nil
}

func (n wireguards) Get(ctx context.Context, name string) (host.WireGuard, error) {
	wg, unlock, err := n.open(ctx, "read WireGuard device", name)
	if err != nil {
		return host.WireGuard{}, err
	}
	defer unlock()
	return *wg, nil
}

func (n wireguards) Set(ctx context.Context, name string, c host.WireGuardChange) error {
	wg, unlock, err := n.open(ctx, "configure WireGuard device", name)
	if err != nil {
		return err
	}
	defer unlock()
	if c.PrivateKey != nil {
		wg.PrivateKey, wg.PublicKey = host.PrivateKeyDigest(*c.PrivateKey), ""
	}
	if c.ListenPort != nil {
		wg.ListenPort = *c.ListenPort
	}
	if c.FwMark != nil {
		wg.FwMark = *c.FwMark
	}
	peers := slices.DeleteFunc(slices.Clone(wg.Peers), func(p host.WireGuardPeer) bool { return slices.Contains(c.Remove, p.PublicKey) })
	for _, p := range c.Peers {
		p.PresharedKey = host.PresharedKeyDigest(p.PresharedKey)
		p.AllowedIPs = slices.Sorted(slices.Values(p.AllowedIPs))
		for i, o := range peers { // an address belongs to one peer only
			peers[i].AllowedIPs = slices.DeleteFunc(slices.Clone(o.AllowedIPs), func(ip string) bool { return slices.Contains(p.AllowedIPs, ip) })
		}
		at := slices.IndexFunc(peers, func(o host.WireGuardPeer) bool { return o.PublicKey == p.PublicKey })
		if at < 0 {
			peers, at = append(peers, p), len(peers)
		}
		if p.Endpoint == "" {
			p.Endpoint = peers[at].Endpoint
		}
		peers[at] = p
	}
	host.Sort(peers, func(a, b host.WireGuardPeer) int { return strings.Compare(a.PublicKey, b.PublicKey) })
	wg.Peers = peers
	n.h.wrote()
	return nil
}

// wireguardState reads the WireGuard devices among links. What cannot be read is left out.
func wireguardState(ctx context.Context, n host.Net, links []host.Link) (map[string]host.WireGuard, error) {
	var out map[string]host.WireGuard
	for _, l := range links {
		if l.Kind != "wireguard" {
			continue
		}
		wg, err := n.WireGuards().Get(ctx, l.Name)
		switch {
		case errors.Is(err, host.ErrNotExist): // gone since
		case lacking(err) != nil:
			return nil, err
		case err == nil:
			if out == nil {
				out = map[string]host.WireGuard{}
			}
			out[l.Name] = wg
		}
	}
	return out, nil
}
