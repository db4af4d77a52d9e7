package inventory

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// top are the groups right below "all", as Ansible has them: "ungrouped", then those that "all" itself names, then those that are
// in no other.
func (inv *Inventory) top() []string {
	out := []string{"ungrouped"}
	below := map[string]bool{"all": true, "ungrouped": true}
	if all := inv.groups["all"]; all != nil {
		for _, c := range all.Children {
			if !below[c] {
				below[c] = true
				out = append(out, c)
			}
		}
	}
	for _, g := range inv.Groups {
		for _, c := range g.Children {
			below[c] = true
		}
	}
	for _, g := range inv.Groups {
		if !below[g.Name] {
			out = append(out, g.Name)
		}
	}
	return out
}

// Direct returns the hosts that are in a group itself, not in its children only, and the groups right below it. The groups "all"
// and "ungrouped" are always there.
func (inv *Inventory) Direct(group string) (hosts, children []string) {
	switch group {
	case "all":
		return nil, inv.top()
	case "ungrouped":
		for _, h := range inv.Hosts {
			if len(h.Groups) == 0 {
				hosts = append(hosts, h.Name)
			}
		}
		return hosts, nil
	}
	g := inv.groups[group]
	if g == nil {
		return nil, nil
	}
	for _, ref := range g.direct {
		hosts = append(hosts, ref.name)
	}
	return hosts, g.Children
}

// listed is a group in the form of "ansible-inventory --list".
type listed struct {
	Children []string `json:"children,omitempty"`
	Hosts    []string `json:"hosts,omitempty"`
}

// List returns the inventory in the form of "ansible-inventory --list", which Ansible reads too. With only, hosts that it refuses
// are left out. vars are the variables of a host.
func (inv *Inventory) List(only func(*Host) bool, vars func(*Host) map[string]cty.Value) (map[string]any, error) {
	hostVars := map[string]map[string]ctyjson.SimpleJSONValue{}
	for _, h := range inv.Hosts {
		if !only(h) {
			continue
		}
		all := vars(h)
		if len(all) == 0 {
			continue
		}
		m := make(map[string]ctyjson.SimpleJSONValue, len(all))
		for k, v := range all {
			m[k] = ctyjson.SimpleJSONValue{Value: v}
		}
		hostVars[h.Name] = m
	}
	out := map[string]any{"_meta": map[string]any{"hostvars": hostVars}}
	seen := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		hosts, children := inv.Direct(name)
		hosts = slices.DeleteFunc(slices.Clone(hosts), func(n string) bool { return !only(inv.Host(n)) })
		if len(hosts)+len(children) > 0 {
			out[name] = listed{children, hosts}
		}
		for _, c := range children {
			add(c)
		}
	}
	add("all")
	return out, nil
}
