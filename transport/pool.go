package transport

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Options of a Pool; the zero value is good.
type Options struct {
	// Logf gets what is worth a line at -v: retries, login banners, keepalives
	// lost. It may be called from several goroutines.
	Logf func(format string, args ...any)
	// Ask puts questions to the user; nil means that there is nobody to ask.
	Ask Ask
	// MaxHandshakes bounds unauthenticated connections per sshd; 0 means 6,
	// which stays below the 10 where a stock sshd begins to drop them
	// (MaxStartups 10:30:100).
	MaxHandshakes int
	// Retries bounds how often a connection is tried again that sshd dropped
	// before its version line; 0 means 5, negative none.
	Retries int
	// Agents are what a machine with Relay is sent; nil means that there are none.
	Agents Agents
	// Keep, if set, has connections live on after their last use, and shares them with the other pools that have it.
	Keep *Keep
}

// hopMemory is how long the failure of a jump host stands for all targets
// behind it, so that they do not fail one by one, each after connect_timeout.
const hopMemory = 5 * time.Second

// Pool holds the connections of a run. Each distinct target and hop has one
// connection, which everybody shares: a target's ends with the last Conn on
// it, a hop's with the Pool.
type Pool struct {
	opts     Options
	known    knownStore
	revoked  parsedFiles[*revokedKeys]
	given    parsedFiles[[]byte] // see OnlyHere
	keys     keyQuestions
	secrets  secrets
	unlocked unlocked
	agents   agentPool
	ctx      context.Context
	cancel   context.CancelCauseFunc
	wg       sync.WaitGroup // every goroutine the pool has started

	mu     sync.Mutex
	links  map[string]*link
	failed map[string]failure
	slots  map[string]chan struct{} // handshakes under way, by sshd

	before  map[*link]Stats // what kept links had cost when this pool came to use them
	live    int             // links that have not ended
	retired bool
}

type failure struct {
	err   *Error
	until time.Time // zero: for the life of the pool
}

// NewPool returns an empty pool.
func NewPool(o Options) *Pool {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.MaxHandshakes == 0 {
		o.MaxHandshakes = 6
	}
	if o.Retries == 0 {
		o.Retries = 5
	}
	p := &Pool{opts: o, links: map[string]*link{}, failed: map[string]failure{}, slots: map[string]chan struct{}{}, before: map[*link]Stats{}}
	p.keys.pool = p
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p
}

// Dial connects to t, through its hops, or shares the connection there is. An
// unreachable machine is an *Error.
func (p *Pool) Dial(ctx context.Context, t *Target) (Conn, error) {
	l, err := p.acquire(ctx, t, t.Name, false)
	if err != nil {
		return nil, err
	}
	return newConn(p, l), nil
}

// DialFresh connects to t anew even if there is a connection: it proves that
// the machine still lets us in. The hops are shared as ever.
func (p *Pool) DialFresh(ctx context.Context, t *Target) (Conn, error) {
	l, err := p.acquireFresh(ctx, t)
	if err != nil {
		return nil, err
	}
	return newConn(p, l), nil
}

// Forgive lets t and its hops be tried again where trying has failed before,
// for who has reason to think that it will go better now; a connection to t
// that is kept does not count as a try. It is up to them to leave time enough
// between two logins that are refused.
func (p *Pool) Forgive(t *Target) {
	p.opts.Keep.dismiss(t.key())
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; t != nil; t = t.Via {
		delete(p.failed, t.key())
	}
}

// Close ends every connection, and returns when all has come to rest.
func (p *Pool) Close() error {
	p.mu.Lock() // so that who holds it and saw the pool open has started what it starts
	p.cancel(errClosed)
	p.mu.Unlock()
	p.agents.close()
	p.wg.Wait()
	return nil
}

// acquire returns the link of t and counts one more user of it. A hop is kept
// until the pool closes; wanted is the machine all this is for.
func (p *Pool) acquire(ctx context.Context, t *Target, wanted string, hop bool) (*link, error) {
	key := t.key()
	if l := p.borrow(t, key); l != nil {
		return l, nil
	}
	p.mu.Lock()
	if p.ctx.Err() != nil || p.retired {
		p.mu.Unlock()
		return nil, errClosed
	}
	if f, ok := p.failed[key]; ok {
		if f.until.IsZero() || time.Now().Before(f.until) {
			p.mu.Unlock()
			return nil, f.err.wantedBy(wanted)
		}
		delete(p.failed, key)
	}
	l := p.links[key]
	if l == nil || isDone(l.down) {
		l = p.startLocked(key, t, wanted)
	} else {
		l.refs++
	}
	l.hop = l.hop || hop
	p.mu.Unlock()
	return p.wait(ctx, l, wanted)
}

