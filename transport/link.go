package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// link is one SSH connection, shared by all Conns to its target and by all
// links through it.
type link struct {
	pool   *Pool
	target *Target
	key    string
	cancel context.CancelCauseFunc // of the attempt to connect, and of the connection
	ready  chan struct{}           // closed once err is settled
	err    *Error
	down   chan struct{} // closed when the connection has ended
	done   chan struct{} // closed when it is known why

	freed atomic.Bool // a session has ended since one was refused

	refs int  // guarded by pool.mu
	hop  bool // guarded by pool.mu

	// Of a link that is kept, see Keep; guarded by pool.mu.
	persist time.Duration
	since   time.Time   // it is connected
	lastUse time.Time   // by who has let go of it
	idle    *time.Timer // ends it; nil while somebody uses it

	stale     chan struct{} // closed when it has not answered for long
	staleOnce sync.Once

	// Set before ready is closed.
	via       *link
	conn      ssh.Conn
	flow      *flow
	handshake time.Duration
	hostKey   ssh.PublicKey // nil through a master
	master    string        // socket of the OpenSSH master that carries it, or empty
	keyFiles  string        // when it logged in, see Target.keyFiles

	mu    sync.Mutex
	cause error  // why the connection ended, if we know better than EOF
	relay *relay // of a target with Relay, once there has been something for it
}

// establish connects, by an OpenSSH master if there is one, else again and
// again as long as sshd hangs up before its version line. On failure it has let go of everything.
func (l *link) establish(ctx context.Context, wanted string) *Error {
	if l.throughMaster(ctx) {
		return nil
	}
	a, err := newAttempt(ctx, l, wanted) // before the hops: a passphrase is better asked for when nothing waits
	if err != nil {
		return err
	}
	for {
		if hop := l.target.before(); hop != nil {
			via, err := l.pool.acquire(ctx, hop, wanted, true)
			if err != nil {
				return asError(err, wanted, hop)
			}
			l.via = via
		}
		err := l.attempts(ctx, a)
		if err == nil || l.via == nil {
			return err
		}
		dead := l.via.pool != l.pool && !l.via.alive() // it was kept from before, see Keep
		l.via.pool.release(l.via)
		if !dead || ctx.Err() != nil {
			return err
		}
	}
}

func (l *link) attempts(ctx context.Context, a *attempt) *Error {
	a.keyed = l.pool.keys.begin()
	defer func() { a.keyed() }()
	for dialled, refused, late := 1, 0, 0; ; {
		release, slotErr := l.pool.slot(ctx, l.target.sshd())
		if slotErr != nil {
			return a.fail(PhaseTCP, slotErr)
		}
		err := a.run(ctx)
		release()
		if key := a.settleKey(ctx, err); key != nil {
			if key.err == nil {
				continue
			}
			err = a.fail(PhaseHostKey, key.err)
		}
		var pause time.Duration
		switch {
		case err == nil:
			return nil
		case err.Phase == PhaseTCP && dialled < l.target.ConnectionAttempts: // ssh_config(5): "one per second"
			dialled++
			pause = time.Second
		case a.late(err) && late < passphraseTries:
			late++
		case err.refused() && refused < l.pool.opts.Retries:
			pause = backoff(refused)
			refused++
		default:
			return err
		}
		l.pool.opts.Logf("%v; again in %s", err, pause.Round(time.Millisecond))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return a.fail(err.Phase, context.Cause(ctx))
		}
	}
}

// backoff doubles from 300 ms and scatters by half, so that those who were
// dropped together do not come back together.
func backoff(n int) time.Duration {
	d := 300 * time.Millisecond << n
	return d/2 + rand.N(d)
}

// serve keeps the connection until it ends, or ctx does.
func (l *link) serve(ctx context.Context) {
	unhook := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	defer unhook()
	stop := make(chan struct{})
	var keepalive sync.WaitGroup
	keepalive.Go(func() {
		l.nudge(stop)
		l.keepalive(stop)
	})
	err := l.conn.Wait()
	close(l.down)
	_ = l.flow.Close()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else {
		err = l.ending(err)
	}
	l.fail(err)
	close(l.done)
	close(stop)
	keepalive.Wait()
	l.pool.forget(l)
	if l.via != nil {
		l.pool.mu.Lock()
		used := l.lastUse
		l.pool.mu.Unlock()
		l.via.pool.releaseSince(l.via, used)
	}
}

// ending is what is said of a connection that has ended by itself.
func (l *link) ending(err error) error {
	switch {
	case l.master != "":
		return fmt.Errorf("connection to %s lost: the OpenSSH master at %s has ended, or ended it: %w", l.target.Name, l.master, err)
	case l.via != nil: // its channels end first
		select {
		case <-l.via.down:
			return fmt.Errorf("connection to %s lost with that of the hop before it: %w", l.target.Name, l.via.reason(err))
		case <-l.via.relayOver():
			return fmt.Errorf("connection to %s lost: the relay on %s has ended: %w", l.target.Name, l.via.target.Name, err)
		case <-time.After(lossGrace):
		}
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("connection to %s lost: the other side has hung up", l.target.Name)
	}
	return fmt.Errorf("connection to %s lost: %w", l.target.Name, err)
}

