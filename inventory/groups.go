package inventory

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

func (d *decoder) group(b *hcl.Block) {
	c := d.content(b, groupSchema)
	g := &Group{
		Name: b.Labels[0], SSH: d.settings(c.Attributes), DeclRange: b.DefRange, args: c.Attributes,
		direct: d.references(c.Attributes["hosts"]), layers: d.layers(c.Attributes["vars"], b.DefRange),
	}
	var before *hcl.Range
	if old := d.inv.groups[g.Name]; old != nil {
		before = &old.DeclRange
	}
	if !d.named("group", g.Name, b.LabelRanges[0], before) {
		return
	}
	if g.Name == "localhost" {
		d.fault(b.LabelRanges[0], "Wrong name", "The name %q stands for this machine.", g.Name)
	}
	d.childRefs[g] = d.references(c.Attributes["children"])
	d.inv.groups[g.Name] = g
	d.inv.Groups = append(d.inv.Groups, g)
}

// membership resolves who is in which group.
func (d *decoder) membership() {
	for _, g := range d.inv.Groups {
		if h := d.inv.hosts[g.Name]; h != nil {
			d.sameName(g, h)
		}
	}
	for _, h := range d.inv.Hosts {
		for _, ref := range d.hostRefs[h] {
			if g := d.inv.groups[ref.name]; g != nil {
				g.direct = append(g.direct, reference{h.Name, ref.rng})
			} else {
				d.fault(ref.rng, "Unknown group", "No group %q is declared.%s", ref.name, d.groupHint(ref.name))
			}
		}
	}
	d.children()
	state := map[*Group]int{}
	for _, g := range d.inv.Groups {
		d.loops(g, state, nil)
		d.fillHosts(g)
	}
	d.depths()
	for _, g := range d.inv.Groups {
		for _, name := range g.Hosts {
			if h := d.inv.Host(name); g.Name != "all" {
				h.Groups = append(h.Groups, g.Name)
			}
		}
	}
	d.order()
}

// groupHint says what to do about a group that is not there, with a blank before it.
func (d *decoder) groupHint(name string) string {
	if s := Suggest(name, d.groupNames()); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	return fmt.Sprintf(" Add: group %q {}", name)
}

// children resolves the names of child groups, and of hosts that stand where groups do or the other way round.
func (d *decoder) children() {
	for _, g := range d.inv.Groups {
		for _, ref := range d.childRefs[g] {
			if d.inv.groups[ref.name] == nil {
				d.fault(ref.rng, "Unknown group", "No group %q is declared.%s", ref.name, DidYouMean(ref.name, d.groupNames()))
				continue
			}
			g.Children = append(g.Children, ref.name)
		}
		kept, twice := g.direct[:0], map[string]bool{}
		for _, ref := range g.direct {
			switch {
			case twice[ref.name]:
			case d.inv.Host(ref.name) != nil:
				kept = append(kept, ref)
				twice[ref.name] = true
			case d.inv.groups[ref.name] != nil:
				d.fault(ref.rng, "Unknown host", "%q is a group. Groups of groups are given as children = [%q].", ref.name, ref.name)
			default:
				d.fault(ref.rng, "Unknown host", "No host %q is declared.%s", ref.name, DidYouMean(ref.name, d.hostNames()))
			}
		}
		g.direct = kept
	}
}

// loops tells of groups that contain themselves. state: 1 while under way, 2 when done.
func (d *decoder) loops(g *Group, state map[*Group]int, path []string) {
	path = append(path, g.Name)
	if state[g] == 1 {
		d.fault(g.DeclRange, "Group loop", "The group contains itself: %s.", arrows(path[slices.Index(path, g.Name):]))
	}
	if state[g] != 0 {
		return
	}
	state[g] = 1
	for _, c := range g.Children {
		d.loops(d.inv.groups[c], state, path)
	}
	state[g] = 2
}

// depths computes how far below the top each group lies. The number of groups bounds the rounds should there be a loop.
func (d *decoder) depths() {
	for range d.inv.Groups {
		changed := false
		for _, g := range d.inv.Groups {
			if g.Name == "all" { // everything is below it
				continue
			}
			for _, c := range g.Children {
				if child := d.inv.groups[c]; child.depth <= g.depth && child.depth < len(d.inv.Groups) {
					child.depth, changed = g.depth+1, true
				}
			}
		}
		if !changed {
			return
		}
	}
}

func (d *decoder) groupNames() []string {
	var out []string
	for _, g := range d.inv.Groups {
		out = append(out, g.Name)
	}
	return out
}

func (d *decoder) hostNames() []string { return d.inv.hostNames() }

func (inv *Inventory) hostNames() []string {
	out := make([]string, 0, len(inv.Hosts))
	for _, h := range inv.Hosts {
		out = append(out, h.Name)
	}
	return out
}
