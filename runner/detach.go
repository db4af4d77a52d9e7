package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"labctl/agent/wire"
	"labctl/playbooks"
)

// detached reports whether a step goes on by itself on its host, as a job.
func (x *hostPlay) detached(st playbooks.Step) bool {
	return st.Async > 0 && !st.Skip && !st.Unknown && st.Check != playbooks.Looks && (!x.r.o.Mode.planning() || x.does(st))
}

// detach starts the job of a step, when nothing else is under way, and asks for it until it has ended, or not at all.
func (x *hostPlay) detach(ctx context.Context, st playbooks.Step) {
	start := time.Now()
	x.tell(st, Event{Kind: TaskSent})
	call := st.Call
	rep, err := x.exchange(ctx, st, &wire.Request{Op: wire.Start, Call: &call, Timeout: st.Async, Expect: x.expected(st), Notify: x.notify(st)})
	if err == nil {
		x.noted(st, rep)
	}
	if err == nil && rep.Error == nil && !rep.Dropped && st.Poll > 0 {
		rep, err = x.pursue(ctx, st, rep.Job)
	}
	x.admit()
	switch {
	case x.failed: // there was no session to begin with, and that is reported
		x.report(st, NotRun, nil, nil)
	case ctx.Err() != nil && err != nil:
		x.settle(st, nil, &Error{Kind: KindInterrupted, Message: err.Error()})
	case err != nil:
		x.lost(err)
		x.report(st, NotRun, nil, nil)
	case rep.Dropped:
		x.report(st, NotRun, nil, nil)
	case rep.Error != nil:
		x.settle(st, since(rep, start), x.taskError(st, rep.Error))
	default:
		x.settle(st, since(rep, start), nil)
		x.shadow(st)
	}
}

func since(rep *wire.Reply, start time.Time) *wire.Reply {
	rep.Duration = time.Since(start)
	return rep
}

// exchange sends one request to where a step goes, and waits for the answer.
func (x *hostPlay) exchange(ctx context.Context, st playbooks.Step, req *wire.Request) (*wire.Reply, error) {
	x.renew()
	if !x.there(st) && !x.open(ctx, x.place(st), true) || !x.take(ctx) {
		return nil, errors.New("there is no session")
	}
	return x.converse(ctx, req)
}

// converse sends one request on the current session, which it is this host's turn at.
func (x *hostPlay) converse(ctx context.Context, req *wire.Request) (*wire.Reply, error) {
	defer x.release()
	x.cur.requests++
	req.ID, req.Epoch = x.cur.requests, x.cur.epoch
	err := x.cur.send(&wire.Frame{Request: req})
	if err == nil {
		err = x.cur.flush()
	}
	if err != nil {
		return nil, err
	}
	return x.answer(ctx, req.ID)
}

// jobSilence is how long after the time of a job its host may be out of reach before it is given up.
const jobSilence = time.Minute

// pursue asks for a job until it has ended. A connection that is lost meanwhile is made again: the job does not mind.
func (x *hostPlay) pursue(ctx context.Context, st playbooks.Step, job string) (*wire.Reply, error) {
	for end := time.Now().Add(st.Async + jobSilence); ; {
		select {
		case <-time.After(st.Poll):
		case <-ctx.Done():
			return nil, fmt.Errorf("interrupted; job %s goes on on the host until its %s are over: async_status asks for it", job, st.Async)
		}
		rep, err := x.inquire(ctx, st, job)
		switch {
		case err == nil && !rep.Running:
			return rep, nil
		case err != nil && time.Now().After(end):
			return nil, fmt.Errorf("job %s cannot be asked for: %w", job, err)
		case err != nil:
			x.r.sink.event(Event{Kind: Debug, Host: x.host.Name, Level: 1, Message: fmt.Sprintf("job %s cannot be asked for, try again: %v", job, err)})
		}
	}
}

// inquire asks for a job once.
func (x *hostPlay) inquire(ctx context.Context, st playbooks.Step, job string) (*wire.Reply, error) {
	at := x.place(st)
	if f, ok := x.r.o.Opener.(forgiver); ok {
		f.forgive(at.host)
	}
	s, err := x.r.session(ctx, at, true)
	if err != nil {
		return nil, err
	}
	x.cur, x.at = s, at
	if !x.take(ctx) {
		return nil, context.Cause(ctx)
	}
	return x.converse(ctx, &wire.Request{Op: wire.Fetch, Job: job})
}
