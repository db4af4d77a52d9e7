package modules

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"labctl/modules/codec"
	"labctl/modules/host"
	"labctl/modules/schema"
)

// Spec is what the author of a module writes. T is a struct whose tags are the schema (see package schema).
type Spec[T any] = SpecOf[*T]

// SpecOf is Spec by the pointer to the struct, since the compiler makes one body of what is generic over pointer types, but
// one for each struct (see erase.go). Exactly one of Apply, Run and Probe is set.
type SpecOf[P any] struct {
	Name, Doc, Example string
	// Validate checks and normalises the arguments, on the controller before any host is touched and again in the agent.
	Validate func(want P) error
	// Complete, optional, checks after Validate that want says enough to make the object; not asked with ensure = "absent".
	Complete func(want P) error
	// Warn, optional, returns sentences about arguments that are allowed but unlikely to be meant.
	Warn func(want P) []string
	// Read returns the object as it is now, as configured rather than as operating; nil: absent. It never changes the host.
	// It need fill only what want sets, and whatever it can for register.
	Read func(ctx context.Context, h host.Host, want P) (P, error)
	// ReadAbsent, optional, stands in for Read when the object is to be absent: it returns what would go, nil for nothing.
	ReadAbsent func(ctx context.Context, h host.Host, want P) (P, error)
	// Apply goes from have to want. have == nil: create; want == nil: delete. A replacement is a delete and a create.
	Apply func(ctx context.Context, h host.Host, have, want P, d Diff) error
	// Gone, optional, says that what is there counts as absent: of an object that cannot go away nothing is left to undo.
	Gone func(have, want P) bool
	// Fixed, optional, names the attributes that cannot be changed in place from have to want, though other values of theirs
	// could: beside those that are immutable by their tag.
	Fixed func(have, want P) []string
	// Prepare, optional, sees all the calls that come next on this host.
	Prepare func(ctx context.Context, h host.Host, wants []P) error
	// Batch allows consecutive calls of modules that name the same to be applied to a copy of the host and committed once.
	Batch string

	// Run executes a command. It returns the result for register; changed is normally true.
	Run func(ctx context.Context, h host.Host, want P) (result P, changed bool, err error)
	// Pending, optional, says whether Run would do anything at all (creates, removes).
	Pending func(ctx context.Context, h host.Host, want P) (bool, error)

	// Probe looks and returns what it saw; an error says that it is not what was expected, and where it ended.
	Probe func(ctx context.Context, h host.Host, want P) (P, error)
	// Listen, of a probe between two hosts, opens the far end and notes in want what the near end has to know: want goes to
	// Probe on the host "from", which adds what it saw, and then to judge, which closes the far end and has the last word.
	Listen func(ctx context.Context, h host.Host, want P) (judge func(want P) (P, error), err error)
	// Patience, of Run and Probe, says how to wait for the host itself. Validate has seen want.
	Patience func(want P) Patience
	// Modelled, of Run and Probe: it changes nothing, and a model knows all that it looks at. It is made in a plan, too.
	Modelled bool
	// Slow allows its calls to be jobs, which outlive the session.
	Slow bool
}

// What batches change.
const (
	batchIPTables = "iptables"
	batchOVS      = "ovs"
	batchOVSFlows = "ovs_flow"
)

// ErrNotConverged is returned when the host, read again after an apply, still differs.
var ErrNotConverged = errors.New("not converged")

// module is the engine. It is written once for all modules, not once for each: it holds objects as any, which is a *T of the
// module's own or nil for what is absent, and the functions of Spec behind the adapters of erase.go.
type module struct {
	name, doc, example string
	typ                reflect.Type // T
	block              func() *schema.Block
	kind               Kind
	batch              string
	patience           func(want any) Patience
	modelled           bool
	slow               bool

	validate, complete func(want any) error
	warn               func(want any) []string
	readPresent        func(ctx context.Context, h host.Host, want any) (any, error)
	readAbsent         func(ctx context.Context, h host.Host, want any) (any, error)
	apply              func(ctx context.Context, h host.Host, have, want any, d Diff) error
	gone               func(have, want any) bool
	fixed              func(have, want any) []string
	prepare            func(ctx context.Context, h host.Host, wants []any) error
	run                func(ctx context.Context, h host.Host, want any) (any, bool, error)
	pending            func(ctx context.Context, h host.Host, want any) (bool, error)
	probe              func(ctx context.Context, h host.Host, want any) (any, error)
	listen             func(ctx context.Context, h host.Host, want any) (func(any) (any, error), error)
}

