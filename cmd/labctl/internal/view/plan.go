package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"labctl/modules"
	"labctl/runner"
)

// planView shows a plan the way terraform plan does (internal/command/jsonformat/plan.go): what would happen to each object,
// host by host in the order of the inventory, tasks in their order, and one line that sums it up.
type planView struct {
	*common
	play   string
	titled bool // the play's title is printed
	order  []string
	plans  map[string]*hostPlan
	total  tally
	failed []string // hosts, in order of failure
}

// tally counts actions. A replacement is an addition and a destruction.
type tally struct{ add, change, destroy, run, unknown, read int }

// block is what is shown of one task. A read is shown only beside changes, where it says what will be looked at after them.
type block struct {
	text string
	read bool
}

// hostPlan is what would happen to one host in the present play.
type hostPlan struct {
	blocks []block
	counts tally
	done   bool
}

func newPlan(o Options, p *printer) *planView {
	v := &planView{common: newCommon(o, p)}
	v.start(runner.Event{})
	return v
}

func (v *planView) event(e runner.Event) {
	v.clock.event(e)
	switch e.Kind {
	case runner.PlayStarted:
		v.finish()
		v.start(e)
	case runner.TaskDone:
		v.task(e)
	case runner.Unreachable:
		h := v.host(e.Host)
		h.add(v.problem(hostOf(e)+" is unreachable", unreachableText(e.Error), "", ""), false)
		v.fail(e.Host)
		v.done(e.Host)
	case runner.HostDone:
		v.done(e.Host)
	case runner.PlayDone:
		v.finish()
	case runner.Recap:
		if v.o.Verbosity >= 1 && e.Cost != nil {
			v.finish()
			v.p.line("\n" + clean(e.Host) + ":")
			v.cost(e)
		}
	case runner.RunDone:
		v.finish()
		v.sum(e)
	default:
		v.common.event(e)
	}
}

func (v *planView) tick(time.Time) {}

func (v *planView) start(e runner.Event) {
	v.play, v.titled = e.Play, false
	v.order = nil
	v.plans = map[string]*hostPlan{}
	for _, h := range e.Hosts {
		v.host(h)
	}
}

func (v *planView) host(name string) *hostPlan {
	h := v.plans[name]
	if h == nil {
		h = &hostPlan{}
		v.plans[name] = h
		v.order = append(v.order, name)
	}
	return h
}

// done says that nothing more comes for host in this play, and shows all plans that no earlier host still holds back.
func (v *planView) done(host string) {
	v.host(host).done = true
	for len(v.order) > 0 && v.plans[v.order[0]].done {
		v.show(v.plans[v.order[0]])
		v.order = v.order[1:]
	}
}

// finish shows all plans, complete or not.
func (v *planView) finish() {
	for _, name := range v.order {
		v.show(v.plans[name])
	}
	v.order = nil
}

func (v *planView) show(h *hostPlan) {
	reads := v.o.Verbosity >= 1 || slices.ContainsFunc(h.blocks, func(b block) bool { return !b.read })
	for _, b := range h.blocks {
		if b.read && !reads {
			continue
		}
		v.title()
		v.p.line("\n" + b.text)
	}
	h.blocks = nil
	v.total.plus(h.counts)
	h.counts = tally{}
}

// title names the play, once it has something to show.
func (v *planView) title() {
	if !v.titled && v.play != "" {
		v.p.line("\n" + v.p.paint(bold, "Play "+quote(v.play)+":"))
	}
	v.titled = true
}

func (h *hostPlan) add(text string, read bool) { h.blocks = append(h.blocks, block{text, read}) }

func (v *planView) fail(host string) {
	if !slices.Contains(v.failed, host) {
		v.failed = append(v.failed, host)
	}
}

func (v *planView) task(e runner.Event) {
	if e.Task == nil {
		return
	}
	v.resultWarnings(e)
	h := v.host(e.Host)
	action := actionOf(e)
	switch {
	case e.Status == runner.Failed && (e.Ignored || e.Rescued): // a play goes on, as the plan does
		h.add(v.block(e, "~", seenTo(e)), false)
	case e.Status == runner.Failed:
		where := ""
		if e.Task.File != "" {
			where = fmt.Sprintf("%s line %d", e.Task.File, e.Task.Line)
		}
		h.add(v.problem(hostOf(e)+": "+e.Task.Address, errorText(e.Error), source(e.Error), where), false)
		v.fail(e.Host)
	case e.Status == runner.UnknownYet && !action.Changes():
		h.counts.unknown++
		h.add(v.block(e, "?", "depends on what is known after apply"), false)
	case e.Status == runner.Skipped, e.Status == runner.NotRun, !action.Changes() && action != modules.Read:
	case e.Task.Check != nil:
		symbol, _ := describe(action)
		h.add(v.block(e, symbol, checked(*e.Task.Check)), false)
	case action == modules.Read:
		h.counts.read++
		h.add(v.block(e, "<=", "will be read during apply"), true)
	default:
		h.counts.count(action)
		symbol, verb := describe(action)
		if action == modules.Replace && e.Diff != nil && !e.Task.Sensitive && !slices.ContainsFunc(e.Diff.Changes, func(c modules.Change) bool { return c.Replace }) {
			verb = "will be replaced, as requested"
		}
		h.add(v.block(e, symbol, verb), false)
	}
	if h.done { // a late word must not get lost
		v.show(h)
	}
}

// checked says of a task that a play will not do what a plan shows of it.
func checked(looks bool) string {
	if looks {
		return "would be otherwise: it is only looked at (check = true)"
	}
	return "has been done already (check = false)"
}

