package planfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"labctl/modules"
	"labctl/runner"
)

// Guard lets a play do what stands in a plan, and nothing else.
type Guard struct {
	key   Key
	mu    sync.Mutex
	hosts map[string]*allowance
}

// allowance is what a host may be asked for.
type allowance struct {
	calls  map[place][]string // digests
	sure   map[place][]planned
	open   map[string]bool // tasks, by where they stand, of which a part is known after apply only
	failed bool            // a task has failed: what the tasks behind it find could not be foreseen
	other  bool            // nor which tasks see to that
}

// planned is what a call is to do.
type planned struct {
	call string
	diff modules.Diff
}

// NewGuard returns the guard of the plan that the events tell.
func NewGuard(k Key, events []Event) *Guard {
	g := &Guard{key: k, hosts: map[string]*allowance{}}
	hosts := done(events)
	together := joint(hosts)
	for host, list := range hosts {
		a := &allowance{calls: map[place][]string{}, sure: map[place][]planned{}, open: map[string]bool{}}
		g.hosts[host] = a
		blind := false // what a command does, or what is known after apply, may be what the tasks behind it find
		for _, e := range list {
			if e.Task == nil {
				continue
			}
			p := placeOf(e.Event)
			a.calls[p] = append(a.calls[p], e.Call)
			blind = blind || e.Status == runner.UnknownYet || actionOf(e) == modules.Run
			if !blind && !together[p] && e.Diff != nil && !e.Task.Sensitive && !masked(e.Diff) && (e.Status == runner.Changed || e.Status == runner.OK) {
				a.sure[p] = append(a.sure[p], planned{e.Call, *e.Diff})
			}
			if e.Status == runner.UnknownYet {
				a.open[written(e.Task)] = true
			}
		}
	}
	return g
}

// masked reports whether a value in a difference has been taken out, somewhere below.
func masked(d *modules.Diff) bool {
	text, err := json.Marshal(d)
	return err != nil || bytes.Contains(text, []byte("(sensitive)"))
}

func placeOf(e runner.Event) place {
	return place{play: e.Play, peer: e.Peer, address: e.Task.Address, handler: e.Task.Handler}
}

func written(t *runner.Task) string { return fmt.Sprintf("%s:%d", t.File, t.Line) }

// Event sees what comes of the tasks.
func (g *Guard) Event(e runner.Event) {
	if e.Kind != runner.TaskDone || e.Status != runner.Failed {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.hosts[e.Host]; a != nil {
		a.failed, a.other = true, a.other || !e.Ignored
	}
}

// Approve says why a task may not be carried out, or nil.
func (g *Guard) Approve(e runner.Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.hosts[e.Host]
	if a == nil {
		return errors.New("the plan says nothing of this host")
	}
	calls, there := a.calls[placeOf(e)]
	switch {
	case a.open[written(e.Task)], a.other && !there, slices.Contains(calls, g.key.Digest(e)):
		return nil
	case !there:
		return errors.New("it is not in the plan: nothing was done")
	}
	return errors.New("what it is called with is not what was planned: nothing was done")
}

// Expect is what the plan says of a task that is sent, once: a second try finds what the first has done.
func (g *Guard) Expect(e runner.Event) *modules.Diff {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.hosts[e.Host]
	if a == nil || a.failed {
		return nil
	}
	p, call := placeOf(e), g.key.Digest(e)
	i := slices.IndexFunc(a.sure[p], func(o planned) bool { return o.call == call })
	if i < 0 {
		return nil
	}
	d := a.sure[p][i].diff
	a.sure[p] = slices.Delete(a.sure[p], i, i+1)
	return &d
}
