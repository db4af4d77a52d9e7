package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/codec"
	"labctl/modules/host"
)

// job begins a job, or answers with what one has left. That is forgotten then: nobody asks twice.
func (s *session) job(ctx context.Context, r *wire.Request, rep *wire.Reply) error {
	j, ok := s.host.(host.Jobber)
	if !ok {
		return errors.New("this host has no jobs")
	}
	if r.Op == wire.Start {
		b, err := codec.Marshal(r)
		if err != nil {
			return err
		}
		rep.Job, err = j.Jobs().Start(ctx, b)
		rep.Running, rep.Result = err == nil, &modules.Result{Diff: modules.Diff{Action: modules.Run}}
		return err
	}
	b, err := j.Jobs().Get(ctx, r.Job)
	if rep.Job = r.Job; err != nil || b == nil {
		rep.Running = err == nil
		return err
	}
	left := &wire.Reply{}
	if err := codec.Unmarshal(b, left); err != nil {
		return fmt.Errorf("read the result of job %s: %w", r.Job, err)
	}
	rep.Result, rep.Error = left.Result, left.Error
	return j.Jobs().Forget(ctx, r.Job)
}

// jobEnds is how long a job whose time is over may take to end what it has begun.
const jobEnds = 10 * time.Second

// jobMain carries out the job that this process is for. When it is asked to end, it ends what it is at, and says so.
func jobMain(h host.Host, j host.Jobber) int {
	syscall.Umask(0o022)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := j.Job(func(request []byte) []byte {
		rep := &wire.Reply{}
		r := &wire.Request{}
		if err := codec.Unmarshal(request, r); err != nil {
			rep.Error = &wire.Error{Kind: wire.KindHost, Msg: "read the request of the job: " + err.Error()}
		} else {
			rep = carryOut(ctx, h, r)
		}
		b, err := codec.Marshal(rep)
		if err != nil {
			b, _ = codec.Marshal(&wire.Reply{Error: &wire.Error{Kind: wire.KindHost, Msg: err.Error()}}) // plain text
		}
		return b
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "labctl-agent:", err)
		return 1
	}
	return 0
}

// carryOut runs a request as a session would, in the time that it has.
func carryOut(ctx context.Context, h host.Host, r *wire.Request) *wire.Reply {
	s := &session{host: h, reg: modules.Default, failed: -1, out: newOutput(io.Discard)}
	r.Op, r.Tolerant = wire.Apply, true
	done := make(chan *wire.Reply, 1)
	go func() { done <- s.one(ctx, r) }()
	select {
	case rep := <-done:
		return rep
	case <-time.After(r.Timeout + jobEnds): // it does not mind that its time is over
		return &wire.Reply{Error: &wire.Error{Kind: wire.KindTimeout, Msg: fmt.Sprintf("timeout of %s is over, and it has not ended", r.Timeout)}}
	}
}
