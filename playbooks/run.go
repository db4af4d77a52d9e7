package playbooks

import (
	"maps"
	"math"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/modules/host"
)

// Env says how a play is evaluated for a host.
type Env struct {
	Plan     bool        // results of commands and probes are never known: what depends on them becomes a Step with Unknown
	Alone    bool        // no other host takes part, so that there is none to wait for
	Verify   bool        // probes alone are taken part in, and one that fails does not end the run
	Tags     []string    // only tasks with one of these, and those tagged "always"
	SkipTags []string    // no tasks with one of these
	From     *Task       // no task before it, whatever its tags; nil: all
	Targets  *Targets    // only these, and what they need; nil: all
	Replace  *Targets    // objects that are removed and made again
	Asks     func() bool // somebody is to be asked before each task: the hosts of the play meet there, and wait for the answer
	Facts    *SetFacts   // what earlier plays have set; nil: nothing lasts
	Added    *Added      // takes what is added to the inventory; nil: nothing is known of that
	Project  string      // by which hosts know the site, in notices of handlers
	Offers   bool        // handlers that have not run in earlier plays have their turn: Offer tells which
	Alike    *Alike      // what hosts share that is the same for all of them; nil: each evaluates its own
	Deadline string      // how long probes that do not say so themselves try, such as "1s"; "": their default
}

// State says how far a HostRun is.
type State int

const (
	// Blocked means that more steps may come, once facts or outcomes are there. Need tells which.
	Blocked State = iota
	// Paused means the same, but nothing has to come for that.
	Paused
	// Done means that there are no further steps.
	Done
	// Failed means that a step failed, or a task cannot be evaluated; there are no further steps.
	Failed
)

// Need is what a blocked HostRun waits for; the first of it may be enough.
type Need struct {
	Facts   bool
	Steps   []int
	Notices bool // Offer must be called
}

// HostRun is the evaluation of one play for one host. It is used by one goroutine at a time.
type HostRun struct {
	play *Play
	host *inventory.Host
	env  Env
	whom ownIdentity // what the inventory says of whom to become
	ctx  *hcl.EvalContext

	facts    bool                 // are known
	set      map[string]cty.Value // by set_fact
	ledFact  cty.Value            // what a set_fact has set that this host has run for all
	root     *scope               // of the play
	version  int                  // counts what has become known
	called   []*scope             // the turns of roles so far whose handlers have their turn with those of the play
	at       *frame               // what has its turn; nil: nothing is left
	last     *frame               // the task that had its turn last, or nil
	id       int                  // of the step last handed out
	hold     int                  // the step whose outcome must be known before another is handed out; 0: none
	queue    []Step               // evaluated, and held back by that
	changes  []change
	attempts map[int]int   // made of steps that may be tried again
	open     map[int]*Step // steps without an outcome
	notified map[notice]bool
	perhaps  map[notice]bool // handlers that may be notified, which only a play knows
	taken    map[notice]int  // of handlers: the step last handed out before their turn
	heard    int             // the step last handed out before Offer
	offered  map[host.NoticeID]bool
	accepted []host.NoticeID
	broken   []notice // handlers that have failed
	failed   bool
	diags    hcl.Diagnostics // of variables
	need     Need
}

// registration gathers the outcomes of the instances of a task, or the outputs of the turns of a role.
type registration struct {
	name    string
	home    *scope
	turns   []*scope // of a role
	pending map[int]bool
	loop    bool
	values  map[string]cty.Value // by for_each key, "" without
	value   cty.Value            // when all have ended
}

// Start begins the evaluation of the play for a host.
func (p *Play) Start(h *inventory.Host, env Env) *HostRun {
	r := &HostRun{
		play: p, host: h, env: env, whom: identityOf(h), open: map[int]*Step{}, version: 1,
		notified: map[notice]bool{}, perhaps: map[notice]bool{}, taken: map[notice]int{}, offered: map[host.NoticeID]bool{}, attempts: map[int]int{},
	}
	shared := p.scope()
	r.ctx = shared.NewChild()
	r.ctx.Variables = map[string]cty.Value{"facts": cty.DynamicVal, "result": cty.DynamicVal, "failure": cty.DynamicVal}
	if p.later && env.Plan && env.Added.Open() {
		r.ctx.Variables["hosts"], r.ctx.Variables["groups"] = cty.DynamicVal, cty.DynamicVal
	}
	for k, v := range h.Vars {
		if !slices.Contains(scopeRoots, k) {
			r.ctx.Variables[k] = v
		}
	}
	r.ctx.Variables["host"] = p.site.hostValue(h, p.once.index)
	if p.later && env.Plan && env.Added.Open() {
		for name := range p.site.given {
			if _, known := r.ctx.Variables[name]; !known {
				r.ctx.Variables[name] = cty.DynamicVal
			}
		}
	}
	for name := range p.site.facts {
		if _, known := r.ctx.Variables[name]; !known {
			r.ctx.Variables[name] = cty.DynamicVal // until it is set
		}
	}
	if r.set = env.Facts.of(h.Name); r.set == nil {
		r.set = map[string]cty.Value{}
	}
	maps.Copy(r.ctx.Variables, r.set)
	r.root = rooted(r.ctx, p.registers)
	r.at = &frame{prog: &p.program, scope: r.root}
	r.setVars(false)
	return r
}

