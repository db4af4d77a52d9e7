package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"labctl/modules/host"
	"labctl/modules/schema"
)

// Spec is what the author of a module writes. T is a struct whose tags are the schema (see package schema). Exactly one of
// Apply, Run and Probe is set.
type Spec[T any] struct {
	Name, Doc, Example string
	// Validate checks and normalises the arguments, on the controller before any host is touched and again in the agent.
	Validate func(want *T) error
	// Complete, optional, checks after Validate that want says enough to make the object; not asked with ensure = "absent".
	Complete func(want *T) error
	// Warn, optional, returns sentences about arguments that are allowed but unlikely to be meant.
	Warn func(want *T) []string
	// Read returns the object as it is now, as configured rather than as operating; nil: absent. It never changes the host.
	// It need fill only what want sets, and whatever it can for register.
	Read func(ctx context.Context, h host.Host, want *T) (*T, error)
	// ReadAbsent, optional, stands in for Read when the object is to be absent: it returns what would go, nil for nothing.
	ReadAbsent func(ctx context.Context, h host.Host, want *T) (*T, error)
	// Apply goes from have to want. have == nil: create; want == nil: delete. A replacement is a delete and a create.
	Apply func(ctx context.Context, h host.Host, have, want *T, d Diff) error
	// Gone, optional, says that what is there counts as absent: of an object that cannot go away nothing is left to undo.
	Gone func(have, want *T) bool
	// Prepare, optional, sees all the calls that come next on this host.
	Prepare func(ctx context.Context, h host.Host, wants []*T) error
	// Batch allows consecutive calls to be applied to a copy of the host and committed once.
	Batch bool

	// Run executes a command. It returns the result for register; changed is normally true.
	Run func(ctx context.Context, h host.Host, want *T) (result *T, changed bool, err error)
	// Pending, optional, says whether Run would do anything at all (creates, removes).
	Pending func(ctx context.Context, h host.Host, want *T) (bool, error)

	// Probe looks and returns what it saw; an error says that it is not what was expected, and where it ended.
	Probe func(ctx context.Context, h host.Host, want *T) (*T, error)
}

// ErrNotConverged is returned when the host, read again after an apply, still differs.
var ErrNotConverged = errors.New("not converged")

type module[T any] struct {
	Spec[T]
	block *schema.Block
	kind  Kind
}

func newModule[T any](s Spec[T]) Module {
	m := &module[T]{Spec: s, block: schema.Of(reflect.TypeFor[T]()), kind: Resource}
	switch {
	case s.Run != nil:
		m.kind = Command
	case s.Probe != nil:
		m.kind = Probe
	}
	n := 0
	for _, set := range []bool{s.Apply != nil, s.Run != nil, s.Probe != nil} {
		if set {
			n++
		}
	}
	if s.Name == "" || s.Doc == "" || n != 1 || (s.Apply == nil) != (s.Read == nil) {
		panic(fmt.Sprintf("modules: %q: needs a name, a doc and exactly one of Read with Apply, Run, Probe", s.Name))
	}
	return m
}

func (m *module[T]) Name() string          { return m.Spec.Name }
func (m *module[T]) Doc() string           { return m.Spec.Doc }
func (m *module[T]) Example() string       { return m.Spec.Example }
func (m *module[T]) Kind() Kind            { return m.kind }
func (m *module[T]) Schema() *schema.Block { return m.block }
func (m *module[T]) Batch() bool           { return m.Spec.Batch }

func (m *module[T]) Check(c Call) error {
	_, err := m.decode(c)
	return err
}

func (m *module[T]) Prepare(ctx context.Context, h host.Host, calls []Call) error {
	if m.Spec.Prepare == nil {
		return nil
	}
	wants := make([]*T, 0, len(calls))
	for _, c := range calls {
		w, err := m.decode(c)
		if err != nil {
			return err
		}
		wants = append(wants, w)
	}
	return m.Spec.Prepare(ctx, h, wants)
}

