package inventory

import (
	"cmp"
	"slices"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// merge gives every host what its groups and the ssh block say: nearer groups before farther ones, and among equals the
// one that comes last in the alphabet, as Ansible has it.
func (d *decoder) merge() {
	all := append(slices.Clone(d.inv.Hosts), d.inv.localhost)
	for _, g := range d.inv.Groups {
		g.Vars = merged(g.layers)
	}
	for _, h := range all {
		sort.Strings(h.Groups)
		h.own = merged(h.layers)
		h.Vars = d.inv.variables(h)
		h.resolve()
	}
	for _, h := range all {
		d.connect(h)
		for _, g := range d.inv.levels(h) {
			h.fill(g.SSH.forMember(h))
		}
	}
	hops := d.defaultHops()
	d.inv.noDefaultJump = map[*Host]bool{}
	for _, h := range all {
		defaults := d.inv.SSH
		if h.Implicit || hops[h.Name] {
			defaults.Jump = nil
			d.inv.noDefaultJump[h] = true
		}
		h.fill(defaults)
		d.loginOf(h)
		h.Kernel.fill(d.inv.Kernel)
		if h.Connection == "" {
			h.Connection = ConnectSSH
		}
		if h.Address == "" {
			h.Address = h.Name
		}
	}
}

// loginOf fills in what is for hosts of which nothing else is said. Host keys that are pinned stay pinned.
func (d *decoder) loginOf(h *Host) {
	login := d.inv.login
	if len(h.HostKeys)+len(h.HostCAs) > 0 {
		login.HostKeyPolicy = ""
	}
	h.fill(login)
}

// merged sorts the layers of one host or group, so that what wins comes last, and makes one of them.
func merged(layers []Layer) map[string]cty.Value {
	slices.SortStableFunc(layers, func(a, b Layer) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Order, b.Order))
	})
	n := 0
	for _, l := range layers {
		n += len(l.Vars)
	}
	out := make(map[string]cty.Value, n)
	for _, l := range layers {
		for k, v := range l.Vars {
			out[k] = v.Value
		}
	}
	return out
}

// levels returns the groups of h, the most specific first, "all" last.
func (inv *Inventory) levels(h *Host) []*Group {
	var out []*Group
	for _, name := range h.Groups {
		out = append(out, inv.groups[name])
	}
	if g := inv.groups["ungrouped"]; g != nil && len(h.Groups) == 0 && !h.Implicit {
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.depth, a.depth), cmp.Compare(b.priority, a.priority), cmp.Compare(b.Name, a.Name))
	})
	if g := inv.groups["all"]; g != nil && !h.Implicit {
		out = append(out, g)
	}
	return out
}

// ranked is a layer of a group of some host.
type ranked struct {
	*Layer
	group *Group
	rank  int // the higher one wins
}

// ranks returns the layers of the host's groups, what wins first. Ansible's order is: files beside the playbook, files beside the
// inventory, each with those of "all" behind those of other groups; then the inventory itself.
func (inv *Inventory) ranks(h *Host) []ranked {
	var out []ranked
	for _, g := range inv.levels(h) {
		for i := len(g.layers) - 1; i >= 0; i-- {
			out = append(out, ranked{&g.layers[i], g, rank(g, &g.layers[i])})
		}
	}
	slices.SortStableFunc(out, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.Order, a.Order))
	})
	return out
}

// rank is the place of a layer in Ansible's default of VARIABLE_PRECEDENCE: all_inventory, groups_inventory,
// all_plugins_inventory, all_plugins_play, groups_plugins_inventory, groups_plugins_play.
func rank(g *Group, l *Layer) int {
	if g.Name == "all" {
		return [...]int{InInventory: 0, BesideInventory: 2, BesidePlaybook: 3}[l.Place]
	}
	return [...]int{InInventory: 1, BesideInventory: 4, BesidePlaybook: 5}[l.Place]
}

func (inv *Inventory) variables(h *Host) map[string]cty.Value {
	out := make(map[string]cty.Value, len(h.own))
	for k, v := range h.own {
		out[k] = v
	}
	for _, l := range inv.ranks(h) {
		for k, v := range l.Vars {
			if _, said := out[k]; !said {
				out[k] = v.Value
			}
		}
	}
	return out
}

// Origin tells where the value of a host's variable comes from.
type Origin struct {
	Name  string
	Value cty.Value
	From  string // "host boxA", "group vteps"
	Range hcl.Range
	Wins  bool // false: a more specific one hides it
}

// Explain lists all variables of h, hidden ones included, by name and then the winner first.
func (inv *Inventory) Explain(h *Host) []Origin {
	var out []Origin
	seen := map[string]bool{}
	add := func(l *Layer, from string) {
		for k, v := range l.Vars {
			if secretVars[k] {
				v.Value = v.Value.Mark(Sensitive)
			}
			out = append(out, Origin{Name: k, Value: v.Value, From: from, Range: v.Range, Wins: !seen[k]})
		}
		for k := range l.Vars {
			seen[k] = true
		}
	}
	for i := len(h.layers) - 1; i >= 0; i-- {
		add(&h.layers[i], "host "+h.Name)
	}
	for _, l := range inv.ranks(h) {
		add(l.Layer, "group "+l.group.Name)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