func newModule[P any](s SpecOf[P]) Module {
	m := &module{name: s.Name, doc: s.Doc, example: s.Example, typ: reflect.TypeFor[P]().Elem(), batch: s.Batch, modelled: s.Modelled, slow: s.Slow}
	m.validate, m.complete, m.warn = eraseCheck(s.Validate), eraseCheck(s.Complete), eraseWarn(s.Warn)
	m.readPresent, m.readAbsent, m.apply = eraseRead(s.Read), eraseRead(s.ReadAbsent), eraseApply(s.Apply)
	m.gone, m.fixed, m.prepare = eraseGone(s.Gone), eraseFixed(s.Fixed), erasePrepare(s.Prepare)
	m.run, m.pending, m.probe = eraseRun(s.Run), erasePending(s.Pending), eraseRead(s.Probe)
	m.patience = erasePatience(s.Patience)
	m.listen = eraseListen(s.Listen)
	return m.checked()
}

// checked completes m from what the author wrote and panics where that is not a module. A fault of its struct is found by
// whoever asks for the Schema first.
func (m *module) checked() *module {
	n := 0
	for _, set := range []bool{m.apply != nil, m.run != nil, m.probe != nil} {
		if set {
			n++
		}
	}
	if m.listen != nil && m.probe == nil {
		n = 0
	}
	if m.name == "" || m.doc == "" || n != 1 || (m.apply == nil) != (m.readPresent == nil) {
		panic(fmt.Sprintf("modules: %q: needs a name, a doc and exactly one of Read with Apply, Run, Probe", m.name))
	}
	m.block, m.kind = schema.Later(m.typ), Resource
	switch {
	case m.run != nil:
		m.kind = Command
	case m.probe != nil:
		m.kind = Probe
	}
	return m
}

func (m *module) Name() string          { return m.name }
func (m *module) Doc() string           { return m.doc }
func (m *module) Example() string       { return m.example }
func (m *module) Kind() Kind            { return m.kind }
func (m *module) Schema() *schema.Block { return m.block() }
func (m *module) Batch() string         { return m.batch }

func (m *module) Slow() bool     { return m.slow }
func (m *module) Waits() bool    { return m.patience != nil }
func (m *module) Modelled() bool { return m.modelled }

func (m *module) Patience(c Call) *Patience {
	if m.patience == nil {
		return nil
	}
	want, err := m.decode(c)
	if err != nil {
		return nil // whoever runs it says why
	}
	p := m.patience(want)
	return &p
}

func (m *module) Check(c Call) error {
	_, err := m.decode(c)
	return err
}

func (m *module) Prepare(ctx context.Context, h host.Host, calls []Call) error {
	if m.prepare == nil {
		return nil
	}
	wants := make([]any, 0, len(calls))
	for _, c := range calls {
		w, err := m.decode(c)
		if err != nil {
			return err
		}
		wants = append(wants, w)
	}
	return m.prepare(ctx, h, wants)
}

func (m *module) Diff(ctx context.Context, h host.Host, c Call) (Result, error) {
	want, err := m.decode(c)
	if err != nil {
		return Result{}, err
	}
	if m.kind != Resource {
		return m.foresee(ctx, h, want)
	}
	have, err := m.read(ctx, h, want, c.Absent)
	if err != nil {
		return Result{}, err
	}
	return m.warned(want, c, m.result(m.first(have, want, c), have)), nil
}

func (m *module) warned(want any, c Call, r Result) Result {
	if m.warn != nil && !c.Absent {
		r.Warnings = append(r.Warnings, m.warn(want)...)
	}
	return r
}

func (m *module) Apply(ctx context.Context, h host.Host, c Call) (Result, error) {
	want, err := m.decode(c)
	if err != nil {
		return Result{}, err
	}
	if m.kind != Resource {
		return m.execute(ctx, h, want)
	}
	have, err := m.read(ctx, h, want, c.Absent)
	if err != nil {
		return Result{}, err
	}
	d := m.first(have, want, c)
	if d.Action == None {
		return m.warned(want, c, m.result(d, have)), nil
	}
	if err := m.permitted(h); err != nil {
		return m.result(d, have), err
	}
	if err := m.change(ctx, h, have, want, d); err != nil {
		return m.result(d, have), err
	}
	now, err := m.read(ctx, h, want, c.Absent)
	if err != nil {
		return m.result(d, have), fmt.Errorf("read again: %w", err)
	}
	if rest := m.compare(now, want, c.Absent); rest.Action != None {
		return m.result(d, now), fmt.Errorf("%w: %s still differs: %s", ErrNotConverged, m.name, rest.brief())
	}
	return m.warned(want, c, m.result(d, now)), nil
}

