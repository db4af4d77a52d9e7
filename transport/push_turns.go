package transport

import "context"

// turns keeps three commands in order where a connection may have few sessions (MaxSessions in sshd_config(5)): the one that
// found no agent, the push, and the one that becomes the agent, which is sent while the push is under way if it may be.
type turns struct {
	found *started
	begun chan struct{} // closed once err is set
	err   error         // why the push did not begin at once
	early chan struct{} // closed when the third has not been started
}

func newTurns(found *started) *turns {
	return &turns{found: found, begun: make(chan struct{}), early: make(chan struct{})}
}

// push starts the push. Where there is no session for it, it comes after the end of the first command, and before the third.
func (t *turns) push(ctx context.Context, start func() (*Process, error)) (*Process, error) {
	p, err := start()
	t.err = err
	close(t.begun)
	if !NoSession(err) {
		return p, err
	}
	<-t.early
	_, _ = t.found.p.Wait()
	return InPlace(ctx, start)
}

// gate holds the third command until the push has begun. A session that is open, but has no command, can be given back.
func (t *turns) gate(ctx context.Context) func() error {
	return func() error {
		select {
		case <-t.begun:
			return t.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