// actionOf is the action that an event tells of. Sensitive tasks may come without a Diff.
func actionOf(e runner.Event) modules.Action {
	switch {
	case e.Diff != nil:
		return e.Diff.Action
	case e.Status == runner.Changed && e.Task.Absent:
		return modules.Delete
	case e.Status == runner.Changed:
		return modules.Update
	}
	return modules.None
}

// seenTo says of a failure that it does not end the run of its host.
func seenTo(e runner.Event) string {
	if e.Ignored {
		return "fails, which is ignored: " + errorText(e.Error)
	}
	return "fails, and is rescued: " + errorText(e.Error)
}

func describe(a modules.Action) (symbol, verb string) {
	switch a {
	case modules.Create:
		return "+", "will be created"
	case modules.Replace:
		return "-/+", "must be replaced"
	case modules.Delete:
		return "-", "will be destroyed"
	case modules.Run:
		return "!", "will run"
	}
	return "~", "will be updated in-place"
}

func (t *tally) count(a modules.Action) {
	switch a {
	case modules.Create:
		t.add++
	case modules.Update:
		t.change++
	case modules.Replace:
		t.add++
		t.destroy++
	case modules.Delete:
		t.destroy++
	case modules.Run:
		t.run++
	}
}

func (t *tally) plus(u tally) {
	t.add += u.add
	t.change += u.change
	t.destroy += u.destroy
	t.run += u.run
	t.unknown += u.unknown
	t.read += u.read
}

// block is one object: a comment that says what will happen, and what it will be. Symbols end in the third column.
func (v *planView) block(e runner.Event, symbol, verb string) string {
	lines := []string{v.p.paint(bold, "  # "+clean(hostOf(e)+": "+e.Task.Address)+" "+verb+as(e.Task))}
	head := strings.Repeat(" ", 3-len(symbol)) + v.p.paint(symbolColor(symbol), symbol) + " " + e.Task.Module + " " + quote(e.Task.Label)
	body := v.body(e)
	if len(body) == 0 {
		return lines[0] + "\n" + head
	}
	lines = append(lines, head+" {")
	lines = append(lines, body...)
	return strings.Join(append(lines, "    }"), "\n")
}

// as says whom a task becomes and how, where that is not simply root.
func as(t *runner.Task) (text string) {
	if t.Method != "" || t.Become != "root" && t.Become != "" {
		text = " as " + t.Become
	}
	if t.Method != "" {
		text += " by " + t.Method
	}
	return clean(text)
}

func (v *planView) body(e runner.Event) []string {
	switch {
	case e.Status == runner.UnknownYet && (e.Diff == nil || len(e.Diff.Changes) == 0):
		return v.unknown(e)
	case e.Task.Sensitive:
		return []string{"        " + hidden}
	case e.Diff == nil:
		return nil
	}
	d := differ{p: v.p, sep: " = ", align: true, full: v.o.Verbosity >= 1, nest: "      "}
	return d.attributes(e.Diff.Changes)
}

// unknown is the body of a task of which nothing is known, with the reason if there is more to it than which arguments it is.
func (v *planView) unknown(e runner.Event) []string {
	_, why, told := strings.Cut(e.Message, "known after apply: only ")
	if !told {
		return []string{"        " + knownAfter}
	}
	out := []string{"        " + knownAfter}
	for row := range strings.Lines(wrap("only "+clean(why), v.p.width-12)) {
		out = append(out, "        # "+strings.TrimRight(row, "\n"))
	}
	return out
}

// problem is an error in the form of an HCL diagnostic.
func (v *planView) problem(subject, message, source, where string) string {
	out := v.p.paint(red, "Error: ") + clean(subject) + "\n"
	switch {
	case source != "":
		out += "\n" + source + "\n"
	case where != "":
		out += "\n  on " + clean(where) + "\n"
	}
	return out + "\n" + message
}

func source(err *runner.Error) string {
	if err == nil || err.Source == "" {
		return ""
	}
	return clean(strings.Trim(err.Source, "\n"))
}

// sum prints the last line, in Terraform's words.
func (v *planView) sum(e runner.Event) {
	t := v.total
	reads := t.read
	t.read = 0
	if t != (tally{}) {
		text := fmt.Sprintf("%d to add, %d to change, %d to destroy", t.add, t.change, t.destroy)
		if t.run > 0 {
			text += fmt.Sprintf(", %d to run", t.run)
		}
		if t.unknown > 0 {
			text += fmt.Sprintf(", %d known after apply", t.unknown)
		}
		v.p.line("\n" + v.p.paint(bold, "Plan:") + " " + text + ".")
	}
	switch {
	case e.Interrupted:
		v.p.line("\n" + v.p.paint(red, "Interrupted"+after(e.Duration)+": the plan is incomplete."))
	case len(v.failed) > 0:
		v.p.line("\n" + v.p.paint(red, "Planning failed on "+plural(len(v.failed), "host")+": "+clean(strings.Join(v.failed, ", "))+"."))
	case e.Error != nil: // it is told as a diagnostic
		return
	case t == (tally{}):
		v.p.line("\n" + v.p.paint(green, "No changes.") + " Your hosts match the playbook.")
	}
	if reads > 0 {
		v.p.line(probes(reads))
	}
}

// probes says what a plan leaves out: what it asks may depend on what it would change.
func probes(n int) string {
	if n == 1 {
		return "1 probe is made by play only."
	}
	return fmt.Sprintf("%d probes are made by play only.", n)
}
