package agent

import (
	"context"
	"errors"

	"labctl/agent/wire"
	"labctl/modules"
)

// farEnd opens the far end of a probe between two hosts, or closes it and answers with the verdict. One that nobody came
// back to is closed by the next, or with the agent.
func (s *session) farEnd(ctx context.Context, r *wire.Request, m modules.Module, rep *wire.Reply) error {
	ear := s.ear
	s.ear = nil
	if r.Op == wire.Collect {
		if ear == nil {
			return errors.New("the far end is not open")
		}
		res, err := ear(*r.Call)
		rep.Result = &res
		return err
	}
	s.ear = ear
	s.deafen()
	res, ear, err := m.Listen(ctx, s.host, *r.Call)
	rep.Result, s.ear = &res, ear
	return err
}

// deafen closes a far end whose word is of no interest any more.
func (s *session) deafen() {
	if s.ear != nil {
		_, _ = s.ear(modules.Call{})
	}
	s.ear = nil
}