func (m *module[T]) decode(c Call) (*T, error) {
	want := new(T)
	dec := json.NewDecoder(bytes.NewReader(c.Params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(want); err != nil {
		return nil, decodeError(err)
	}
	if c.Absent && m.kind != Resource {
		return nil, argf("ensure", "%s has no state that could be absent", m.Spec.Name)
	}
	if err := required(m.block, reflect.ValueOf(want).Elem(), "", c.Absent); err != nil {
		return nil, err
	}
	if m.Validate != nil {
		if err := m.Validate(want); err != nil {
			return nil, err
		}
	}
	if m.Complete != nil && !c.Absent {
		if err := m.Complete(want); err != nil {
			return nil, err
		}
	}
	return want, nil
}

func decodeError(err error) error {
	var te *json.UnmarshalTypeError
	if errors.As(err, &te) {
		return argf(te.Field, "a %s is needed here, not a %s", te.Type, te.Value)
	}
	return argf("", "decode arguments: %v", err)
}

// required checks presence and enumerations. An object that is to be absent needs only its key.
func required(b *schema.Block, v reflect.Value, prefix string, absent bool) error {
	for i := range b.Attributes {
		a := &b.Attributes[i]
		f := a.Value(v)
		path := prefix + a.Name
		if unset(f) {
			if a.Key || a.Required && !absent {
				return argf(path, "required argument is missing")
			}
			continue
		}
		if err := enum(a, f, path); err != nil {
			return err
		}
		if a.Kind == schema.Object {
			if err := requiredIn(a, reflect.Indirect(f), path, absent); err != nil {
				return err
			}
		}
	}
	return nil
}

func requiredIn(a *schema.Attribute, f reflect.Value, path string, absent bool) error {
	if !a.Repeated {
		return required(a.Fields, f, path+".", absent)
	}
	for i := range f.Len() {
		if err := required(a.Fields, f.Index(i), fmt.Sprintf("%s[%d].", path, i), absent); err != nil {
			return err
		}
	}
	return nil
}

func enum(a *schema.Attribute, f reflect.Value, path string) error {
	if a.Enum == nil {
		return nil
	}
	for _, v := range enumValues(reflect.Indirect(f)) {
		ok := false
		for _, e := range a.Enum {
			ok = ok || v == e
		}
		if !ok {
			return argf(path, "%q is not one of %s", v, strings.Join(a.Enum, ", "))
		}
	}
	return nil
}

func enumValues(f reflect.Value) []string {
	if f.Kind() != reflect.Slice {
		return []string{fmt.Sprint(f.Interface())}
	}
	out := make([]string, f.Len())
	for i := range out {
		out[i] = fmt.Sprint(f.Index(i).Interface())
	}
	return out
}

func (m *module[T]) Diff(ctx context.Context, h host.Host, c Call) (Result, error) {
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
	return m.warned(want, c, m.result(m.compare(have, want, c.Absent), have)), nil
}

func (m *module[T]) warned(want *T, c Call, r Result) Result {
	if m.Warn != nil && !c.Absent {
		r.Warnings = append(r.Warnings, m.Warn(want)...)
	}
	return r
}

func (m *module[T]) Apply(ctx context.Context, h host.Host, c Call) (Result, error) {
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
	d := m.compare(have, want, c.Absent)
	if d.Action == None {
		return m.warned(want, c, m.result(d, have)), nil
	}
	if err := m.change(ctx, h, have, want, d); err != nil {
		return m.result(d, have), err
	}
	now, err := m.read(ctx, h, want, c.Absent)
	if err != nil {
		return m.result(d, have), fmt.Errorf("read again: %w", err)
	}
	if rest := m.compare(now, want, c.Absent); rest.Action != None {
		return m.result(d, now), fmt.Errorf("%w: %s still differs: %s", ErrNotConverged, m.Spec.Name, rest.brief())
	}
	return m.warned(want, c, m.result(d, now)), nil
}

// read treats whatever lives in a namespace that does not exist as absent, when absent is what is wanted.
func (m *module[T]) read(ctx context.Context, h host.Host, want *T, absent bool) (*T, error) {
	read := m.Read
	if absent && m.ReadAbsent != nil {
		read = m.ReadAbsent
	}
	have, err := read(ctx, h, want)
	if absent && errors.Is(err, host.ErrNoNetNS) {
		return nil, nil
	}
	if absent && have != nil && m.Gone != nil && m.Gone(have, want) {
		return nil, err
	}
	return have, err
}

func (m *module[T]) compare(have, want *T, absent bool) Diff {
	if absent {
		want = nil
	}
	return compare(m.block, have, want)
}

// change goes from have to want. What cannot be changed in place is deleted and created.
func (m *module[T]) change(ctx context.Context, h host.Host, have, want *T, d Diff) error {
	switch d.Action {
	case Delete:
		return m.Spec.Apply(ctx, h, have, nil, d)
	case Replace:
		if err := m.Spec.Apply(ctx, h, have, nil, compare(m.block, have, nil)); err != nil {
			return fmt.Errorf("replace: %w", err)
		}
		return m.Spec.Apply(ctx, h, nil, want, compare(m.block, nil, want))
	}
	return m.Spec.Apply(ctx, h, have, want, d)
}

func (m *module[T]) result(d Diff, state *T) Result {
	r := Result{Diff: d.redacted()}
	if state != nil {
		r.State, _ = json.Marshal(state) // T is a plain struct of JSON values
	}
	return r
}

// foresee says what a command or probe would do.
func (m *module[T]) foresee(ctx context.Context, h host.Host, want *T) (Result, error) {
	if m.kind == Probe {
		return Result{Diff: Diff{Action: Read}, Unknown: true}, nil
	}
	if m.Pending != nil {
		pending, err := m.Pending(ctx, h, want)
		if err != nil || !pending {
			return Result{Diff: Diff{Action: None}}, err
		}
	}
	return Result{Diff: Diff{Action: Run, Changes: whole(m.block, reflect.ValueOf(want).Elem(), true)}.redacted(), Unknown: true}, nil
}

func (m *module[T]) execute(ctx context.Context, h host.Host, want *T) (Result, error) {
	r, err := m.foresee(ctx, h, want)
	if err != nil || r.Diff.Action == None || host.Planning(h) {
		return r, err
	}
	var state *T
	changed := false
	if m.kind == Probe {
		state, err = m.Spec.Probe(ctx, h, want)
	} else {
		state, changed, err = m.Spec.Run(ctx, h, want)
	}
	if m.kind == Command && !changed {
		r.Diff = Diff{Action: None}
	}
	return m.result(r.Diff, state), err
}

// redacted blanks the values of sensitive attributes: they never leave the agent.
func (d Diff) redacted() Diff {
	out := d
	out.Changes = append([]Change(nil), d.Changes...)
	for i := range out.Changes {
		if out.Changes[i].Sensitive {
			out.Changes[i].Before, out.Changes[i].After = nil, nil
		}
	}
	return out
}

// brief says what differs on one line, for errors.
func (d Diff) brief() string {
	if d.Action == Create {
		return "it is absent"
	}
	if d.Action == Delete {
		return "it is still there"
	}
	var parts []string
	for _, c := range d.redacted().Changes {
		if c.Sensitive {
			parts = append(parts, c.Path+" (sensitive)")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s is %s, not %s", c.Path, compact(c.Before), compact(c.After)))
	}
	return strings.Join(parts, "; ")
}

func compact(v any) string {
	b, _ := json.Marshal(v) // plain JSON value
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}
