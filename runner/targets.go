package runner

import (
	"fmt"

	"labctl/inventory"
	"labctl/transport"
	"labctl/transport/sshconfig"
)

// Targets returns a function that says how to reach a host by the inventory: its own settings, and its hops by inventory
// name, each with its own. config completes what the inventory leaves open.
func Targets(inv *inventory.Inventory, config *sshconfig.Config) func(*inventory.Host) (*transport.Target, error) {
	return func(h *inventory.Host) (*transport.Target, error) {
		if h.Connection == inventory.ConnectLocal {
			return nil, nil
		}
		if h.Connection != inventory.ConnectSSH && h.Connection != "" {
			return nil, fmt.Errorf("connection %q of host %s: labctl knows ssh and local", h.Connection, h.Name)
		}
		if h.ProxyCommand != "" { // the command is the whole way
			return target(h, nil, config, (*sshconfig.Config).Complete)
		}
		hops, err := inv.Chain(h)
		if err != nil {
			return nil, err
		}
		var via *transport.Target
		for _, hop := range hops {
			if via, err = target(hopHost(inv, hop), via, config, (*sshconfig.Config).CompleteHop); err != nil {
				return nil, err
			}
		}
		return target(placed(inv, h), via, config, (*sshconfig.Config).Complete)
	}
}

// placed is a host as seen from the last hop before it, which matters where that is a tunnel's.
func placed(inv *inventory.Inventory, h *inventory.Host) *inventory.Host {
	out := *h
	out.Address, out.Port = inv.Place(h)
	return &out
}

// hopHost is a hop as a host: that of the inventory, or one made of user@host:port and the ssh defaults.
func hopHost(inv *inventory.Inventory, hop inventory.Hop) *inventory.Host {
	if hop.Host != nil {
		h := *hop.Host
		h.Address, h.Port = hop.Address, hop.Port
		return &h
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

// filler completes a target by a configuration: (*sshconfig.Config).Complete or CompleteHop.
type filler func(config *sshconfig.Config, t *transport.Target, alias string, options []string, jump bool) error

// target merges one host's settings; what is zero afterwards is transport's default. The configuration may add hops only where the
// inventory has said nothing of them.
func target(h *inventory.Host, via *transport.Target, config *sshconfig.Config, fill filler) (*transport.Target, error) {
	t := declared(h)
	t.Via = via
	config, alias, err := lookup(h, config)
	if err != nil {
		return nil, err
	}
	return t, fill(config, t, alias, h.Options, h.Jump == nil && via == nil)
}

// declared is what the inventory says of a host.
func declared(h *inventory.Host) *transport.Target {
	return &transport.Target{
		Name: h.Name, Address: h.Address, Port: h.Port, User: h.User,
		IdentityFiles: h.IdentityFiles, IdentitiesOnly: h.IdentitiesOnly, IdentityAgent: h.IdentityAgent,
		HostKeyAlias: h.HostKeyAlias, KnownHosts: h.KnownHosts, HostKeyPolicy: h.HostKeyPolicy, ConnectTimeout: h.ConnectTimeout,
		HostKeys: h.HostKeys, HostCAs: h.HostCAs, CertificateFiles: h.Certificates, Password: h.Password.Reveal(),
		ProxyCommand: h.ProxyCommand, ControlPath: h.ControlPath, Relay: h.Relay, Persist: h.Persist,
	}
}

// lookup is the configuration that knows of a host, and by what name: the address, as with Ansible, unless the host was found in a
// configuration of its own.
func lookup(h *inventory.Host, config *sshconfig.Config) (*sshconfig.Config, string, error) {
	alias := h.Address
	if h.ConfigHost != "" {
		alias = h.ConfigHost
	}
	if h.ConfigFile == "" {
		return config, alias, nil
	}
	config, err := config.Of(h.ConfigFile)
	return config, alias, err
}

// Explain lists what config adds to what the inventory says of how a host is reached, or has go before it.
func Explain(inv *inventory.Inventory, h *inventory.Host, config *sshconfig.Config) ([]sshconfig.Origin, error) {
	if h.Connection != inventory.ConnectSSH {
		return nil, nil
	}
	jump := h.ProxyCommand == "" && len(h.Jump) == 0 && inv.Tunnel(h) == nil
	h = placed(inv, h)
	config, alias, err := lookup(h, config)
	if err != nil {
		return nil, err
	}
	return config.Explain(declared(h), alias, h.Options, jump)
}
