package playbooks

import (
	"math/big"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// How often and how far apart a task with until is tried that does not say so itself, as with Ansible.
const (
	defaultRetries = 3
	defaultDelay   = 5 * time.Second
)

// judges reports whether the task has conditions on its own outcome.
func (t *Task) judges() bool { return t.changedWhen != nil || t.failedWhen != nil || t.retried() }

// retried reports whether the task may be tried more than once.
func (t *Task) retried() bool { return t.until != nil || t.retries != nil }

// patient reports whether nothing may be sent behind the task before its outcome is known: the agent cannot tell whether it has
// failed. A failed_when that is always false needs nobody to wait.
func (t *Task) patient() bool { return t.retried() || t.failedWhen != nil && !never(t.failedWhen) }

func never(x hcl.Expression) bool {
	if len(x.Variables()) > 0 {
		return false
	}
	v, diags := x.Value(nil)
	return !diags.HasErrors() && v.Type() == cty.Bool && v.IsKnown() && !v.IsNull() && v.False()
}

// failures evaluates what a task says of its failing.
func (r *HostRun) failures(t *Task, in instance, s *Step, e *evaluation) {
	s.Tolerant, s.tries = t.failedWhen != nil || t.retried(), 1
	if t.ignoreErrors != nil {
		if v, ok := r.meta(t.ignoreErrors, "ignore_errors", cty.Bool, in, e); ok && !v.IsKnown() {
			e.unknown = append(e.unknown, "ignore_errors")
		} else if ok && v.True() {
			s.Tolerant, s.ignore = true, true
		}
	}
	if t.throttle != nil {
		s.Throttle = r.count(t.throttle, "throttle", in, e)
	}
	if t.until != nil {
		s.tries = 1 + defaultRetries
	}
	if t.retries != nil {
		s.tries = 1 + r.count(t.retries, "retries", in, e)
	}
	s.delay = r.pause(t.delay, "delay", defaultDelay, in, e)
}

// count evaluates a meta-argument that is a number of times.
func (r *HostRun) count(x hcl.Expression, name string, in instance, e *evaluation) int {
	v, ok := r.meta(x, name, cty.Number, in, e)
	if !ok {
		return 0
	}
	if !v.IsKnown() {
		e.unknown = append(e.unknown, name)
		return 0
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != big.Exact || n < 0 || n > 1e6 {
		e.fault(x.Range(), "Wrong value", "The argument %q is a whole number from 0 on.", name)
		return 0
	}
	return int(n)
}