func (p *Pool) acquireFresh(ctx context.Context, t *Target) (*link, error) {
	p.mu.Lock()
	if p.ctx.Err() != nil || p.retired {
		p.mu.Unlock()
		return nil, errClosed
	}
	l := p.startLocked("", t, t.Name)
	p.mu.Unlock()
	return p.wait(ctx, l, t.Name)
}

// startLocked begins to connect on behalf of all who will wait for it, so the
// first one's context does not end it; an empty key is not shared.
func (p *Pool) startLocked(key string, t *Target, wanted string) *link {
	ctx, cancel := context.WithCancelCause(p.ctx)
	l := &link{pool: p, target: t, key: key, refs: 1, ready: make(chan struct{}), down: make(chan struct{}), done: make(chan struct{}), cancel: cancel,
		stale: make(chan struct{}), persist: t.persist()}
	p.live++
	if key != "" {
		p.links[key] = l
	}
	p.wg.Go(func() {
		defer p.stopped()
		err := l.establish(ctx, wanted)
		if err == nil {
			p.opts.Keep.add(l)
			defer p.opts.Keep.remove(l)
		}
		p.settle(l, err)
		if err == nil {
			l.serve(ctx)
		}
	})
	return l
}

// settle publishes the outcome of connecting.
func (p *Pool) settle(l *link, err *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		l.err = err
		p.forgetLocked(l)
		switch {
		case l.key == "" || p.ctx.Err() != nil || isCancel(err):
		case err.lasting():
			p.failed[l.key] = failure{err: err}
		case l.hop:
			p.failed[l.key] = failure{err: err, until: time.Now().Add(hopMemory)}
		}
	}
	close(l.ready)
}

// wait returns when l is connected or has failed, or with ctx.
func (p *Pool) wait(ctx context.Context, l *link, wanted string) (*link, error) {
	select {
	case <-l.ready:
	case <-ctx.Done():
		p.release(l)
		return nil, fmt.Errorf("connect to %s: %w", wanted, context.Cause(ctx))
	}
	if l.err != nil {
		return nil, l.err.wantedBy(wanted)
	}
	return l, nil
}

// release counts one user less. Nobody left: a connection in the making is
// given up, a target's is closed, or kept for a while.
func (p *Pool) release(l *link) { p.releaseSince(l, time.Now()) }

// releaseSince is release by who has done the last use of it some time ago.
func (p *Pool) releaseSince(l *link, used time.Time) {
	p.mu.Lock()
	l.refs--
	last := l.refs == 0
	connected := isDone(l.ready)
	if l.lastUse.Before(used) {
		l.lastUse = used
	}
	if last && connected && p.opts.Keep != nil && p.links[l.key] == l {
		p.lingerLocked(l)
		p.mu.Unlock()
		return
	}
	if last && (!l.hop || !connected) {
		p.forgetLocked(l)
	}
	p.mu.Unlock()
	switch {
	case !last:
	case !connected:
		l.cancel(context.Canceled)
	case !l.hop || p.opts.Keep != nil:
		l.fail(errClosed)
	}
}

func (p *Pool) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(l)
}

func (p *Pool) forgetLocked(l *link) {
	if p.links[l.key] == l {
		delete(p.links, l.key)
	}
}

// slot waits for leave to begin a handshake with the sshd called name, and
// returns what gives it back.
func (p *Pool) slot(ctx context.Context, name string) (func(), error) {
	p.mu.Lock()
	s := p.slots[name]
	if s == nil {
		s = make(chan struct{}, p.opts.MaxHandshakes)
		p.slots[name] = s
	}
	p.mu.Unlock()
	select {
	case s <- struct{}{}:
		return sync.OnceFunc(func() { <-s }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// key tells targets apart that must not share a connection.
func (t *Target) key() string {
	if t == nil {
		return ""
	}
	own := *t
	own.Via, own.Persist = nil, 0
	// A digest, since settings may hold a password, which is part of what tells them apart.
	return fmt.Sprintf("%x < %s", sha256.Sum256(fmt.Appendf(nil, "%#v", plainTarget(own))), t.Via.key())
}