// fail ends the connection; the first cause is the one to report.
func (l *link) fail(cause error) {
	l.mu.Lock()
	if l.cause == nil {
		l.cause = cause
	}
	l.mu.Unlock()
	l.cancel(cause)
}

// lost turns the error of an operation into the reason why the connection
// ended, if it did.
func (l *link) lost(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return l.cause
	}
	return err
}

// reason is lost for who may have seen the end of the connection before it is known why it ended.
func (l *link) reason(err error) error {
	select {
	case <-l.down:
		<-l.done
	case <-time.After(lossGrace):
	}
	return l.lost(err)
}

// nudge sends a few packets that want no answer just after the login, for the
// sake of the acknowledgements that travel with them. sshd follows a login
// with a small packet (hostkeys-00@openssh.com) while Nagle's algorithm is
// still on, and so holds back its next answer until that one is acknowledged;
// the kernel of the jump host takes 40 ms for it, unless it has data to send.
// On our own socket TCP_QUICKACK does the same.
func (l *link) nudge(stop <-chan struct{}) {
	if l.via == nil {
		return
	}
	for pause := time.Millisecond; pause < 40*time.Millisecond; pause *= 3 {
		select {
		case <-stop:
			return
		case <-time.After(pause):
			_, _, _ = l.conn.SendRequest("keepalive@openssh.com", false, nil)
		}
	}
}

// keepalive asks for an answer when nothing has come for a while, and ends a connection on which nothing has come for
// ServerAliveInterval x ServerAliveCountMax. As with ssh(1), whatever comes is a sign of life: a slow line that is busy may
// hold an answer back for long.
func (l *link) keepalive(stop <-chan struct{}) {
	every, limit := l.target.aliveInterval(), l.target.aliveCountMax()
	if every < 0 || l.master != "" { // a master does not answer those of others, and sends its own
		return
	}
	silence := every * time.Duration(limit)
	if limit == 1 {
		every /= 2 // or there would be no time to answer
	}
	answered := make(chan struct{}, 1)
	answered <- struct{}{}
	asked := time.Now()
	for {
		idle := time.Since(l.flow.heard())
		switch {
		case idle >= silence && len(answered) == 0 && time.Since(asked) >= silence-every: // not if this computer has slept
			err := fmt.Errorf("connection to %s lost: no answer to keepalives for %s", l.target.Name, silence)
			l.pool.opts.Logf("%v", err)
			l.fail(err)
			return
		case idle >= every:
			select {
			case <-answered:
				asked = time.Now()
				l.pool.wg.Go(func() { // ends with the connection at the latest
					_, _, _ = l.conn.SendRequest("keepalive@openssh.com", true, nil)
					answered <- struct{}{}
				})
			default: // the last one is under way
			}
		}
		wait := every - idle
		if wait <= 0 {
			wait = max(min(silence-idle, every), 10*time.Millisecond)
		}
		select {
		case <-stop:
			return
		case <-time.After(wait):
		}
	}
}

// open opens a channel. It returns with ctx even if the far side never answers;
// a channel that opens too late is closed.
func (l *link) open(ctx context.Context, kind string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	ch, reqs, err := l.openOn(ctx, l.conn, kind, extra)
	if isLost(err) {
		l.spoil()
		err = l.reason(err)
	}
	return ch, reqs, err
}

// isLost tells a channel that the far side refused from one that it was not asked for.
func isLost(err error) bool {
	var refused *ssh.OpenChannelError
	return err != nil && !errors.As(err, &refused)
}

// openOn is open by the connection itself, or by that of a relay.
func (l *link) openOn(ctx context.Context, conn ssh.Conn, kind string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type result struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	opened := make(chan result)
	gone := make(chan struct{}) // nobody waits for it any more
	defer close(gone)
	l.pool.wg.Go(func() {
		ch, reqs, err := conn.OpenChannel(kind, extra)
		select {
		case opened <- result{ch, reqs, err}:
		case <-gone:
			if err == nil {
				go ssh.DiscardRequests(reqs)
				_ = ch.Close()
			}
		}
	})
	select {
	case r := <-opened:
		return r.ch, r.reqs, r.err
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case <-l.done:
		return nil, nil, l.lost(net.ErrClosed)
	case <-l.stale:
		return nil, nil, fmt.Errorf("connection to %s lost: it does not answer", l.target.Name)
	}
}

func (l *link) stats() Stats {
	s := l.flow.stats()
	s.Handshake = l.handshake
	if l.via != nil {
		via := l.via.stats()
		s.Via = &via
	}
	return s
}
