package view

import "labctl/runner"

// The exit codes of a run. Faults in what the user wrote (1) are found before a
// run and are not decided here; 3 is kept for rolled back.
const (
	exitDone        = 0
	exitChanges     = 2 // plan -detailed-exitcode
	exitError       = 1 // plan
	exitFailed      = 2 // play
	exitUnreachable = 4
	exitInterrupted = 99
)

// Outcome folds the events of a run into its exit code. The zero value is ready.
type Outcome struct {
	failed, unreachable map[string]bool
	changes             bool
	interrupted         bool
}

// Event takes in e.
func (o *Outcome) Event(e runner.Event) {
	if o.failed == nil {
		o.failed, o.unreachable = map[string]bool{}, map[string]bool{}
	}
	switch e.Kind {
	case runner.TaskDone:
		o.task(e)
	case runner.Unreachable:
		o.unreachable[e.Host] = true
	case runner.Recap:
		// The recap knows which failures were rescued or ignored.
		if e.Counts != nil {
			o.failed[e.Host] = e.Counts.Failed > 0
			o.unreachable[e.Host] = e.Counts.Unreachable > 0
		}
	case runner.RunDone:
		o.interrupted = o.interrupted || e.Interrupted
	}
}

func (o *Outcome) task(e runner.Event) {
	switch {
	case e.Status == runner.Failed && !e.Ignored && !e.Rescued:
		o.failed[e.Host] = true
	case e.Status == runner.Changed, e.Status == runner.UnknownYet:
		// What cannot be known before apply may change, and a pipeline must not be told that nothing will.
		o.changes = true
	}
}

// PlayExit is the exit code of a play or check: 0 done, 2 some host failed, 4 some host unreachable, which wins over failed as
// in Ansible, 99 interrupted.
func (o *Outcome) PlayExit() int {
	switch {
	case o.interrupted:
		return exitInterrupted
	case anyOf(o.unreachable):
		return exitUnreachable
	case anyOf(o.failed):
		return exitFailed
	}
	return exitDone
}

// PlanExit is the exit code of a plan, as Terraform's: 0 done, 1 some host failed or was unreachable, and, if detailed, 2 when
// there are changes. 99 says interrupted here too.
func (o *Outcome) PlanExit(detailed bool) int {
	switch {
	case o.interrupted:
		return exitInterrupted
	case anyOf(o.unreachable), anyOf(o.failed):
		return exitError
	case detailed && o.changes:
		return exitChanges
	}
	return exitDone
}

func anyOf(hosts map[string]bool) bool {
	for _, yes := range hosts {
		if yes {
			return true
		}
	}
	return false
}
