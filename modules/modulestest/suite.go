// Package modulestest is the conformance suite that every module passes, on the memory host everywhere and on a real
// kernel where there is one. It knows modules and hosts only as data: which machine a suite runs on is its caller's choice.
package modulestest

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// Suite says how to try one module.
type Suite struct {
	Module string
	Name   string // of the suite; Module when empty
	// Setup makes what the states stand on. dir is a directory of the test's own on the host's file system.
	Setup func(ctx context.Context, h host.Host, dir string) error
	// States are calls for one object, so that any can follow any. @DIR@ in arguments stands for dir. One that must be there
	// is added: the first state with ensure = "absent".
	States []modules.Call
	// Only: the states are all there are; the object cannot be absent.
	Only bool
	// Needs names link kinds that the kernel must know.
	Needs []string
	// Steps is how long the walk over the states is; five for each when 0.
	Steps int
	// Rejects are arguments that Check must refuse before any host is touched.
	Rejects []Reject
	// Restless says that a daemon undoes and does again what it keeps on the host, at times of its own: a difference counts if
	// it lasts.
	Restless bool
	// Compare, optional, says how the model and the host differ in what Difference does not look at; "" when they agree.
	Compare func(ctx context.Context, model, real host.Host) string
}

// Reject is a set of arguments that must be refused.
type Reject struct {
	Params string // JSON
	Path   string // of the *modules.ArgumentError
}

// Target is a host to run a suite on, fresh for each use.
type Target struct {
	Host host.Host
	Dir  string // an empty directory there; "": one is made on this machine
	// Writes returns how many changes the host has seen so far, by whomever. nil: not known.
	Writes func() int
}

// State is a call of module with arguments as JSON.
func State(module, params string) modules.Call {
	return modules.Call{Module: module, Params: json.RawMessage(params)}
}

// Absent is State with ensure = "absent".
func Absent(module, params string) modules.Call {
	c := State(module, params)
	c.Absent = true
	return c
}

// OnMemory opens an empty memory host.
func OnMemory(t testing.TB) Target {
	t.Helper()
	const dir = "/lab"
	h := memory.FromSnapshot(&host.Snapshot{Files: map[string]host.FileState{dir: {File: host.File{Path: dir, Type: host.Absent}}}})
	if err := h.Files().Mkdir(t.Context(), dir, host.FileAttrs{}, false); err != nil {
		t.Fatal(err)
	}
	return Target{Host: h, Dir: dir, Writes: h.Writes}
}

// Run runs the whole suite on hosts that open gives.
func Run(t *testing.T, s Suite, open func(testing.TB) Target) {
	t.Helper()
	m, err := modules.Default.Lookup(s.Module)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("rejects", func(t *testing.T) { s.rejects(t, m) })
	for i, c := range s.calls("") {
		t.Run("state "+strconv.Itoa(i)+" "+string(c.Params), func(t *testing.T) { s.single(t, m, i, open) })
	}
	t.Run("walk", func(t *testing.T) { s.walk(t, m, open) })
}

// calls returns the states with @DIR@ replaced, and an absent one if there was none.
func (s Suite) calls(dir string) []modules.Call {
	out := make([]modules.Call, 0, len(s.States)+1)
	absent := false
	for _, c := range s.States {
		c.Params = json.RawMessage(strings.ReplaceAll(string(c.Params), "@DIR@", dir))
		absent = absent || c.Absent
		out = append(out, c)
	}
	if !absent && !s.Only && len(out) > 0 {
		c := out[0]
		c.Absent = true
		out = append(out, c)
	}
	return out
}

func (s Suite) rejects(t *testing.T, m modules.Module) {
	for _, r := range s.Rejects {
		err := m.Check(modules.Call{Module: s.Module, Params: json.RawMessage(r.Params)})
		var ae *modules.ArgumentError
		switch {
		case !errors.As(err, &ae):
			t.Errorf("%s: %v, want it refused at %q", r.Params, err, r.Path)
		case ae.Path != r.Path:
			t.Errorf("%s: refused at %q (%s), want %q", r.Params, ae.Path, ae.Msg, r.Path)
		}
	}
}

// run is one host with a model of it.
type run struct {
	t     *testing.T
	s     Suite
	m     modules.Module
	tg    Target
	calls []modules.Call
}

func (s Suite) start(t *testing.T, m modules.Module, open func(testing.TB) Target) *run {
	t.Helper()
	tg := open(t)
	dir := tg.Dir
	if dir == "" {
		dir = t.TempDir()
	}
	if s.Setup != nil {
		if err := s.Setup(t.Context(), tg.Host, dir); err != nil {
			t.Fatalf("setup: %v", err)
		}
	}
	return &run{t: t, s: s, m: m, tg: tg, calls: s.calls(dir)}
}

func (r *run) writes() int {
	if r.tg.Writes == nil {
		return 0
	}
	return r.tg.Writes()
}

