package inventory

import (
	"cmp"
	"math"
	"slices"
)

// descend calls visit with a group and those below it, a level after the other, each once: the order that Ansible has hosts in
// (ansible.inventory.group.Group.get_descendants).
func (d *decoder) descend(top []*Group, visit func(*Group)) {
	seen := map[*Group]bool{}
	for len(top) > 0 {
		var next []*Group
		for _, g := range top {
			if seen[g] {
				continue
			}
			seen[g] = true
			visit(g)
			for _, c := range g.Children {
				next = append(next, d.inv.groups[c])
			}
		}
		top = next
	}
}

// fillHosts computes all hosts of g, those of its children included.
func (d *decoder) fillHosts(g *Group) {
	if len(g.Children) == 0 {
		g.Hosts = make([]string, len(g.direct))
		for i, ref := range g.direct { // each once
			g.Hosts[i] = ref.name
		}
		return
	}
	seen := map[string]bool{}
	d.descend([]*Group{g}, func(g2 *Group) {
		for _, ref := range g2.direct {
			if !seen[ref.name] {
				seen[ref.name] = true
				g.Hosts = append(g.Hosts, ref.name)
			}
		}
	})
}

// order puts the hosts that a source found that orders them by groups where Ansible's group "all" has them: those that are in no
// group, then those of the groups right below "all", and so on. The others stay where they are.
func (d *decoder) order() {
	d.inv.asFound = d.inv.Hosts
	if len(d.byGroup) == 0 {
		return
	}
	d.inv.asFound = slices.Clone(d.inv.Hosts)
	rank := map[string]int{}
	for _, h := range d.inv.Hosts {
		if len(h.Groups) == 0 {
			rank[h.Name] = len(rank)
		}
	}
	var top []*Group
	for _, name := range d.inv.top() {
		if g := d.inv.groups[name]; g != nil {
			top = append(top, g)
		}
	}
	d.descend(top, func(g *Group) {
		for _, ref := range g.direct {
			if _, ok := rank[ref.name]; !ok {
				rank[ref.name] = len(rank)
			}
		}
	})
	var at []int
	var hosts []*Host
	for i, h := range d.inv.Hosts {
		if d.byGroup[h] {
			at, hosts = append(at, i), append(hosts, h)
		}
	}
	place := func(h *Host) int {
		if n, ok := rank[h.Name]; ok {
			return n
		}
		return math.MaxInt
	}
	slices.SortStableFunc(hosts, func(a, b *Host) int { return cmp.Compare(place(a), place(b)) })
	for i, h := range hosts {
		d.inv.Hosts[at[i]] = h
	}
}
