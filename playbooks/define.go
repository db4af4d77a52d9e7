package playbooks

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// definition gives a name to an expression: a local, or a variable of a play.
type definition struct {
	name string
	expr hcl.Expression
	rng  hcl.Range
	late bool // depends on facts or results
}

// order sorts definitions so that each comes after those it refers to; dep tells which one a traversal names, or "".
// A loop is a fault, and the definitions in it are left out.
func order(defs map[string]definition, kind string, dep func(hcl.Traversal) string) (out []definition, diags hcl.Diagnostics) {
	state := map[string]int{} // 1: under way, 2: done, 3: in a loop
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		path = append(path, name)
		if state[name] == 1 {
			loop := path[slices.Index(path, name):]
			diags = append(diags, fault(defs[name].rng, "Loop of "+kind, "The value depends on itself: %s.", strings.Join(loop, " -> ")))
			for _, n := range loop {
				state[n] = 3
			}
		}
		if state[name] != 0 {
			return
		}
		state[name] = 1
		d := defs[name]
		for _, t := range d.expr.Variables() {
			if other := dep(t); other != "" {
				if _, ok := defs[other]; ok {
					visit(other, path)
				}
			}
		}
		if state[name] == 1 {
			state[name] = 2
			out = append(out, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		visit(name, nil)
	}
	return out, diags
}

// attributeOf returns the name after root in a traversal such as root.name or root["name"], or "".
func attributeOf(t hcl.Traversal, root string) string {
	if t.RootName() != root || len(t) < 2 {
		return ""
	}
	return stepName(t[1])
}

// declare evaluates variables, and the locals that need no hosts.
func (s *Site) declare(byType map[string]hcl.Blocks, o Options) {
	s.static = names{vars: map[string]bool{}, locals: map[string]bool{}}
	s.scope = &hcl.EvalContext{Functions: s.functions(), Variables: map[string]cty.Value{}}
	decls := s.variableBlocks(byType["variable"])
	defs := s.localBlocks(byType["locals"])
	s.setVariables(decls, o, s.needed(byType, defs, o))
	s.locals = &locals{values: map[string]cty.Value{}}
	for name := range defs {
		s.static.locals[name] = true
	}
	sorted, diags := order(defs, "locals", func(t hcl.Traversal) string { return attributeOf(t, "local") })
	s.diags.add(diags...)
	for name := range defs { // those in a loop stay unknown, so that they are told once
		s.locals.values[name] = cty.DynamicVal
	}
	late := map[string]bool{}
	for _, d := range sorted {
		faults := s.checkRefs([]hcl.Expression{d.expr}, staticScope{names: s.static, hosts: true, groups: true, where: "locals", hint: localsHint})
		s.diags.add(faults...)
		if faults.HasErrors() {
			continue // its value stays unknown
		}
		for _, t := range d.expr.Variables() {
			if root := t.RootName(); root == "hosts" || root == "groups" || late[attributeOf(t, "local")] || root == "local" && len(t) == 1 {
				late[d.name] = true
			}
		}
		if late[d.name] {
			s.locals.late = append(s.locals.late, d)
			continue
		}
		s.evalLocal(d)
	}
	s.scope.Variables["local"] = cty.ObjectVal(s.locals.values)
}

const localsHint = " Locals are the same for all hosts; what differs from host to host belongs into the vars of a play."

// locals are the values known so far, and the definitions that wait for the hosts.
type locals struct {
	values map[string]cty.Value
	late   []definition
}

func (s *Site) evalLocal(d definition) {
	s.scope.Variables["local"] = cty.ObjectVal(s.locals.values)
	v, diags := d.expr.Value(s.scope)
	s.diags.add(redact(s.explain(diags, nil))...)
	if diags.HasErrors() {
		v = cty.DynamicVal
	}
	s.locals.values[d.name] = v
}

// finishLocals evaluates the locals that refer to hosts or groups.
func (s *Site) finishLocals() {
	s.scope.Variables["groups"] = s.groupsValue()
	if len(s.locals.late) > 0 {
		s.scope.Variables["hosts"] = s.hostsValue(nil)
		for _, d := range s.locals.late {
			s.evalLocal(d)
		}
		delete(s.scope.Variables, "hosts") // each play has its own, with the index
	}
	s.scope.Variables["local"] = cty.ObjectVal(s.locals.values)
}

func (s *Site) localBlocks(blocks hcl.Blocks) map[string]definition {
	defs := map[string]definition{}
	for _, b := range blocks {
		attrs, diags := b.Body.JustAttributes()
		s.diags.add(diags...)
		for name, a := range attrs {
			if old, ok := defs[name]; ok {
				first, second := old.rng, a.NameRange
				if second.Filename == first.Filename && second.Start.Byte < first.Start.Byte {
					first, second = second, first
				}
				s.diags.add(fault(second, "Duplicate local", "A local %q was defined already at %s.", name, first))
				continue
			}
			defs[name] = definition{name: name, expr: a.Expr, rng: a.NameRange}
		}
	}
	return defs
}

// playVars reads the variables of a play. They may refer to each other.
func (s *Site) playVars(a *hclsyntax.Attribute) []definition {
	if a == nil {
		return nil
	}
	pairs, diags := hcl.ExprMap(a.Expr)
	if diags.HasErrors() {
		s.diags.add(fault(a.Expr.Range(), "Wrong vars", "The variables of a play are written out: vars = { name = value, ... }."))
		return nil
	}
	defs := map[string]definition{}
	for _, pair := range pairs {
		k, diags := pair.Key.Value(s.scope)
		if diags.HasErrors() || k.IsNull() || !k.IsKnown() || k.Type() != cty.String {
			s.diags.add(fault(pair.Key.Range(), "Wrong name", "The name of a variable is a word or a string."))
			continue
		}
		name := k.AsString()
		if slices.Contains(scopeRoots, name) {
			s.diags.add(fault(pair.Key.Range(), "Wrong name", "A variable cannot be called %q: expressions know something else by that name.", name))
			continue
		}
		if _, twice := defs[name]; twice {
			s.diags.add(fault(pair.Key.Range(), "Duplicate variable", "The variable %q is given twice.", name))
		}
		defs[name] = definition{name: name, expr: pair.Value, rng: pair.Key.Range()}
	}
	sorted, diags := order(defs, "variables", func(t hcl.Traversal) string { return t.RootName() })
	s.diags.add(diags...)
	return lateOnes(sorted)
}

// lateOnes marks the definitions that depend on facts or results, which are evaluated anew when those arrive.
func lateOnes(sorted []definition) []definition {
	late := map[string]bool{"facts": true, "result": true}
	for i, d := range sorted {
		for _, t := range d.expr.Variables() {
			if late[t.RootName()] {
				sorted[i].late = true
				late[d.name] = true
			}
		}
	}
	return sorted
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