// permitted says already in a plan what the kernel would say in a play: who may not administer the network may change none
// of it. A model has nobody else to ask.
func (m *module) permitted(h host.Host) error {
	if !host.Planning(h) || m.block().Find("netns") == nil || host.NetAdmin(h) {
		return nil
	}
	return &host.Error{Op: "change " + m.name, Kind: host.ErrPermission, Err: host.ErrPermission}
}

// read treats whatever lives in a namespace that does not exist as absent, when absent is what is wanted.
func (m *module) read(ctx context.Context, h host.Host, want any, absent bool) (any, error) {
	read := m.readPresent
	if absent && m.readAbsent != nil {
		read = m.readAbsent
	}
	have, err := read(ctx, h, want)
	if absent && errors.Is(err, host.ErrNoNetNS) {
		return nil, nil
	}
	if absent && have != nil && m.gone != nil && m.gone(have, want) {
		return nil, err
	}
	return have, err
}

func (m *module) compare(have, want any, absent bool) Diff {
	if absent {
		want = nil
	}
	d := compare(m.block(), have, want)
	if d.Action == Update && m.fixed != nil {
		return d.replacing(m.fixed(have, want))
	}
	return d
}

// first is what a call begins with: the difference, or the replacement that is asked for.
func (m *module) first(have, want any, c Call) Diff {
	d := m.compare(have, want, c.Absent)
	if c.Replace && !c.Absent && have != nil {
		d.Action = Replace
	}
	return d
}

// change goes from have to want. What cannot be changed in place is deleted and created.
func (m *module) change(ctx context.Context, h host.Host, have, want any, d Diff) error {
	switch d.Action {
	case Delete:
		return m.apply(ctx, h, have, nil, d)
	case Replace:
		if err := m.apply(ctx, h, have, nil, compare(m.block(), have, nil)); err != nil {
			return fmt.Errorf("replace: %w", err)
		}
		return m.apply(ctx, h, nil, want, compare(m.block(), nil, want))
	}
	return m.apply(ctx, h, have, want, d)
}

func (m *module) result(d Diff, state any) Result {
	r := Result{Diff: d.redacted()}
	if state != nil {
		state, r.UnknownAttributes = m.known(state)
		r.State, _ = codec.Marshal(state) // state is a *T, a plain struct of JSON values
	}
	return r
}

// known returns an object without the attributes that a plan cannot know, and their names.
func (m *module) known(object any) (any, []string) {
	var names []string
	for i := range m.block().Attributes {
		a := &m.block().Attributes[i]
		if !unknown(a, a.Value(fieldsOf(object))) {
			continue
		}
		if names == nil {
			clone := reflect.New(m.typ)
			clone.Elem().Set(fieldsOf(object))
			object = clone.Interface()
		}
		a.Value(fieldsOf(object)).SetZero()
		names = append(names, a.Name)
	}
	return object, names
}

// foresee says what a command or probe would do.
func (m *module) foresee(ctx context.Context, h host.Host, want any) (Result, error) {
	switch {
	case m.modelled:
		return Result{Diff: Diff{Action: None}}, nil
	case m.kind == Probe:
		return Result{Diff: Diff{Action: Read}, Unknown: true}, nil
	}
	if m.pending != nil {
		pending, err := m.pending(ctx, h, want)
		if err != nil || !pending {
			return Result{Diff: Diff{Action: None}}, err
		}
	}
	return Result{Diff: Diff{Action: Run, Changes: whole(m.block(), reflect.ValueOf(want).Elem(), true)}.redacted(), Unknown: true}, nil
}

func (m *module) execute(ctx context.Context, h host.Host, want any) (Result, error) {
	r, err := m.foresee(ctx, h, want)
	if !m.modelled && (err != nil || r.Diff.Action == None || host.Planning(h)) {
		return r, err
	}
	var state any
	changed := false
	if m.kind == Probe {
		state, err = m.probe(ctx, h, want)
	} else {
		state, changed, err = m.run(ctx, h, want)
	}
	if m.kind == Command && !changed {
		r.Diff = Diff{Action: None}
	}
	return m.result(r.Diff, state), err
}
