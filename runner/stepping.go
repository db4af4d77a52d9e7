package runner

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"labctl/playbooks"
)

// StepAnswer is what somebody says of a task before it is performed.
type StepAnswer int

// The answers, with Ansible's words (StrategyModule._take_step).
const (
	StepNo       StepAnswer = iota // no host performs it
	StepYes                        // all do
	StepContinue                   // they do, and nothing more is asked
)

// stepping is how far a run is with asking.
type stepping struct {
	mu   sync.Mutex // held while somebody is asked
	off  bool       // nothing more is asked
	err  error      // there was no answer: nothing more is performed
	play string
}

// on reports whether somebody is to be asked before the next task.
func (s *stepping) on() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.off
}

func (s *stepping) fault() hcl.Diagnostics {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return nil
	}
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "No answer",
		Detail: fmt.Sprintf("Whether to perform a task of play %q was not answered: %v. No task was performed from there on.", s.play, s.err)}}
}

// perform asks whether the task that a meeting is about is to be performed.
func (r *Runner) perform(ctx context.Context, p *playbooks.Play, g *guest) bool {
	s := &r.stepping
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return false
	case s.off:
		return true
	}
	task := g.x.task(g.step)
	task.Name = p.Announced(g.step.Task)
	answer, err := r.o.Step(ctx, Event{Play: p.Display(), Task: task})
	switch {
	case ctx.Err() != nil: // it is the run that ends
		return false
	case err != nil:
		s.err, s.play = err, p.Display()
		return false
	}
	s.off = answer == StepContinue
	return answer != StepNo
}
