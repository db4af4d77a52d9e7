package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"labctl/agent/wire"
	"labctl/inventory"
	"labctl/modules"
	"labctl/playbooks"
	"labctl/transport"
)

// Bounds of one try to reach a host that is waited for: what it may take to send an agent over a slow line, and what an agent
// that is there may take to say so.
const (
	maxTry  = time.Minute
	maxEcho = 10 * time.Second
)

// refusedPause is the least time between two tries when a login was refused. sshd bars an address for 5 s for each, once they
// add up to 15 s (PerSourcePenalties in sshd_config(5)), and everybody behind a jump host has the same address.
const refusedPause = 10 * time.Second

// patience tells of a step that it waits for the host itself; nil: it is one like any other. A plan waits for nothing.
func (x *hostPlay) patience(st playbooks.Step) *modules.Patience {
	if st.Meeting || st.Skip || st.Unknown || x.r.o.Mode.planning() {
		return nil
	}
	return st.Task.Module.Patience(st.Call)
}

// wait runs a step that waits for the host, when nothing else is under way.
func (x *hostPlay) wait(ctx context.Context, st playbooks.Step, p *modules.Patience) {
	start := time.Now()
	rep, boot, err := &wire.Reply{Result: &modules.Result{Diff: modules.Diff{Action: modules.None}}}, "", error(nil)
	if p.Restart {
		rep, boot, err = x.restart(ctx, st, p)
	}
	if err == nil && (p.Restart || !x.echoes(ctx, st, p)) {
		err = x.reconnect(ctx, x.place(st), boot, p)
	}
	rep.Duration = time.Since(start)
	switch {
	case x.failed: // there was no session to begin with, and that is reported
		x.report(st, NotRun, nil, nil)
	case rep.Error != nil:
		x.settle(st, rep, x.taskError(st, rep.Error))
	case err != nil:
		x.settle(st, rep, x.waitError(ctx, st, err))
	default:
		rep.Result.State = elapsed(st, rep.Duration)
		x.settle(st, rep, nil)
	}
}

func (x *hostPlay) waitError(ctx context.Context, st playbooks.Step, err error) *Error {
	out := &Error{Kind: wire.KindTimeout, Message: err.Error()}
	var te *transport.Error
	switch {
	case ctx.Err() != nil:
		out.Kind, out.Message = KindInterrupted, "interrupted while it was waited for"
	case errors.As(err, &te):
		out.Hop = te.Hop
	}
	return out
}

// elapsed is the state of a step that has waited: its arguments, and how long it took.
func elapsed(st playbooks.Step, d time.Duration) json.RawMessage {
	state := map[string]any{}
	_ = json.Unmarshal(st.Call.Params, &state) // an object: it was one when it was checked
	state["elapsed"] = d.Round(time.Millisecond).Seconds()
	b, _ := json.Marshal(state)
	return b
}

// echoes reports whether the agent of a session that is open is there, which ends the waiting at once.
func (x *hostPlay) echoes(ctx context.Context, st playbooks.Step, p *modules.Patience) bool {
	if x.cur == nil || p.Delay > 0 || !x.there(st) {
		return false
	}
	echo, cancel := context.WithTimeout(ctx, maxEcho)
	defer cancel()
	rep, err := x.request(echo, st, wire.Apply)
	return err == nil && rep.Error == nil && !rep.Dropped
}

// request sends a step alone, and waits for the answer.
func (x *hostPlay) request(ctx context.Context, st playbooks.Step, op wire.Op) (*wire.Reply, error) {
	if !x.take(ctx) {
		return nil, context.Cause(ctx)
	}
	defer x.release()
	x.cur.requests++
	call := st.Call
	err := x.cur.send(&wire.Frame{Request: &wire.Request{ID: x.cur.requests, Epoch: x.cur.epoch, Op: op, Call: &call, Tolerant: true}})
	if err == nil {
		err = x.cur.flush()
	}
	if err != nil {
		return nil, err
	}
	return x.answer(ctx, x.cur.requests)
}

// restart asks the host to restart, and returns the ID of the boot that is to end. A session that ends under it is as good as
// an answer.
func (x *hostPlay) restart(ctx context.Context, st playbooks.Step, p *modules.Patience) (*wire.Reply, string, error) {
	none := &wire.Reply{Result: &modules.Result{Diff: modules.Diff{Action: modules.Run}}}
	x.renew()
	if !x.there(st) && !x.open(ctx, x.place(st), false) {
		return none, "", errors.New("there is no session")
	}
	first, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	if err := x.greeted(first); err != nil {
		return none, "", err
	}
	boot := x.cur.hello.Load().Facts.BootID
	if boot == "" {
		return none, "", errors.New("the host does not tell its boot ID, so that nobody could see that it has booted anew")
	}
	rep, err := x.request(first, st, wire.Apply)
	if err != nil || rep.Dropped {
		rep = none
	}
	if first.Err() != nil {
		err = fmt.Errorf("it has not restarted after %s", p.Timeout)
	} else {
		err = nil
	}
	return rep, boot, err
}

// greeted waits for the introduction of the agent.
func (x *hostPlay) greeted(ctx context.Context) error {
	if !x.take(ctx) {
		return context.Cause(ctx)
	}
	defer x.release()
	for x.cur.hello.Load() == nil {
		select {
		case f, ok := <-x.cur.frames:
			if !ok {
				if err := x.cur.lost(); err != nil {
					return err
				}
				return errors.New("the session ended")
			}
			x.frame(ctx, f)
		case <-ctx.Done():
			return errors.New("the agent does not answer")
		}
	}
	return nil
}

// reconnect tries until there is a session with an agent of the host, in another boot than the one given.
func (x *hostPlay) reconnect(ctx context.Context, at place, boot string, p *modules.Patience) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	x.hangUp()
	untried := errors.New("it was not tried")
	err, said := untried, ""
	for pause := p.Delay; ; {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("not there after %s: %w", p.Timeout, err)
		}
		tried := x.try(ctx, at, boot)
		if tried == nil {
			return nil
		}
		if ctx.Err() == nil || err == untried { // the try that the time ran out on knows less than the one before
			err = tried
		}
		x.hangUp()
		if text := "not there yet: " + err.Error(); text != said {
			x.r.sink.event(Event{Kind: Debug, Host: x.host.Name, Level: 1, Message: text})
			said = text
		}
		var te *transport.Error
		pause = p.Sleep
		if errors.As(err, &te) {
			switch te.Phase {
			case transport.PhaseHostKey, transport.PhaseSettings: // time does not mend it
				return err
			case transport.PhaseAuth:
				pause = max(pause, refusedPause)
			}
		}
	}
}

// hangUp ends all sessions of the host. Its facts may be others when it comes back.
func (x *hostPlay) hangUp() {
	x.release()
	x.r.disconnect(x.host.Name)
	x.cur, x.facts = nil, false
}

// forgiver is an Opener that remembers failures.
type forgiver interface{ forgive(h *inventory.Host) }

// try opens a session and hears the agent's introduction.
func (x *hostPlay) try(ctx context.Context, at place, boot string) error {
	ctx, cancel := context.WithTimeout(ctx, maxTry)
	defer cancel()
	if f, ok := x.r.o.Opener.(forgiver); ok {
		f.forgive(x.host)
	}
	s, err := x.r.session(ctx, at, false)
	if err != nil {
		return err
	}
	x.cur, x.at = s, at
	if err := x.greeted(ctx); err != nil {
		return err
	}
	if boot != "" && s.hello.Load().Facts.BootID == boot {
		return errors.New("it has not restarted yet")
	}
	return nil
}
