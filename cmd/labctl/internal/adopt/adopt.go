// Package adopt writes what a host is as a play whose plan is empty there: the tasks that make of an empty host, which has
// the same hardware, this one. It knows no connection and no site: a host is a snapshot. Whether a task says too little or too
// much is asked of the modules themselves, on two hosts in memory: one that is as the snapshot, one that begins empty.
package adopt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// Options say what is written.
type Options struct {
	Name string   // of the host, for the play
	Only []string // modules; none: all
	All  bool     // also what comes and goes by itself, and what the machine's own boot makes
}

// Adopt returns the play as formatted HCL.
func Adopt(ctx context.Context, s *host.Snapshot, o Options) ([]byte, error) {
	for _, name := range o.Only {
		if !slices.Contains(Modules, name) {
			return nil, fmt.Errorf("import writes no tasks of %q, only of %s", name, strings.Join(Modules, ", "))
		}
	}
	w := &writer{ctx: ctx, Options: o, s: s, there: memory.FromSnapshot(s)}
	w.hardware()
	w.empty = memory.FromSnapshot(w.emptied())
	w.namespaces()
	w.switches()
	w.plainSysctls()
	w.links()
	w.devicePorts()
	w.flows()
	w.deviceSysctls()
	w.addresses()
	w.routes()
	w.rules()
	w.neighbours()
	w.qdiscs()
	w.sets()
	w.firewall()
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return w.hcl(), nil
}

// Modules are those that tasks are written of, in that order.
var Modules = []string{"netns", "ovs_bridge", "ovs_port", "sysctl", "link", "bridge", "bond", "dummy", "geneve", "gre", "gretap", "ifb", "ip6gre", "ip6gretap",
	"ipip", "ipvlan", "macvlan", "sit", "team", "tuntap", "veth", "vlan", "vrf", "vxlan", "wireguard", "bridge_port", "bridge_vlan", "ovs_flow",
	"address", "route", "rule", "neigh", "fdb", "qdisc", "ipset", "iptables_chain", "nftables"}

// writer collects the tasks of one host.
type writer struct {
	Options
	ctx    context.Context
	s      *host.Snapshot
	there  *memory.Host     // as the snapshot
	empty  *memory.Host     // as it becomes with the tasks so far
	nics   map[device]bool  // what no task makes: it is hardware, or belongs to somebody else
	tasks  []task           // in order
	left   map[string][]any // what is left out, by why
	reason []string         // keys of left, in order
}

// device is a network device and its namespace.
type device struct{ netns, name string }

// task is one of the play.
type task struct {
	module, label string
	args          map[string]any
	first         []string // names of arguments that stand first
}

// leave notes that something is left out.
func (w *writer) leave(why string, what ...any) {
	if w.left == nil {
		w.left = map[string][]any{}
	}
	if w.left[why] == nil {
		w.reason = append(w.reason, why)
	}
	w.left[why] = append(w.left[why], what...)
}

func (w *writer) wants(module string) bool {
	return len(w.Only) == 0 || slices.Contains(w.Only, module)
}

// namesOf returns the namespaces that have a name, the host's own first.
func (w *writer) namesOf() []string {
	var out []string
	for _, ns := range slices.Sorted(maps.Keys(w.s.NetNS)) {
		if !strings.Contains(ns, ":") { // container:NAME
			out = append(out, ns)
		}
	}
	return out
}

// call makes the call of a task.
func (t task) call() (modules.Module, modules.Call, error) {
	m, err := modules.Default.Lookup(t.module)
	if err != nil {
		return nil, modules.Call{}, err
	}
	params := maps.Clone(t.args)
	if params == nil {
		params = map[string]any{}
	}
	params[m.Schema().Key().Name] = t.label
	raw, err := json.Marshal(params)
	return m, modules.Call{Module: t.module, Params: raw}, err
}

