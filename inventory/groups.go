package inventory

import (
	"fmt"
	"slices"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

func (d *decoder) group(b *hcl.Block) {
	c := d.content(b, groupSchema)
	g := &Group{
		Name: b.Labels[0], Vars: d.vars(c.Attributes["vars"]), SSH: d.settings(c.Attributes), DeclRange: b.DefRange,
		direct: d.references(c.Attributes["hosts"]),
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
			d.fault(g.DeclRange, "Duplicate name", "%q is a host too, declared at %s. A pattern could not tell them apart.", g.Name, h.DeclRange)
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
		d.close(g, state, nil)
	}
	d.depths()
	for _, g := range d.inv.Groups {
		for _, name := range g.Hosts {
			if h := d.inv.Host(name); g.Name != "all" {
				h.Groups = append(h.Groups, g.Name)
			}
		}
	}
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
		kept := g.direct[:0]
		for _, ref := range g.direct {
			switch {
			case d.inv.Host(ref.name) != nil:
				kept = append(kept, ref)
			case d.inv.groups[ref.name] != nil:
				d.fault(ref.rng, "Unknown host", "%q is a group. Groups of groups are given as children = [%q].", ref.name, ref.name)
			default:
				d.fault(ref.rng, "Unknown host", "No host %q is declared.%s", ref.name, DidYouMean(ref.name, d.hostNames()))
			}
		}
		g.direct = kept
	}
}

// close computes all hosts of g, its children's included. state: 1 while under way, 2 when done.
func (d *decoder) close(g *Group, state map[*Group]int, path []string) {
	path = append(path, g.Name)
	if state[g] == 1 {
		d.fault(g.DeclRange, "Group loop", "The group contains itself: %s.", arrows(path[slices.Index(path, g.Name):]))
	}
	if state[g] != 0 {
		return
	}
	state[g] = 1
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			g.Hosts = append(g.Hosts, name)
		}
	}
	for _, ref := range g.direct {
		add(ref.name)
	}
	for _, c := range g.Children {
		child := d.inv.groups[c]
		d.close(child, state, path)
		for _, name := range child.Hosts {
			add(name)
		}
	}
	state[g] = 2
}

// depths computes how far below the top each group lies. The number of groups bounds the rounds should there be a loop.
func (d *decoder) depths() {
	for range d.inv.Groups {
		changed := false
		for _, g := range d.inv.Groups {
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

// levels returns the groups of h, the most specific first, "all" last.
func (inv *Inventory) levels(h *Host) []*Group {
	var out []*Group
	for _, name := range h.Groups {
		out = append(out, inv.groups[name])
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].depth != out[j].depth {
			return out[i].depth > out[j].depth
		}
		return out[i].Name > out[j].Name
	})
	if g := inv.groups["all"]; g != nil && !h.Implicit {
		out = append(out, g)
	}
	return out
}

func (inv *Inventory) variables(h *Host) map[string]cty.Value {
	out := map[string]cty.Value{}
	levels := inv.levels(h)
	slices.Reverse(levels)
	for _, g := range levels {
		for k, v := range g.Vars {
			out[k] = v
		}
	}
	for k, v := range h.own {
		out[k] = v
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
	add := func(vars map[string]cty.Value, from string, rng hcl.Range) {
		for k, v := range vars {
			out = append(out, Origin{Name: k, Value: v, From: from, Range: rng, Wins: !seen[k]})
		}
		for k := range vars {
			seen[k] = true
		}
	}
	add(h.own, "host "+h.Name, h.DeclRange)
	for _, g := range inv.levels(h) {
		add(g.Vars, "group "+g.Name, g.DeclRange)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
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
