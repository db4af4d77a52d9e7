package playbooks

import (
	"context"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
	"labctl/inventory/source"
)

// loadInventory decodes the hosts with the locals that do not need them, and then the other locals.
func (s *Site) loadInventory(blocks hcl.Blocks, given givenHosts, login inventory.SSH, env source.Env) {
	blocks = slices.DeleteFunc(slices.Clone(blocks), func(b *hcl.Block) bool {
		if !slices.ContainsFunc(inventory.BlockTypes, func(t hcl.BlockHeaderSchema) bool { return t.Type == b.Type }) {
			return true
		}
		return !s.plainLabels(b)
	})
	for _, b := range blocks {
		s.diags.add(s.checkRefs(s.expressions(b.Body), staticScope{names: s.static, where: "the inventory"})...)
	}
	found, ok := s.loadSources(blocks, given.sources, env)
	s.input = inventory.Input{Blocks: blocks, Scope: s.scope, Found: found, List: given.list, Over: s.extra, Login: login}
	inv, diags := inventory.Decode(s.input)
	if s.lacking = !ok; ok { // else it may follow from that
		s.untold(s.diags)(diags)
	}
	s.Inventory = inv
	s.checkNames()
	s.finishLocals()
}

// loadSources reads the hosts that are not in HCL.
func (s *Site) loadSources(blocks hcl.Blocks, given []source.Source, env source.Env) (found []*inventory.Found, ok bool) {
	declared, diags := inventory.DecodeSources(blocks, s.scope)
	s.untold(s.diags)(diags)
	var sources []source.Source
	for _, b := range declared {
		sources = append(sources, source.Of(b))
	}
	sources = append(sources, given...)
	if len(sources) == 0 {
		return nil, !diags.HasErrors()
	}
	for _, b := range blocks {
		switch b.Type {
		case "host":
			names, _ := inventory.ExpandRange(b.Labels[0]) // Decode tells what is wrong
			env.Hosts = append(env.Hosts, names...)
		case "group":
			env.Groups = append(env.Groups, b.Labels[0])
		}
	}
	found, more := source.Load(context.Background(), sources, env)
	for _, f := range found {
		for n, file := range f.Files {
			s.noteFile(n, file.Bytes)
		}
	}
	s.diags.add(more...)
	s.unread = slices.ContainsFunc(more, func(d *hcl.Diagnostic) bool { return d.Summary == source.Encrypted })
	return found, !diags.HasErrors() && !more.HasErrors()
}

// checkNames refuses variables that expressions could not tell from what they know by that name. Those that sources give, where
// others have named them, are there as host.vars.NAME.
func (s *Site) checkNames() {
	check := func(names []string, rng hcl.Range) {
		for _, name := range names {
			if slices.Contains(scopeRoots, name) {
				s.diags.add(fault(rng, "Wrong name", "A variable cannot be called %q: expressions know something else by that name.", name))
			}
		}
	}
	for _, g := range s.Inventory.Groups {
		check(g.Declared(), g.DeclRange)
	}
	for _, h := range s.Inventory.Hosts {
		check(h.Declared(), h.DeclRange)
	}
}