// setVars evaluates the variables of the play; late: only those that depend on facts and results.
func (r *HostRun) setVars(late bool) {
	e := &evaluation{site: r.play.site, host: r.host}
	extra := r.play.site.extra
	for name, v := range extra {
		r.ctx.Variables[name] = v
	}
	for _, d := range r.play.vars {
		_, given := extra[d.name]
		if _, set := r.set[d.name]; given || set || late && !d.late {
			continue
		}
		v, diags := d.expr.Value(r.ctx)
		e.diags = append(e.diags, redact(e.site.explain(diags, r.host))...)
		if diags.HasErrors() {
			v = cty.DynamicVal
		}
		r.ctx.Variables[d.name] = v
	}
	r.diags = append(r.diags, e.diags...)
}

// SetFacts makes facts known.
func (r *HostRun) SetFacts(f host.Facts) {
	v, err := factsValue(f)
	if err != nil {
		r.diags = append(r.diags, fault(r.play.Range, "Unreadable facts", "The facts of %s: %s.", r.host.Name, err))
		return
	}
	r.facts = true
	r.version++
	r.ctx.Variables["facts"] = v
	if r.play.dynamic {
		r.setVars(true)
	}
}

func (r *HostRun) record(s *Step, v cty.Value) {
	reg := s.reg
	if reg == nil {
		return
	}
	reg.values[s.key] = v
	delete(reg.pending, s.ID)
	r.settle(reg)
}

// settle makes a registered result known once all instances of its task have ended.
func (r *HostRun) settle(reg *registration) {
	if len(reg.pending) > 0 {
		return
	}
	reg.value = reg.values[""]
	if reg.loop {
		reg.value = cty.ObjectVal(reg.values)
	}
	if reg.home.register[reg.name] == reg { // else a later turn has registered the name anew
		reg.home.results[reg.name] = reg.value
		r.publish(reg.home)
	}
}

// publish tells of results that have become known.
func (r *HostRun) publish(home *scope) {
	r.version++
	home.show()
	if home == r.root && r.play.dynamic {
		r.setVars(true)
	}
}

// Next returns the steps that are known by now and were not returned before, in order. They may be sent at once. Call it
// again after SetFacts and SetOutcome, until it says Done or Failed. Diagnostics may be warnings.
func (r *HostRun) Next() ([]Step, State, hcl.Diagnostics) { return r.NextFew(math.MaxInt) }

// NextFew is Next, but evaluates no task more once there are so many steps: it says Paused then.
func (r *HostRun) NextFew(enough int) ([]Step, State, hcl.Diagnostics) {
	var steps []Step
	diags := r.diags
	r.diags, r.need = nil, Need{}
	for !diags.HasErrors() {
		if len(steps) >= enough {
			return steps, Paused, diags
		}
		if r.held() {
			return steps, Blocked, diags
		}
		if len(r.queue) > 0 {
			steps = append(steps, r.unqueue())
			continue
		}
		it, state := r.item()
		if it == nil {
			return steps, state, diags
		}
		more, blocked, faults := r.turn(it)
		diags = append(diags, faults...)
		if blocked {
			return steps, Blocked, diags
		}
		if !faults.HasErrors() {
			steps = append(steps, more...)
		}
	}
	r.leaveAt(r.at)
	return steps, Failed, diags
}

// turn gives an item its turn, and moves on.
func (r *HostRun) turn(it *item) (steps []Step, blocked bool, diags hcl.Diagnostics) {
	switch {
	case it.sync != nil:
		steps = r.sync(*it.sync)
	case it.call != nil:
		return r.enter(it.call)
	case it.flush != nil:
		r.at = &frame{sweep: true, up: r.at, failed: r.at.failed}
		return nil, false, nil
	default:
		if s := r.appointment(it.task); s != nil {
			return []Step{*s}, false, nil
		}
		if r.at.attendance == gathered {
			break
		}
		if r.at.attendance == declined {
			r.skipped(it.task, r.at.scope)
			break
		}
		place := r.at
		steps, blocked, diags = r.task(it.task)
		if !blocked {
			r.last = place
		}
		if diags.HasErrors() {
			return r.fail(it.task, diags)
		}
		if blocked {
			return nil, blocked, diags
		}
		if it.task.patient() {
			r.queue, steps = steps, nil
		}
	}
	r.done()
	return steps, false, diags
}

// Need tells what the last Next, if it said Blocked, stopped at.
func (r *HostRun) Need() Need { return r.need }

// held reports whether nothing may be handed out before an outcome is known.
func (r *HostRun) held() bool {
	if r.open[r.hold] == nil {
		return false
	}
	r.need = Need{Steps: []int{r.hold}}
	return true
}

// unqueue hands out the next step that was held back, and holds back what is behind it.
func (r *HostRun) unqueue() Step {
	s := r.queue[0]
	r.queue = r.queue[1:]
	r.hold = s.ID
	return s
}

// selected applies the start and the tags of the command line, as Ansible does: with its special tags always, never, all, tagged and
// untagged.
func (e Env) selected(t *Task) bool {
	if !e.Targets.mayHave(t) {
		return false
	}
	if t.Handler != "" {
		return true
	}
	if e.From != nil && t.order < e.From.order {
		return false
	}
	has := func(list []string) bool {
		return slices.ContainsFunc(list, func(tag string) bool { return slices.Contains(t.tags, tag) })
	}
	kind := "untagged"
	if len(t.tags) > 0 {
		kind = "tagged"
	}
	always := slices.Contains(t.tags, "always")
	switch {
	case has(e.SkipTags), slices.Contains(e.SkipTags, kind), slices.Contains(e.SkipTags, "all") && !always:
		return false
	case has(e.Tags), always: // whatever block it is in: always goes before never
		return true
	case slices.Contains(t.tags, "never"):
		return false
	}
	return len(e.Tags) == 0 || slices.Contains(e.Tags, "all") || slices.Contains(e.Tags, kind)
}
