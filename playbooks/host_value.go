package playbooks

import (
	"fmt"
	"maps"

	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// hostsValue is the name "hosts": an object with every declared host under its name; the implicit localhost is not one of
// those that a loop over all hosts means. Index is the position in the play, or null.
func (s *Site) hostsValue(index map[*inventory.Host]int) cty.Value {
	out := make(map[string]cty.Value, len(s.Inventory.Hosts))
	for _, h := range s.Inventory.Hosts {
		out[h.Name] = s.hostValue(h, index)
	}
	return cty.ObjectVal(out)
}

func (s *Site) hostValue(h *inventory.Host, index map[*inventory.Host]int) cty.Value {
	nics := map[string]cty.Value{}
	for i := range h.NICs {
		nics[h.NICs[i].Name] = nicValue(&h.NICs[i])
	}
	v := map[string]cty.Value{
		"name": cty.StringVal(h.Name), "address": cty.StringVal(h.Address), "port": optionalInt(h.Port), "user": optional(h.User),
		"nic": cty.ObjectVal(nics), "vars": cty.ObjectVal(s.varsOf(h)), "groups": stringList(h.Groups), "index": cty.NullVal(cty.Number),
	}
	if i, ok := index[h]; ok {
		v["index"] = cty.NumberIntVal(int64(i))
	}
	return cty.ObjectVal(v)
}

// varsOf are the variables of a host with those that earlier plays have set.
func (s *Site) varsOf(h *inventory.Host) map[string]cty.Value {
	if len(s.facts) == 0 {
		return h.Vars
	}
	out := maps.Clone(h.Vars)
	if out == nil {
		out = map[string]cty.Value{}
	}
	if s.set == nil {
		for name := range s.facts {
			if _, there := out[name]; !there {
				out[name] = cty.DynamicVal
			}
		}
	}
	for name, v := range s.set[h.Name] {
		if _, given := s.extra[name]; !given {
			out[name] = v
		}
	}
	return out
}

// nicValue tells of the first address in ip, address, prefix, netmask and subnet, and of all in ips and addresses.
func nicValue(n *inventory.NIC) cty.Value {
	null := cty.NullVal(cty.String)
	v := map[string]cty.Value{
		"name": cty.StringVal(n.Name), "network": optional(n.Network), "mac": optional(n.MAC), "mtu": optionalInt(n.MTU),
		"address": null, "ip": null, "netmask": null, "subnet": null, "prefix": cty.NullVal(cty.Number),
	}
	var ips, addresses []string
	for _, a := range n.Addresses {
		ips, addresses = append(ips, a.Addr().String()), append(addresses, a.String())
	}
	v["ips"], v["addresses"] = stringList(ips), stringList(addresses)
	if len(n.Addresses) > 0 {
		a := n.Addresses[0]
		v["address"], v["ip"] = cty.StringVal(a.String()), cty.StringVal(a.Addr().String())
		v["prefix"], v["subnet"] = cty.NumberIntVal(int64(a.Bits())), cty.StringVal(a.Masked().String())
		if a.Addr().Is4() {
			v["netmask"] = cty.StringVal(netmask(a.Bits()))
		}
	}
	return cty.ObjectVal(v)
}

func netmask(bits int) string {
	m := ^uint32(0) << (32 - bits)
	return fmt.Sprintf("%d.%d.%d.%d", m>>24, m>>16&255, m>>8&255, m&255)
}

func optional(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

func optionalInt(n int) cty.Value {
	if n == 0 {
		return cty.NullVal(cty.Number)
	}
	return cty.NumberIntVal(int64(n))
}

func stringList(list []string) cty.Value {
	if len(list) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	out := make([]cty.Value, len(list))
	for i, s := range list {
		out[i] = cty.StringVal(s)
	}
	return cty.ListVal(out)
}

// groupsValue is the name "groups": an object with the list of host names under each group's name.
func (s *Site) groupsValue() cty.Value {
	out := map[string]cty.Value{}
	var all, ungrouped []string
	for _, h := range s.Inventory.Hosts {
		all = append(all, h.Name)
		if len(h.Groups) == 0 {
			ungrouped = append(ungrouped, h.Name)
		}
	}
	out["ungrouped"] = stringList(ungrouped)
	for _, g := range s.Inventory.Groups {
		out[g.Name] = stringList(g.Hosts)
	}
	out["all"] = stringList(all)
	return cty.ObjectVal(out)
}
