// Package modules holds the contract of a module, the registry, and every module, one file each. A module turns a wanted
// state, one Go struct, into changes of a host.Host. The package knows nothing of HCL, SSH, netlink or processes: it is the
// standard library only, and the same code runs on the controller (to check arguments) and in the agent (to plan and apply).
package modules

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"labctl/modules/host"
	"labctl/modules/schema"
)

// Kind says what a module is.
type Kind string

// The kinds of module.
const (
	Resource Kind = "resource" // has a state that is read, compared and applied
	Command  Kind = "command"  // does something each time it runs
	Probe    Kind = "probe"    // only looks, and fails when what it sees is not what is expected
)

// Module is what everyone but the author sees of a module.
type Module interface {
	Name() string
	Doc() string
	Example() string // HCL of one or more tasks, shown by labctl doc and planned by a test
	Kind() Kind
	Schema() *schema.Block
	// Check decodes and validates the arguments without a host. Faults of one argument are *ArgumentError.
	Check(c Call) error
	// Batch names what consecutive calls change together, in one commit; "" for a module whose calls are applied one by one.
	Batch() string
	// Prepare lets the module look at all the calls that come next, to ask the host once instead of once each.
	Prepare(ctx context.Context, h host.Host, calls []Call) error
	// Diff reads the host and compares. It never changes the host.
	Diff(ctx context.Context, h host.Host, c Call) (Result, error)
	// Apply reads, compares, applies the difference, reads again and compares again (ErrNotConverged). On a host that is
	// planning (host.Planning) a command or a probe is reported, not executed.
	Apply(ctx context.Context, h host.Host, c Call) (Result, error)
	// Patience says how a task that waits for the host itself does so, on the controller; nil: it is a task like any other.
	Patience(c Call) *Patience
	// Modelled reports whether it is made in a plan, too, since it changes nothing and a model knows all that it looks at.
	Modelled() bool
	// Slow reports whether it may be a job of its own (async): it takes its time, and needs nothing of the runner meanwhile.
	Slow() bool
	// Waits reports whether its tasks wait for the host itself, as Patience says of each.
	Waits() bool
	// Ends reports whether it is a probe between two hosts, which its arguments "from" and "to" name.
	Ends() bool
	// Listen opens the far end of such a probe. Its result completes the call for Apply at the near end.
	Listen(ctx context.Context, h host.Host, c Call) (Result, Ear, error)
}

// Patience is how to wait until a host can be reached, with its agent running.
type Patience struct {
	Delay, Sleep, Timeout time.Duration
	Restart               bool // it is to restart first, by what Apply does: it has been so when its boot ID is another one
}

// Ear is an open far end. It closes it, and judges what was seen there and, as c says, at the near end.
type Ear func(c Call) (Result, error)

// Call is one task as data: constants only, no expressions left.
type Call struct {
	Module string          `json:"module"`
	Params json.RawMessage `json:"params"`
	Absent bool            `json:"absent,omitempty"` // ensure = "absent"
	// Replace has an object that is there removed and made again, even if it is as wanted.
	Replace bool `json:"replace,omitempty"`
}

// Result is what a call did or would do.
type Result struct {
	Diff    Diff            `json:"diff"`
	State   json.RawMessage `json:"state,omitempty"`   // the object afterwards, by the module's schema; for register
	Unknown bool            `json:"unknown,omitempty"` // planning: State is known after apply only
	// UnknownAttributes, planning: what State leaves out because it is known after apply only.
	UnknownAttributes []string `json:"unknown_attributes,omitempty"`
	Warnings          []string `json:"warnings,omitempty"` // things the user should know, each a sentence
}

// ArgumentError is a fault in one argument. Path is its attribute path, such as "rule[2].log_prefix".
type ArgumentError struct {
	Path string
	Msg  string
}

func (e *ArgumentError) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

// argf returns an *ArgumentError for the argument at path.
func argf(path, format string, args ...any) error {
	return &ArgumentError{Path: path, Msg: fmt.Sprintf(format, args...)}
}

// Registry is a set of modules by name.
type Registry map[string]Module

// Default is the registry that every module file registers itself in.
var Default = Registry{}

// Register adds a module to the default registry. A second module of that name, or a malformed one, is a fault of the
// program: Register panics.
func Register[P any](s SpecOf[P]) { Default.add(newModule(s)) }

// New returns the module that s describes without registering it, for registries of one's own.
func New[P any](s SpecOf[P]) Module { return newModule(s) }

func (r Registry) add(m Module) {
	if r[m.Name()] != nil {
		panic("modules: " + m.Name() + " registered twice")
	}
	r[m.Name()] = m
}

// Lookup returns the module called name.
func (r Registry) Lookup(name string) (Module, error) {
	if m := r[name]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("module %q: not known", name)
}

// Names returns the sorted names of all modules.
func (r Registry) Names() []string {
	out := make([]string, 0, len(r))
	for n := range r {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}