// diff is what a result says would happen, as text to compare. MAC addresses, ports and host names of containers that were
// there are left out: in the walk the host makes them up, and the model does not know them.
func diff(res modules.Result) string {
	d := res.Diff
	d.Changes = append([]modules.Change(nil), d.Changes...)
	for i, c := range d.Changes {
		if c.Path == "address" || c.Path == "peer_address" || c.Path == "hostname" || c.Path == "listen_port" {
			d.Changes[i].Before, d.Changes[i].Unknown = nil, false
		}
	}
	b, _ := json.Marshal(d) // plain data
	return string(b)
}

// single checks one state on a fresh host: the plan is what apply does and writes nothing, the second apply is none and
// writes nothing, and a model loaded afterwards says the same. Then the object goes, twice.
func (s Suite) single(t *testing.T, m modules.Module, i int, open func(testing.TB) Target) {
	r := s.start(t, m, open)
	r.converge(memory.New(r.tg.Host), r.calls[i])
	for _, c := range r.calls {
		if c.Absent {
			r.converge(memory.New(r.tg.Host), c)
			return
		}
	}
}

// converge plans c on the model, applies it to the host, and applies it again.
func (r *run) converge(model host.Host, c modules.Call) {
	r.t.Helper()
	ctx := r.t.Context()
	before := r.writes()
	dry, err := r.m.Diff(ctx, r.tg.Host, c)
	if err != nil {
		r.t.Fatalf("diff %s: %v", c.Params, err)
	}
	planned, planErr := r.m.Apply(ctx, model, c)
	if n := r.writes() - before; n != 0 {
		r.t.Fatalf("plan %s: wrote to the host %d times", c.Params, n)
	}
	if planErr == nil && diff(dry) != diff(planned) {
		r.t.Fatalf("%s absent=%t\ndiff: %s\nplan: %s", c.Params, c.Absent, diff(dry), diff(planned))
	}
	applied, err := r.m.Apply(ctx, r.tg.Host, c)
	if (err == nil) != (planErr == nil) {
		r.t.Fatalf("%s absent=%t: plan: %v, apply: %v", c.Params, c.Absent, planErr, err)
	}
	if err != nil {
		r.t.Fatalf("apply %s: %v", c.Params, err)
	}
	if diff(planned) != diff(applied) {
		r.t.Fatalf("%s absent=%t\nplan:  %s\napply: %s", c.Params, c.Absent, diff(planned), diff(applied))
	}
	r.again(model, c)
}

// again checks that nothing is left to do, on the host, on the model, and on a model loaded now.
func (r *run) again(model host.Host, c modules.Call) {
	r.t.Helper()
	before := r.writes()
	for name, h := range map[string]host.Host{"host": r.tg.Host, "model": model, "fresh model": memory.New(r.tg.Host)} {
		res, err := r.m.Apply(r.t.Context(), h, c)
		if err != nil || res.Diff.Action != modules.None {
			r.t.Fatalf("second apply of %s absent=%t on the %s: %s, %v; want none", c.Params, c.Absent, name, diff(res), err)
		}
	}
	if n := r.writes() - before; n != 0 {
		r.t.Fatalf("second apply of %s: wrote to the host %d times", c.Params, n)
	}
}

// walk goes from any state to any other, in an order that LABCTL_TEST_SEED repeats, and keeps one model beside the host
// all the way.
func (s Suite) walk(t *testing.T, m modules.Module, open func(testing.TB) Target) {
	seed := rand.Uint64()
	if v, err := strconv.ParseUint(os.Getenv("LABCTL_TEST_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("LABCTL_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r := s.start(t, m, open)
	model := memory.New(r.tg.Host)
	steps := s.Steps
	if steps == 0 {
		steps = 5 * len(r.calls)
	}
	for step := range steps {
		c := r.calls[random.IntN(len(r.calls))]
		r.converge(model, c)
		read := fewSysctls
		if step == steps-1 {
			read = allSysctls
		}
		d := s.difference(t.Context(), model, r.tg.Host, read)
		for tries := 0; d != "" && s.Restless && tries < 5; tries++ {
			time.Sleep(100 * time.Millisecond)
			d = s.difference(t.Context(), model, r.tg.Host, read)
		}
		if d != "" {
			t.Fatalf("step %d, after %s absent=%t (LABCTL_TEST_SEED=%d): the model is not the host:\n%s", step, c.Params, c.Absent, seed, d)
		}
	}
}

func (s Suite) difference(ctx context.Context, model, real host.Host, read sysctlReader) string {
	if d := difference(ctx, model, real, read); d != "" || s.Compare == nil {
		return d
	}
	return s.Compare(ctx, model, real)
}

// Title is the name of the suite.
func (s Suite) Title() string {
	if s.Name != "" {
		return s.Name
	}
	return s.Module
}