// read returns what a module sees of the object that a task names, in the words of its arguments; nil: nothing is there.
func (w *writer) read(t task) map[string]any {
	m, c, err := t.call()
	if err != nil {
		return nil
	}
	c.Absent = true
	r, err := m.Diff(w.ctx, w.there, c)
	if err != nil || r.State == nil {
		return nil
	}
	var state map[string]any
	if json.Unmarshal(r.State, &state) != nil {
		return nil
	}
	for name, v := range state {
		a := m.Schema().Find(name)
		if a == nil || a.Key || a.Computed || a.Filled || a.Derived || a.Sensitive || a.Option || a.MadeUp && !w.All || nothing(v) {
			delete(state, name)
		}
	}
	return state
}

// nothing reports whether a value says what one that is not given says. An empty list is more than that, false and 0 may be.
func nothing(v any) bool { return v == nil || v == "" }

// add writes a task, without the arguments that make no difference, if it makes any.
func (w *writer) add(t task) {
	if !w.wants(t.module) {
		return
	}
	m, c, err := t.call()
	if err != nil {
		w.leave(err.Error(), t)
		return
	}
	for range len(t.args) { // what the kernel tells of an object may be more than can be said of it
		var fault *modules.ArgumentError
		if _, said := t.args[argumentOf(m.Check(c), &fault)]; !said || slices.Contains(t.first, fault.Path) {
			break
		}
		delete(t.args, fault.Path)
		c = mustCall(t)
	}
	r, err := m.Diff(w.ctx, w.there, c)
	switch {
	case err != nil:
		w.leave("labctl has no words for it: "+err.Error(), t)
		return
	case r.Diff.Action != modules.None:
		w.leave("a task for it would change it", t)
		return
	}
	if d, err := m.Diff(w.ctx, w.empty, c); err == nil && d.Diff.Action == modules.None && m.Kind() == modules.Resource {
		return // what comes before makes it so
	}
	least := w.least(t, m)
	if d, err := m.Diff(w.ctx, w.there, mustCall(least)); err == nil { // one argument may be what another is by itself
		for name, v := range t.args {
			if d.Diff.Has(name) {
				least.args[name] = v
			}
		}
	}
	if _, err := m.Apply(w.ctx, w.empty, mustCall(least)); err != nil {
		least = t
		_, _ = m.Apply(w.ctx, w.empty, c)
	}
	w.tasks = append(w.tasks, least)
}

// argumentOf is the argument that a module finds fault with, or "".
func argumentOf(err error, fault **modules.ArgumentError) string {
	if errors.As(err, fault) {
		return (*fault).Path
	}
	return ""
}

func mustCall(t task) modules.Call {
	_, c, _ := t.call() // has been made before
	return c
}

// least returns t without the arguments that the object has by itself, found out by making it with no more than it takes.
func (w *writer) least(t task, m modules.Module) task {
	min := task{t.module, t.label, map[string]any{}, t.first}
	for i := range m.Schema().Attributes {
		a := &m.Schema().Attributes[i]
		if v, ok := t.args[a.Name]; ok && (a.Required || a.Option || a.Exact || a.MadeUp || slices.Contains(t.first, a.Name)) {
			min.args[a.Name] = v
		}
	}
	if !complete(&min, t, m) {
		return t
	}
	if _, err := m.Apply(w.ctx, w.empty, mustCall(min)); err != nil {
		return t
	}
	r, err := m.Diff(w.ctx, w.empty, mustCall(t))
	if err != nil {
		return t
	}
	for name, v := range t.args {
		if r.Diff.Has(name) {
			min.args[name] = v
		}
	}
	return min
}

// complete adds the arguments without which a module refuses a task.
func complete(min *task, t task, m modules.Module) bool {
	for range len(t.args) + 1 {
		var fault *modules.ArgumentError
		err := m.Check(mustCall(*min))
		if !errors.As(err, &fault) {
			return err == nil
		}
		v, ok := t.args[fault.Path]
		if _, has := min.args[fault.Path]; !ok || has {
			return false
		}
		min.args[fault.Path] = v
	}
	return false
}
