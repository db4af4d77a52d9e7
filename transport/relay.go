package transport

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// RelayArgument makes the agent a relay: behind AgentMagic it speaks the master's side of OpenSSH's mux proxy mode
// (PROTOCOL.mux), in which channels of type direct-tcpip are opened as on a connection of SSH.
const RelayArgument = "relay"

// relay is an agent on a jump host that makes connections from there, in one session, where sshd will not.
type relay struct {
	ready chan struct{}
	conn  ssh.Conn // valid after ready, as is err
	err   error
	over  chan struct{} // closed when it has ended, or has not begun
}

// relayed returns the relay on the far side, which everybody shares. One that has ended is started again.
func (l *link) relayed(ctx context.Context) (ssh.Conn, error) {
	l.mu.Lock()
	r := l.relay
	if r == nil || isDone(r.over) {
		r = &relay{ready: make(chan struct{}), over: make(chan struct{})}
		l.relay = r
		l.pool.wg.Go(func() { r.run(l) })
	}
	l.mu.Unlock()
	select {
	case <-r.ready:
		return r.conn, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// relayOver is closed when the relay there was has ended.
func (l *link) relayOver() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.relay == nil {
		return nil
	}
	return l.relay.over
}

// openByRelay is open by the relay.
func (l *link) openByRelay(ctx context.Context, kind string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	conn, err := l.relayed(ctx)
	if err != nil {
		return nil, nil, err
	}
	ch, reqs, err := l.openOn(ctx, conn, kind, extra)
	if isLost(err) {
		err = l.lost(fmt.Errorf("the relay on %s has ended: %w", l.target.Name, err))
	}
	return ch, reqs, err
}

// run starts the relay and waits for its end. It ends with the connection at the latest.
func (r *relay) run(l *link) {
	defer close(r.over)
	ctx, cancel := context.WithCancel(l.pool.ctx)
	defer cancel()
	go func() {
		select {
		case <-l.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	var end func()
	r.conn, end, r.err = l.startRelay(ctx)
	close(r.ready)
	if r.err != nil {
		return
	}
	defer end()
	if err := r.conn.Wait(); ctx.Err() == nil {
		l.pool.opts.Logf("%s: the relay has ended: %v", l.target.Name, err)
	}
}

func (l *link) startRelay(ctx context.Context) (ssh.Conn, func(), error) {
	name := l.target.Name
	if l.pool.opts.Agents == nil {
		return nil, nil, fmt.Errorf("start relay on %s: there is no agent to send there", name)
	}
	session := newConn(l.pool, l) // never closed: it counts as no user of the link
	p, err := StartAgent(ctx, session, l.pool.opts.Agents, AgentOptions{Args: []string{RelayArgument}, Logf: func(f string, args ...any) {
		l.pool.opts.Logf("%s: "+f, append([]any{name}, args...)...)
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("start relay on %s: %w", name, err)
	}
	stream := &processConn{endpoints: endpoints{name, "relay"}, Process: p}
	stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
	conn, chans, reqs, err := ssh.NewControlClientConn(stream)
	if err != nil {
		stop()
		_ = stream.Close()
		return nil, nil, fmt.Errorf("start relay on %s: %w", name, cmp.Or(stream.err, err))
	}
	go refuse(chans, reqs) // ends with the connection
	l.pool.opts.Logf("%s: connections go through a relay there, in one session", name)
	return conn, func() { stop(); _ = stream.Close() }, nil
}

// processConn is the standard input and output of a far agent as a net.Conn, from behind AgentMagic on. What is written waits
// for an agent that is on its way.
type processConn struct {
	endpoints
	*Process
	begin, end sync.Once
	err        error      // why there is no agent
	writing    sync.Mutex // a packet must come in one piece, which a channel divides
}

func (c *processConn) Read(p []byte) (int, error) {
	c.begin.Do(func() { _, c.err = io.CopyN(io.Discard, c.Stdout, int64(len(AgentMagic))) })
	if c.err != nil {
		return 0, c.err
	}
	return c.Stdout.Read(p)
}

func (c *processConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.Stdin.Write(p)
}

// Close lets the agent end by the end of its input, and does not wait for it.
func (c *processConn) Close() error {
	c.end.Do(func() {
		_ = c.Stdin.Close()
		_ = c.Process.Close()
	})
	return nil
}
