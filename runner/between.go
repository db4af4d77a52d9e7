package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"labctl/agent/wire"
	"labctl/inventory"
	"labctl/modules"
	"labctl/playbooks"
)

// between runs the steps between two hosts that the guests have come for. Each is run once: as the host "from" would have it,
// or, when that is none of the play's, as the first who asks for it.
func (m *meeting) between(ctx context.Context, all []*guest) {
	var others []playbooks.Step // begun for hosts outside of the play
	for _, g := range all {
		for _, st := range g.step.Between {
			switch {
			case st.From == g.x.host, st.From == nil && g == all[0]:
				m.settle(all, st, m.one(ctx, all, g.x, st))
			case st.From == nil || present(all, st.From) || m.r.barred(st.From) || slices.ContainsFunc(others, alike(st)):
			default:
				others = append(others, st)
				m.settle(all, st, m.one(ctx, all, m.r.helper(g.x.play, st.From), st))
			}
		}
	}
	m.dismiss(all)
}

// present reports whether a host is one of the guests.
func present(all []*guest, h *inventory.Host) bool {
	return slices.ContainsFunc(all, func(g *guest) bool { return g.x.host == h })
}

func alike(a playbooks.Step) func(playbooks.Step) bool {
	return func(b playbooks.Step) bool {
		return a.Key == b.Key && a.Skip == b.Skip && string(a.Call.Params) == string(b.Call.Params)
	}
}

// settle tells all that asked for the step what came of it. The failure is that of the host "from" alone.
func (m *meeting) settle(all []*guest, st playbooks.Step, o playbooks.Outcome) {
	for _, g := range all {
		for _, own := range g.step.Between {
			if alike(st)(own) {
				g.x.eval.Heard(own.ID, o)
			}
		}
	}
}

// dismiss closes what nobody has run: the step as seen by hosts that it is not for.
func (m *meeting) dismiss(all []*guest) {
	for _, g := range all {
		for _, own := range g.step.Between {
			g.x.eval.SetOutcome(own.ID, playbooks.Outcome{Skipped: true}) // no-op for those that have one
		}
		if g.x.failed {
			g.x.notRun()
		}
	}
}

// one runs a step from near, and reports it.
func (m *meeting) one(ctx context.Context, all []*guest, near *hostPlay, st playbooks.Step) playbooks.Outcome {
	switch {
	case near.diverted || near.failed && st.Skip:
		return playbooks.Outcome{Skipped: true}
	case st.Skip || st.Unknown:
		near.report(st, near.statusOf(st), nil, nil)
		return playbooks.Outcome{Skipped: true}
	case near.failed || ctx.Err() != nil:
		near.report(st, NotRun, nil, nil)
		return playbooks.Outcome{Skipped: true}
	}
	if fault := near.refusal(st); fault != nil {
		return near.settle(st, nil, fault).Outcome
	}
	far, err := m.farEnd(all, near, st.To)
	if err == nil {
		var rep *wire.Reply
		if rep, err = converse(ctx, near, far, st); err == nil {
			return near.judged(st, rep)
		}
	}
	if near.failed { // and has been reported as unreachable
		near.report(st, NotRun, nil, nil)
	} else {
		near.judged(st, &wire.Reply{Error: &wire.Error{Kind: wire.KindHost, Msg: err.Error()}})
	}
	return playbooks.Outcome{Failed: true, Error: err.Error()}
}

// judged reports the verdict of a step and says what it means to those who ask for the result.
func (x *hostPlay) judged(st playbooks.Step, rep *wire.Reply) playbooks.Outcome {
	var fault *Error
	if rep.Error != nil {
		fault = x.taskError(st, rep.Error)
	}
	return x.settle(st, rep, fault).Outcome
}

// farEnd is the far host of a step: one of the guests, or one that is fetched for it.
func (m *meeting) farEnd(all []*guest, near *hostPlay, h *inventory.Host) (*hostPlay, error) {
	for _, g := range all {
		if g.x.host == h && !g.x.failed {
			return g.x, nil
		}
	}
	if near.host == h {
		return near, nil
	}
	if present(all, h) || m.r.isOut(h.Name) {
		return nil, fmt.Errorf("not looked at: %s has failed before, or could not be reached", h.Name)
	}
	return m.r.helper(near.play, h), nil
}

