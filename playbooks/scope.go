package playbooks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// scopeRoots are the names that mean something of their own in expressions; no variable of a host or play may hide them.
var scopeRoots = []string{"var", "local", "host", "hosts", "groups", "facts", "result", "each", "self", "failure"}

var hostAttributes = []string{"name", "index", "address", "port", "user", "nic", "vars", "groups"}

// names are those that the site declares.
type names struct{ vars, locals map[string]bool }

// staticScope says what the expressions at one place may refer to. It is checked without evaluating, so that a name
// misspelt in a branch never taken is found too.
type staticScope struct {
	names
	groups, hosts bool
	host, facts   bool
	each          bool
	self, failure bool            // of the conditions on a task's own outcome, of rescue and always blocks
	bare          map[string]bool // variables of hosts and plays, iterators
	results       map[string]bool // registered by an earlier task
	later         map[string]hcl.Range
	outputs       map[string][]string // of roles, by what they are registered as
	sealed        bool                // variables and locals have no value here
	where, hint   string
}

func (sc staticScope) inScope() []string {
	var out []string
	add := func(ok bool, name string) {
		if ok {
			out = append(out, name)
		}
	}
	add(len(sc.vars) > 0, "var")
	add(len(sc.locals) > 0, "local")
	add(sc.host, "host")
	add(sc.hosts, "hosts")
	add(sc.groups, "groups")
	add(sc.facts, "facts")
	add(len(sc.results) > 0, "result")
	add(sc.each, "each")
	add(sc.self, "self")
	add(sc.failure, "failure")
	return append(out, sortedKeys(sc.bare)...)
}

// checkRefs reports the names in expressions that are not in scope.
func (s *Site) checkRefs(exprs []hcl.Expression, sc staticScope) hcl.Diagnostics {
	diags := s.checkTree(exprs)
	for _, e := range exprs {
		for _, t := range e.Variables() {
			if d := sc.check(t); d != nil {
				diags = append(diags, d)
			}
		}
	}
	return diags
}

func (sc staticScope) check(t hcl.Traversal) *hcl.Diagnostic {
	root := t.RootName()
	if sc.bare[root] {
		return nil
	}
	if sc.sealed && (root == "var" || root == "local") {
		return sc.allowed(t, false)
	}
	switch root {
	case "var":
		return sc.member(t, "variable", sc.vars)
	case "local":
		return sc.member(t, "local", sc.locals)
	case "groups":
		return sc.allowed(t, sc.groups)
	case "hosts":
		return sc.allowed(t, sc.hosts)
	case "facts":
		return sc.fact(t)
	case "host":
		if name := attributeOf(t, root); sc.host && name != "" && !slices.Contains(hostAttributes, name) {
			return fault(t.SourceRange(), "Unknown attribute", "A host has no attribute %q.%s", name, inventory.DidYouMean(name, hostAttributes))
		}
		return sc.allowed(t, sc.host)
	case "each":
		if name := attributeOf(t, root); sc.each && name != "key" && name != "value" {
			return fault(t.SourceRange(), "Unknown attribute", "There are each.key and each.value.")
		}
		if !sc.each && sc.host {
			return fault(t.SourceRange(), "Not in a loop", "The name \"each\" is known only where the task has for_each.")
		}
		return sc.allowed(t, sc.each)
	case "result":
		return sc.result(t)
	case "self":
		if !sc.self && sc.host {
			return fault(t.SourceRange(), "Not known here", "The name \"self\", a task's own result, is known in its changed_when, failed_when and until.")
		}
		return sc.allowed(t, sc.self)
	case "failure":
		if !sc.failure && sc.host {
			return fault(t.SourceRange(), "Not known here", "The name \"failure\" is known in the rescue and always parts of a block.")
		}
		return sc.allowed(t, sc.failure)
	}
	return sc.unknown(t, root)
}

func (sc staticScope) allowed(t hcl.Traversal, ok bool) *hcl.Diagnostic {
	if ok {
		return nil
	}
	return fault(t.SourceRange(), "Not known here", "%q cannot be used in %s.%s", t.RootName(), sc.where, sc.hint)
}

func (sc staticScope) member(t hcl.Traversal, kind string, known map[string]bool) *hcl.Diagnostic {
	name := attributeOf(t, t.RootName())
	if name == "" || known[name] {
		return nil
	}
	how := fmt.Sprintf(" Declare it: variable %q {}.", name)
	if kind == "local" {
		how = fmt.Sprintf(" Define it: locals { %s = ... }.", name)
	}
	if hint := inventory.DidYouMean(name, sortedKeys(known)); hint != "" {
		how = hint
	}
	return fault(t.SourceRange(), "Unknown "+kind, "No %s %q is declared.%s", kind, name, how)
}

