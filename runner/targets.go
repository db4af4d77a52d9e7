package runner

import (
	"fmt"

	"labctl/inventory"
	"labctl/transport"
)

// Targets returns a function that says how to reach a host by the inventory: its own settings, and its hops by inventory
// name, each with its own. fill, which may be nil, completes what the inventory leaves open (ssh_config); alias is the
// name to look up there, and jump says whether that may add hops too: the inventory has said nothing of them.
func Targets(inv *inventory.Inventory, fill func(t *transport.Target, alias string, jump bool) error) func(*inventory.Host) (*transport.Target, error) {
	if fill == nil {
		fill = func(*transport.Target, string, bool) error { return nil }
	}
	return func(h *inventory.Host) (*transport.Target, error) {
		if h.Connection == inventory.ConnectLocal {
			return nil, nil
		}
		if h.Connection != inventory.ConnectSSH && h.Connection != "" {
			return nil, fmt.Errorf("connection %q of host %s: labctl knows ssh and local", h.Connection, h.Name)
		}
		if h.ProxyCommand != "" { // the command is the whole way
			return target(h, nil, fill)
		}
		hops, err := inv.Chain(h)
		if err != nil {
			return nil, err
		}
		var via *transport.Target
		for _, hop := range hops {
			if via, err = target(hopHost(inv, hop), via, fill); err != nil {
				return nil, err
			}
		}
		return target(h, via, fill)
	}
}

// hopHost is a hop as a host: that of the inventory, or one made of user@host:port and the ssh defaults.
func hopHost(inv *inventory.Inventory, hop inventory.Hop) *inventory.Host {
	if hop.Host != nil {
		return hop.Host
	}
	h := &inventory.Host{Name: hop.Name(), Address: hop.Address, SSH: inv.SSH}
	h.Jump = nil
	if hop.User != "" {
		h.User = hop.User
	}
	if hop.Port != 0 {
		h.Port = hop.Port
	}
	return h
}

// target merges one host's settings; what is zero afterwards is transport's default.
func target(h *inventory.Host, via *transport.Target, fill func(*transport.Target, string, bool) error) (*transport.Target, error) {
	t := &transport.Target{
		Name: h.Name, Address: h.Address, Port: h.Port, User: h.User, Via: via,
		IdentityFiles: h.IdentityFiles, IdentitiesOnly: h.IdentitiesOnly, IdentityAgent: h.IdentityAgent,
		HostKeyAlias: h.HostKeyAlias, KnownHosts: h.KnownHosts, HostKeyPolicy: h.HostKeyPolicy, ConnectTimeout: h.ConnectTimeout,
		HostKeys: h.HostKeys, HostCAs: h.HostCAs, CertificateFiles: h.Certificates, Password: h.Password,
		ControlPath: h.ControlPath, Relay: h.Relay,
	}
	if err := fill(t, h.Address, h.Jump == nil && via == nil && h.ProxyCommand == ""); err != nil || h.ProxyCommand == "" {
		return t, err
	}
	var err error
	if t.ProxyCommand, err = transport.ExpandProxyCommand(h.ProxyCommand, t, h.Name); err != nil {
		return nil, fmt.Errorf("host %s: proxy_command: %w", h.Name, err)
	}
	return t, nil
}
