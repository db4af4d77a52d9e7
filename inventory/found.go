package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Found is what a source other than HCL blocks knows: plain data. A name may come up more than once; what comes later wins.
type Found struct {
	Hosts  []FoundHost
	Groups []FoundGroup
	Files  map[string]*hcl.File // what was read, for messages

	ByGroup bool // "all" has the hosts in the order of the groups, as Ansible has it, not in that of Hosts
}

// FoundHost is a host as a source has it.
type FoundHost struct {
	Name    string
	Address string // "": not said
	SSH     SSH
	Groups  []string
	Added   bool // by a task of the run
	Layer
}

// FoundGroup is a group as a source has it: a part of it, when the source says several things of one group.
type FoundGroup struct {
	Name     string
	Hosts    []string
	Children []string
	Priority int // ansible_group_priority; 0: not said
	Layer
}

// Layer is the variables that one place gives a host or a group. Which place wins follows from Place and Order, then from how
// far down the group is.
type Layer struct {
	Vars  map[string]Var
	Place Place
	Order int // of the source, among those of one Place
	Range hcl.Range

	block bool // an HCL block has them
}

// Var is the value of a variable and where it was written.
type Var struct {
	Value cty.Value
	Range hcl.Range
}

// Place is the kind of place that variables are written at. Later ones win. These are Ansible's: variables in files named after
// a group beat those in the inventory itself, of whichever group.
type Place int

// The places of variables.
const (
	InInventory     Place = iota // with the host or group
	BesideInventory              // host_vars and group_vars beside the inventory
	BesidePlaybook               // the same beside the playbook
)

func declared(layers []Layer) []string {
	var out []string
	for _, l := range layers {
		if l.block {
			out = append(out, slices.Sorted(maps.Keys(l.Vars))...)
		}
	}
	return out
}

// found adds what a source knows to what the blocks have declared.
func (d *decoder) found(f *Found) {
	for i := range f.Groups {
		d.foundGroup(&f.Groups[i])
	}
	for i := range f.Hosts {
		d.foundHost(&f.Hosts[i], f.ByGroup)
	}
}

func (d *decoder) foundHost(f *FoundHost, byGroup bool) {
	h := d.inv.hosts[f.Name]
	if h == nil {
		if !d.nameFound("host", f.Name, f.Range) {
			return
		}
		h = &Host{Name: f.Name, DeclRange: f.Range, Added: f.Added}
		d.inv.hosts[h.Name] = h
		d.inv.Hosts = append(d.inv.Hosts, h)
		if byGroup {
			d.byGroup[h] = true
		}
	}
	if f.Address != "" {
		d.foundAddress[h] = f.Address
	}
	settings := f.SSH
	settings.fill(d.foundSSH[h]) // what was found before, by a source that is less to say
	d.foundSSH[h] = settings
	h.layers = append(h.layers, f.Layer)
	h.foundIn = append(h.foundIn, f)
	for _, g := range f.Groups {
		d.foundGroup(&FoundGroup{Name: g, Hosts: []string{f.Name}, Layer: Layer{Range: f.Range}})
	}
}

func (d *decoder) foundGroup(f *FoundGroup) {
	if f.Place != InInventory && d.inv.groups[f.Name] == nil && len(f.Vars) == 0 {
		return
	}
	g := d.inv.groups[f.Name]
	if g == nil {
		if !d.nameFound("group", f.Name, f.Range) {
			return
		}
		g = &Group{Name: f.Name, DeclRange: f.Range, found: true}
		d.inv.groups[g.Name] = g
		d.inv.Groups = append(d.inv.Groups, g)
	}
	if f.Priority != 0 {
		g.priority = f.Priority
	}
	if len(f.Vars) > 0 {
		g.layers = append(g.layers, f.Layer)
	}
	for _, name := range f.Hosts {
		g.direct = append(g.direct, reference{name, f.Range})
	}
	for _, name := range f.Children {
		if !slices.ContainsFunc(d.childRefs[g], func(r reference) bool { return r.name == name }) {
			d.childRefs[g] = append(d.childRefs[g], reference{name, f.Range})
		}
	}
}

// nameFound refuses names that a pattern could not tell from something else. Other tools allow more of them than a block does.
func (d *decoder) nameFound(kind, name string, rng hcl.Range) bool {
	if name == "" || strings.ContainsAny(name, " \t\r\n\x00\x01,*?[]/") || strings.ContainsRune("-!&~@", rune(name[0])) {
		d.fault(rng, "Wrong name", "%q cannot be the name of a %s. A name holds no white space and none of , * ? [ ] / and does not begin with - ! & ~ or @.", name, kind)
		return false
	}
	return true
}

// sameName tells of a group that is called like a host.
func (d *decoder) sameName(g *Group, h *Host) {
	if g.found { // as Ansible has it: a pattern means the host
		if !slices.ContainsFunc(g.direct, func(r reference) bool { return r.name == h.Name }) || len(g.direct) > 1 {
			d.warn(g.DeclRange, "Duplicate name", "%q is a host too, found at %s. A pattern means the host.", g.Name, place(h.DeclRange))
		}
		return
	}
	d.fault(g.DeclRange, "Duplicate name", "%q is a host too, declared at %s. A pattern could not tell them apart.", g.Name, h.DeclRange)
}

// place is file:line, which is where people look.
func place(r hcl.Range) string {
	if r.Start.Line == 0 {
		return r.Filename
	}
	return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line)
}
