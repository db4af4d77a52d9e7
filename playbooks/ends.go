package playbooks

import (
	"fmt"
	"net/netip"

	"labctl/inventory"
)

// ends finds the hosts of a step between two of them, and the address to send to where none is given.
func (r *HostRun) ends(s *Step, e *evaluation) {
	if !s.Task.Module.Ends() {
		return
	}
	s.From, s.To = r.end(s, "from", e), r.end(s, "to", e)
	if s.From == nil || s.To == nil || len(e.unknown) > 0 || s.body.params["address"] != nil {
		return
	}
	address, err := r.meetingAddress(s)
	if err != nil {
		e.diags = append(e.diags, s.Fault("address", err.Error()))
		return
	}
	s.body.params["address"] = address
}

// end is the host that an argument names; nil if it is not known, or at fault.
func (r *HostRun) end(s *Step, name string, e *evaluation) *inventory.Host {
	text, ok := s.body.params[name].(string)
	if !ok {
		return nil
	}
	h := r.play.site.Inventory.Host(text)
	if h == nil && e != nil {
		var known []string
		for _, h := range r.play.site.Inventory.Hosts {
			known = append(known, h.Name)
		}
		e.diags = append(e.diags, s.Fault(name, fmt.Sprintf("there is no host %q in the inventory.%s", text, inventory.DidYouMean(text, known))))
	}
	return h
}

// sender finds the host "from" of a step that is skipped, as far as its argument can be told.
func (r *HostRun) sender(t *Task, in instance, s *Step) {
	if t.Module.Ends() {
		e := &evaluation{site: r.play.site, task: t, host: r.host}
		s.body = e.node(t.node, in.ctx, "")
		s.From = r.end(s, "from", nil)
	}
}

// meetingAddress is the address of the far host on a network that both have a nic in; failing that one out of a subnet of the
// near host; failing that the only address there is.
func (r *HostRun) meetingAddress(s *Step) (string, error) {
	if s.From == s.To || s.body.params["netns"] != nil || s.body.params["to_netns"] != nil {
		return "", fmt.Errorf("it is required between namespaces: address = \"...\"")
	}
	var all []string
	for _, shared := range []func(a, b *inventory.NIC, ip netip.Addr) bool{sameNetwork, sameSubnet} {
		all = nil
		for i := range s.To.NICs {
			for _, p := range s.To.NICs[i].Addresses {
				all = append(all, p.Addr().String())
				for j := range s.From.NICs {
					if shared(&s.From.NICs[j], &s.To.NICs[i], p.Addr()) {
						return p.Addr().String(), nil
					}
				}
			}
		}
	}
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1:
		return "", fmt.Errorf("%s and %s have no network in common; say which address of %s is meant: address = %q", s.From.Name, s.To.Name, s.To.Name, all[0])
	}
	return s.To.Address, nil
}

func sameNetwork(a, b *inventory.NIC, ip netip.Addr) bool {
	if a.Network == "" || a.Network != b.Network {
		return false
	}
	for _, p := range a.Addresses {
		if p.Addr().Is4() == ip.Is4() {
			return true
		}
	}
	return false
}

func sameSubnet(a, _ *inventory.NIC, ip netip.Addr) bool {
	for _, p := range a.Addresses {
		if p.Masked().Contains(ip) {
			return true
		}
	}
	return false
}
