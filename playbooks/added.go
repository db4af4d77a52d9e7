package playbooks

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/modules"
)

// Added is what add_host and group_by have added to the inventory in a run: plays behind theirs know of it.
type Added struct {
	mu   sync.Mutex
	all  []addition
	used int  // how many of them Site.With has seen
	open bool // a plan cannot tell what is added
}

// addition is one outcome. Play, host and step give the order in which the tasks stand, whoever ended first.
type addition struct {
	play, host, step int
	found            inventory.Found
}

// New reports whether something was added since Site.With was called.
func (a *Added) New() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all) > a.used
}

// Open reports whether more may be added than a plan knows.
func (a *Added) Open() bool {
	if a == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}

func (a *Added) put(add addition) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, add)
}

// inOrder returns what was added, what counts last at the end.
func (a *Added) inOrder() []*inventory.Found {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = len(a.all)
	slices.SortStableFunc(a.all, func(x, y addition) int {
		return cmp.Or(cmp.Compare(x.play, y.play), cmp.Compare(x.host, y.host), cmp.Compare(x.step, y.step))
	})
	var out []*inventory.Found
	for i := range a.all {
		out = append(out, &a.all[i].found)
	}
	return out
}

// With returns the site as it is with what was added to its inventory, and what was set of its hosts. Plays are those of s, with
// the same tasks; hosts may be others, though of the same names. Locals keep their values. Faults are those of what was added,
// such as a jump host that nobody knows.
func (s *Site) With(a *Added, f *SetFacts) (*Site, hcl.Diagnostics) {
	grown := *s
	grown.set = f.all()
	in := s.input
	var diags hcl.Diagnostics
	if more := a.inOrder(); len(more) > 0 {
		in.Found = append(slices.Clip(in.Found), more...)
		grown.Inventory, diags = inventory.Decode(in)
		diags = slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity != hcl.DiagError })
	}
	grown.scope = &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: s.scope.Functions}
	for name, v := range s.scope.Variables {
		grown.scope.Variables[name] = v
	}
	grown.scope.Variables["groups"] = grown.groupsValue()
	grown.plays = nil
	for _, p := range s.plays {
		q := *p
		q.site, q.once = &grown, &onceHosts{}
		grown.plays = append(grown.plays, &q)
	}
	return &grown, diags
}

// Adds reports whether a task of the site adds to the inventory.
func (s *Site) Adds() bool { return s.adds }

// Unknown returns the names in the pattern of a play that are neither hosts nor groups, where the plays before it may have added
// them.
func (p *Play) Unknown() []string {
	if !p.later {
		return nil
	}
	_, unknown, _ := p.site.Inventory.MatchKnown(p.pattern)
	return unknown
}

// Grows reports whether hosts that the plays before it add may be among those of a play: it names others than hosts that are there.
func (p *Play) Grows() bool {
	terms := strings.FieldsFunc(p.pattern, func(r rune) bool { return r == ',' || r == ':' })
	return p.later && slices.ContainsFunc(terms, func(t string) bool { return p.site.Inventory.Host(strings.TrimSpace(t)) == nil })
}

// isAdder reports whether a task adds to the inventory.
func (t *Task) isAdder() bool {
	return t.Module.Name() == modules.AddHostName || t.Module.Name() == modules.GroupByName
}

// adder notes that a task adds to the inventory. The names of variables that are written out are known to later plays.
func (c *compiler) adder(t *Task, b *hclsyntax.Block) {
	if !t.isAdder() {
		return
	}
	c.site.adds = true
	a := b.Body.Attributes["vars"]
	if a == nil {
		return
	}
	t.value = a.Expr
	object, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return
	}
	for _, item := range object.Items {
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || !key.IsKnown() || key.IsNull() || key.Type() != cty.String {
			continue
		}
		if slices.Contains(scopeRoots, key.AsString()) {
			c.fault(item.KeyExpr.Range(), "Wrong name", "A variable cannot be called %q: expressions know something else by that name.", key.AsString())
			continue
		}
		if c.site.given == nil {
			c.site.given = map[string]bool{}
		}
		c.site.given[key.AsString()] = true
	}
}

// added notes what a step that has ended adds.
func (r *HostRun) added(s *Step, o Outcome) {
	switch {
	case !s.Task.isAdder() || r.env.Added == nil || o.Failed || o.Skipped:
		return
	case o.Unknown || s.Partial:
		r.env.Added.mu.Lock()
		r.env.Added.open = true
		r.env.Added.mu.Unlock()
		return
	}
	r.env.Added.put(addition{play: slices.Index(r.play.site.plays, r.play), host: r.play.once.index[r.host], step: s.ID, found: s.addition(r.host.Name)})
}

// addition is what a step adds for a host of the play.
func (s *Step) addition(host string) inventory.Found {
	rng := s.Task.Range
	if s.Task.Module.Name() == modules.GroupByName {
		var g modules.GroupBy
		_ = json.Unmarshal(s.Call.Params, &g) // which the module has checked
		f := inventory.Found{Groups: []inventory.FoundGroup{{Name: g.Name, Hosts: []string{host}, Layer: inventory.Layer{Range: rng}}}}
		for _, parent := range g.Parents {
			f.Groups = append(f.Groups, inventory.FoundGroup{Name: parent, Children: []string{g.Name}, Layer: inventory.Layer{Range: rng}})
		}
		return f
	}
	var a modules.AddHost
	_ = json.Unmarshal(s.Call.Params, &a)
	h := inventory.FoundHost{Name: a.Name, Address: a.Address, Groups: a.Groups, Added: true, Layer: inventory.Layer{
		Vars: map[string]inventory.Var{}, Order: math.MaxInt, Range: rng}}
	h.SSH = inventory.SSH{Port: a.Port, User: a.User, IdentityFiles: a.IdentityFile, Password: inventory.NewSecret(a.Password), HostKeys: a.HostKey,
		HostKeyPolicy: a.HostKeyCheck, Options: a.Options, Connection: a.Connection}
	if a.Jump != nil {
		h.SSH.Jump = []inventory.Jump{}
	}
	for _, j := range a.Jump {
		h.SSH.Jump = append(h.SSH.Jump, inventory.Jump{Text: j, Range: rng})
	}
	if s.fact != cty.NilVal && s.fact.Type().IsObjectType() && s.fact.IsKnown() && !s.fact.IsNull() {
		all, marks := s.fact.Unmark()
		for name, v := range all.AsValueMap() {
			h.Vars[name] = inventory.Var{Value: v.WithMarks(marks), Range: rng}
		}
	}
	return inventory.Found{Hosts: []inventory.FoundHost{h}}
}
