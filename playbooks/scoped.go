package playbooks

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// scope is where the tasks of a play, of one turn of a role, or of one turn of a file of tasks are evaluated.
type scope struct {
	ctx      *hcl.EvalContext
	home     *scope                   // of the play or the role, which keeps what its tasks register; of these, themselves
	depth    int                      // of home: how many roles it is in
	names    map[string]bool          // of home: what is registered in it
	results  map[string]cty.Value     // of home
	register map[string]*registration // of home
	ungiven  hcl.Diagnostics          // of home: why outputs of these are not known
	called   []*registration          // of home: the results of roles, which are made when somebody looks

	up      *scope           // that of the call; nil: of the play
	call    *call            // what has led here; nil: the play
	prog    *program         // its tasks
	number  int              // among the turns
	turn    instance         // of the call: where its arguments are evaluated
	holds   answer           // whether the conditions of the calls hold
	reasons []string         // what is not known of them
	faults  hcl.Diagnostics  // of the arguments
	seen    int              // the state of the run in which they were evaluated
	after   *hcl.EvalContext // of a role: where its outputs are evaluated; nil: it has not come to its end
	changed bool             // one of its tasks has changed something
	unsure  bool             // one of its tasks is not known before a play
}

// rooted is the scope of a play.
func rooted(ctx *hcl.EvalContext, names map[string]bool) *scope {
	s := &scope{ctx: ctx, names: names, results: map[string]cty.Value{}, register: map[string]*registration{}, holds: yes}
	s.home = s
	return s
}

// entered is the scope of one turn of a call.
func (up *scope) entered(c *call, turn instance) *scope {
	sc := &scope{up: up, call: c, turn: turn, prog: c.program, holds: yes, home: up.home, ctx: turn.ctx.NewChild()}
	sc.ctx.Variables = map[string]cty.Value{}
	if c.role != nil {
		sc.home, sc.depth = sc, up.home.depth+1
		sc.names, sc.results, sc.register = c.role.registers, map[string]cty.Value{}, map[string]*registration{}
		sc.ctx.Functions = c.role.functions
		for _, name := range []string{"var", "local", "result", "failure"} {
			sc.ctx.Variables[name] = cty.DynamicVal
		}
	}
	return sc
}

// outward is the turn of the call that has led into the role so many levels out.
func (in instance) outward(levels int) instance {
	for ; levels > 0 && in.scope != nil && in.scope.home.call != nil; levels-- {
		in = in.scope.home.turn
	}
	return in
}

// owner is the scope of the play or role at a depth around this one.
func (sc *scope) owner(depth int) *scope {
	sc = sc.home
	for sc.depth > depth {
		sc = sc.up.home
	}
	return sc
}

// in reports whether sc is o or was called from it.
func (sc *scope) in(o *scope) bool {
	for ; sc != nil; sc = sc.up {
		if sc == o {
			return true
		}
	}
	return false
}

// item is the key of an instance, behind those of the loops around it.
func (in instance) item() string {
	var keys []string
	if in.key != "" {
		keys = append(keys, in.key)
	}
	for sc := in.scope; sc != nil && sc.call != nil; sc = sc.up {
		if sc.turn.key != "" {
			keys = append([]string{sc.turn.key}, keys...)
		}
	}
	return strings.Join(keys, "/")
}

// fresh evaluates what the scope has from its call, anew if that may have changed.
func (r *HostRun) fresh(sc *scope) {
	if sc.seen == r.version {
		return
	}
	first := sc.seen == 0
	sc.seen = r.version
	if sc.up != nil {
		r.fresh(sc.up)
	}
	if sc.call != nil && sc.holds != no && (first || sc.call.late) {
		r.inputs(sc)
	}
	if len(sc.called) > 0 {
		r.gather(sc)
	}
}

// gather makes the results of roles known in the scope that has called them, as far as they are.
func (r *HostRun) gather(sc *scope) {
	ungiven := &collector{}
	defer func() { sc.ungiven = ungiven.diags() }()
	for _, reg := range sc.called {
		if sc.register[reg.name] == reg && !slices.ContainsFunc(reg.turns, r.at.scope.in) {
			sc.results[reg.name] = r.outputs(reg, ungiven)
		}
	}
	sc.show()
	if sc == r.root && r.play.dynamic {
		r.setVars(true)
	}
}

// show puts the results into scope. Those not there yet are unknown.
func (sc *scope) show() {
	all := make(map[string]cty.Value, len(sc.names))
	for n := range sc.names {
		all[n] = cty.DynamicVal
	}
	maps.Copy(all, sc.results)
	sc.ctx.Variables["result"] = cty.ObjectVal(all)
}

// sweepsItself reports whether f is at the end of a role whose handlers do not wait for those of the play.
func (sc *scope) sweepsItself(f *frame) bool {
	return sc.call != nil && sc.call.role != nil && sc.call.handler && f.prog == sc.prog && len(sc.call.role.handlers) > 0
}