// helper takes part in a play that is not for it, because a task names it.
func (r *Runner) helper(p *playbooks.Play, h *inventory.Host) *hostPlay {
	return &hostPlay{r: r, play: p, host: h}
}

// converse lets the far end listen, the near end send, and the far end judge. Each step's state is what the next one is asked
// with.
func converse(ctx context.Context, near, far *hostPlay, st playbooks.Step) (*wire.Reply, error) {
	call := st.Call
	heard, err := far.ask(ctx, wire.Listen, st, call)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", far.host.Name, err)
	}
	call.Params = heard.Result.State
	sent, err := near.ask(ctx, wire.Knock, st, call)
	if err == nil {
		call.Params = sent.Result.State
	}
	verdict, lost := far.ask(context.WithoutCancel(ctx), wire.Collect, st, call) // it closes the far end in any case
	switch {
	case err != nil && sent != nil && sent.Error != nil: // which is more than its text
		return sent, nil
	case err != nil:
		return nil, err
	case verdict == nil:
		return nil, fmt.Errorf("ask %s what has come: %w", far.host.Name, lost)
	}
	verdict.Duration = sent.Duration
	return verdict, nil
}

// ask sends one request beside the play to a host whose session is idle, and waits for the answer. An error in it is one of
// ask's too.
func (x *hostPlay) ask(ctx context.Context, op wire.Op, st playbooks.Step, call modules.Call) (*wire.Reply, error) {
	x.renew()
	if at := x.r.placed(x.host, st.Become); (x.cur == nil || at != x.at) && !x.open(ctx, at, true) {
		x.gone()
		return nil, errors.New("there is no session")
	}
	if !x.take(ctx) {
		return nil, errors.New("interrupted")
	}
	defer x.release()
	x.cur.requests++
	id := x.cur.requests
	req := &wire.Request{ID: id, Op: op, Call: &call}
	if op == wire.Knock {
		req.Timeout = st.Timeout
	}
	err := x.cur.send(&wire.Frame{Request: req})
	if err == nil {
		err = x.cur.flush()
	}
	var rep *wire.Reply
	if err == nil {
		rep, err = x.answer(ctx, id)
	}
	if err != nil {
		x.lost(err)
		x.gone()
		return nil, err
	}
	switch {
	case rep.Dropped:
		return rep, errors.New("interrupted")
	case rep.Error != nil:
		return rep, errors.New(rep.Error.Msg)
	}
	return rep, nil
}

// answer waits for the reply to a request. An interrupted run asks the agent to stop, and gives it the grace time.
func (x *hostPlay) answer(ctx context.Context, id int) (*wire.Reply, error) {
	done, grace := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case f, ok := <-x.cur.frames:
			switch {
			case !ok:
				if err := x.cur.lost(); err != nil {
					return nil, err
				}
				return nil, errors.New("the session ended")
			case f.Reply != nil && f.Reply.ID == id:
				return f.Reply, nil
			case f.Reply == nil:
				x.frame(ctx, f)
			}
		case <-done:
			done, grace = nil, time.After(x.r.o.Grace)
			x.cur.stop()
		case <-grace:
			return nil, fmt.Errorf("interrupted; no answer came in %s", x.r.o.Grace)
		}
	}
}

// gone leaves a helper that was lost out of the plays to come; a host of this play does so itself.
func (x *hostPlay) gone() {
	if x.eval == nil {
		x.r.drop(x.host.Name)
	}
}

// foresee reports in a plan the steps between two hosts that a play would run.
func (x *hostPlay) foresee(ctx context.Context, st playbooks.Step) {
	for _, s := range st.Between {
		mine := s.From == x.host
		reporter := x
		in := func(h *inventory.Host) bool { _, of := x.meet.order[h]; return of }
		if first := x.meet.order[x.host] == 0; first && s.From == nil {
			mine = true
		} else if first && s.From != nil && !in(s.From) && !x.r.barred(s.From) {
			mine, reporter = true, x.r.helper(x.play, s.From)
		}
		switch {
		case s.Skip || s.Unknown:
			if mine {
				reporter.report(s, reporter.statusOf(s), nil, nil)
			}
			continue
		}
		res, err := s.Task.Module.Diff(ctx, nil, s.Call) // a probe looks at no host for that
		if mine && err == nil {
			reporter.report(s, OK, &wire.Reply{Result: &res}, nil)
		}
		x.eval.SetOutcome(s.ID, playbooks.Outcome{Result: res})
	}
}