func (sc staticScope) result(t hcl.Traversal) *hcl.Diagnostic {
	if !sc.host {
		return sc.allowed(t, false)
	}
	name := attributeOf(t, "result")
	if name == "" {
		return fault(t.SourceRange(), "Wrong reference", "A result is referred to by the name it was registered as: result.NAME.")
	}
	if sc.results[name] {
		return sc.output(t, name)
	}
	if rng, ok := sc.later[name]; ok {
		return fault(t.SourceRange(), "Result not there yet", "%q is registered by this task or a later one, at %s. Tasks run from top to bottom.", name, rng)
	}
	return fault(t.SourceRange(), "Unknown result", "No task registers %q: register = %q.%s", name, name, inventory.DidYouMean(name, sortedKeys(sc.results)))
}

// output refuses a name that a role does not give.
func (sc staticScope) output(t hcl.Traversal, name string) *hcl.Diagnostic {
	known := sc.outputs[name]
	if known == nil || len(t) < 3 || stepName(t[2]) == "" || slices.Contains(known, stepName(t[2])) {
		return nil
	}
	return fault(t.SourceRange(), "Unknown output", "The role has no output %q.%s", stepName(t[2]), inventory.DidYouMean(stepName(t[2]), known))
}

func (sc staticScope) unknown(t hcl.Traversal, root string) *hcl.Diagnostic {
	known := sc.inScope()
	if sc.vars[root] {
		return fault(t.SourceRange(), "Unknown name", "Nothing is called %q here. Did you mean \"var.%s\"?", root, root)
	}
	if sc.locals[root] {
		return fault(t.SourceRange(), "Unknown name", "Nothing is called %q here. Did you mean \"local.%s\"?", root, root)
	}
	if sc.isResult(root) {
		return fault(t.SourceRange(), "Unknown name", "Nothing is called %q here. Did you mean \"result.%s\"?", root, root)
	}
	hint := nameHabit(root)
	if hint == "" {
		hint = inventory.DidYouMean(root, known)
	}
	if hint == "" && len(known) > 0 {
		hint = " In scope are " + strings.Join(known, ", ") + "."
	}
	if strings.HasPrefix(hint, " Known: ") || hint == "" || strings.HasPrefix(hint, " In scope are ") {
		hint += quoted(t)
	}
	return fault(t.SourceRange(), "Unknown name", "Nothing is called %q in %s.%s", root, sc.where, strings.Replace(hint, " Known: ", " In scope are ", 1))
}

// isResult reports whether a task registers name, before or after.
func (sc staticScope) isResult(name string) bool {
	_, later := sc.later[name]
	return later || sc.results[name]
}

// quoted is the hint for a name that stands alone and may be meant as a text.
func quoted(t hcl.Traversal) string {
	if len(t) > 1 {
		return ""
	}
	return fmt.Sprintf(" A text is written in quotes: %q.", t.RootName())
}

// expressions lists all expressions in a body, nested blocks included.
func (s *Site) expressions(body hcl.Body) []hcl.Expression {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	var out []hcl.Expression
	for _, a := range sortedAttributes(b.Attributes) {
		out = append(out, a.Expr)
	}
	for _, n := range b.Blocks {
		out = append(out, s.expressions(n.Body)...)
	}
	return out
}

// onceHosts are the hosts of a play, and the values made of them, computed when first needed.
type onceHosts struct {
	list  sync.Once
	value sync.Once

	hosts []*inventory.Host
	index map[*inventory.Host]int
	err   error
	ctx   *hcl.EvalContext
}

func (p *Play) all() ([]*inventory.Host, error) {
	o := p.once
	o.list.Do(func() {
		if p.pattern == "" {
			o.err = fmt.Errorf("it does not say which hosts it is for")
			return
		}
		o.hosts, o.err = p.site.match(p.pattern, p.later)
		o.index = make(map[*inventory.Host]int, len(o.hosts))
		for i, h := range o.hosts {
			o.index[h] = i
		}
	})
	return o.hosts, o.err
}

// scope is the part of a play's scope that all its hosts share.
func (p *Play) scope() *hcl.EvalContext {
	p.all() //nolint:errcheck // an error is told by Hosts
	p.once.value.Do(func() {
		p.once.ctx = p.site.scope.NewChild()
		p.once.ctx.Variables = map[string]cty.Value{"hosts": p.site.hostsValue(p.once.index)}
	})
	return p.once.ctx
}

// bareNames are the variables that some host, or the play, has.
func (s *Site) bareNames() map[string]bool {
	out := map[string]bool{}
	for _, g := range s.Inventory.Groups {
		for k := range g.Vars {
			out[k] = true
		}
	}
	for _, h := range s.Inventory.Hosts {
		for k := range h.Vars {
			out[k] = true
		}
	}
	return out
}

// with returns a copy of the scope in which more bare names are known.
func (sc staticScope) with(more ...string) staticScope {
	bare := maps.Clone(sc.bare)
	if bare == nil {
		bare = map[string]bool{}
	}
	for _, n := range more {
		bare[n] = true
	}
	sc.bare = bare
	return sc
}
