package view

import (
	"time"

	"labctl/runner"
)

// patience is how long a line waits for slower hosts, so that it can stand under its task's one header.
const patience = time.Second

// timeline puts the lines of hosts that do not wait for each other under the headers of their tasks. The tasks of a play
// form a chain in which every host has a place. The head is the first task that some host has still to pass: its lines are
// shown as they come. Lines of later tasks wait until their task becomes the head, or for patience; then they are shown in
// the order of tasks, and a header is repeated where a slow host comes back to an earlier one.
type timeline struct {
	root   group // before the first task; root.next is the head
	places map[string]*place
	held   int       // lines waiting
	since  time.Time // the oldest of them
	shown  *group    // whose header was printed last
	now    time.Time
	header func(runner.Task)
	text   func(string)
}

// group is one task of a play, with all its iterations, on all hosts.
type group struct {
	task    runner.Task
	next    *group
	hosts   int // active hosts whose place this is
	open    int // those that may add more: iterations of for_each
	dropped bool
	held    []heldLine
}

type heldLine struct {
	text string
	bare bool // needs no header
}

// place is how far a host has come.
type place struct {
	at     *group
	active bool
	open   bool
	keys   map[string]bool // iterations seen at the present group
	again  bool            // the task of the present group, or this iteration of it, is tried again
}

func newTimeline(header func(runner.Task), text func(string)) *timeline {
	t := &timeline{header: header, text: text}
	t.start(nil)
	return t
}

// start begins a play on hosts. What was held is shown first.
func (t *timeline) start(hosts []string) {
	t.flush()
	t.root, t.shown = group{}, nil
	t.places = make(map[string]*place, len(hosts))
	for _, h := range hosts {
		t.place(h)
	}
}

// place returns where host is; a host not met before stands before the first task.
func (t *timeline) place(host string) *place {
	pl := t.places[host]
	if pl == nil {
		pl = &place{at: &t.root, active: true}
		t.places[host] = pl
		t.root.hosts++
	}
	if pl.at.dropped {
		pl.at = &t.root
	}
	return pl
}

// add moves host to task and shows text there; an empty text only moves.
func (t *timeline) add(host string, task runner.Task, text string) {
	pl := t.place(host)
	g := t.find(pl, task)
	pl.again = false
	t.move(pl, g, task.Key)
	if text != "" {
		t.put(g, heldLine{text: text})
	}
	t.settle()
}

// again shows text under a task that host is not done with.
func (t *timeline) again(host string, task runner.Task, text string) {
	pl := t.place(host)
	g := t.find(pl, task)
	t.move(pl, g, task.Key)
	delete(pl.keys, task.Key)
	if pl.active && !pl.open {
		pl.open = true
		g.open++
	}
	pl.again = true
	t.put(g, heldLine{text: text})
	t.settle()
}

// note shows text, which belongs to host but to no task, behind all that the host has said.
func (t *timeline) note(host, text string) {
	g := t.place(host).at
	if g == &t.root {
		t.text(text)
		return
	}
	t.put(g, heldLine{text: text, bare: true})
}

// leave says that host has nothing more to say in this play.
func (t *timeline) leave(host string) {
	pl := t.place(host)
	if !pl.active {
		return
	}
	pl.at.hosts--
	if pl.open {
		pl.at.open--
	}
	pl.active, pl.open = false, false
	t.settle()
}

// tick says what time it is, and shows what has waited long enough.
func (t *timeline) tick(now time.Time) {
	t.now = now
	if t.held > 0 && now.Sub(t.since) >= patience {
		t.flush()
	}
}

// flush shows everything held back, in the order of tasks.
func (t *timeline) flush() {
	for g := t.root.next; g != nil && t.held > 0; g = g.next {
		t.show(g)
	}
}

// find returns the group of task at or behind pl. A task that nobody has met before (of a rescue, say) is put right behind pl.
func (t *timeline) find(pl *place, task runner.Task) *group {
	if pl.at != &t.root && same(pl.at.task, task) && (pl.again || task.Key != "" && !pl.keys[task.Key]) {
		return pl.at
	}
	for g := pl.at.next; g != nil; g = g.next {
		if same(g.task, task) {
			return g
		}
	}
	g := &group{task: task, next: pl.at.next}
	pl.at.next = g
	return g
}

// same reports whether a and b are the same task of the playbook. Its name may differ from host to host.
func same(a, b runner.Task) bool {
	if a.Handler != b.Handler || a.Module != b.Module {
		return false
	}
	if a.File != "" || b.File != "" {
		return a.File == b.File && a.Line == b.Line
	}
	return a.Name == b.Name && a.Label == b.Label
}

func (t *timeline) move(pl *place, g *group, key string) {
	if pl.at != g {
		pl.keys = nil
	}
	if pl.active {
		pl.at.hosts--
		g.hosts++
		if pl.open {
			pl.at.open--
		}
		if pl.open = key != ""; pl.open {
			g.open++
		}
	}
	pl.at = g
	if key != "" {
		if pl.keys == nil {
			pl.keys = map[string]bool{}
		}
		pl.keys[key] = true
	}
}

// put shows l at once if g is the head, and holds it otherwise.
func (t *timeline) put(g *group, l heldLine) {
	if t.held == 0 {
		t.since = t.now
	}
	g.held = append(g.held, l)
	t.held++
	if g == t.root.next {
		t.show(g)
	}
}

// settle drops the heads that every active host has passed, and shows what waited for the next one.
func (t *timeline) settle() {
	for head := t.root.next; head != nil; head = t.root.next {
		t.show(head)
		if t.root.hosts > 0 || head.open > 0 {
			return
		}
		// Those who stand at the head are done with it: they now stand before the next one.
		head.dropped = true
		t.root.next, t.root.hosts = head.next, head.hosts
	}
}

func (t *timeline) show(g *group) {
	for _, l := range g.held {
		if !l.bare && t.shown != g {
			t.header(g.task)
			t.shown = g
		}
		t.text(l.text)
	}
	t.held -= len(g.held)
	g.held = nil
}
