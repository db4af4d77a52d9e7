package transport

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// DefaultPersist is how long a kept connection stays after its last use.
const DefaultPersist = time.Minute

// Forever is a Persist that only closing ends (ControlPersist yes in ssh_config(5)).
const Forever = time.Duration(math.MaxInt64)

// Dialer is what connects to machines: a Pool, or what asks one in another process.
type Dialer interface {
	Dial(ctx context.Context, t *Target) (Conn, error)
	DialFresh(ctx context.Context, t *Target) (Conn, error)
	Forgive(t *Target)
	Close() error
}

var _ Dialer = (*Pool)(nil)

// Keep are connections that outlive their last use, as with ssh's ControlPersist, and the pools that made them. Pools
// that have a Keep in common share its connections; each asks its own user, and remembers its own failures and keys.
type Keep struct {
	mu    sync.Mutex
	links map[string][]*link // by key, those connected
}

// NewKeep returns an empty Keep.
func NewKeep() *Keep { return &Keep{links: map[string][]*link{}} }

func (k *Keep) add(l *link) {
	if k == nil || l.key == "" || l.master != "" { // a master stays by itself
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	l.since = time.Now()
	k.links[l.key] = append(k.links[l.key], l)
}

func (k *Keep) remove(l *link) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	rest := slices.DeleteFunc(k.links[l.key], func(x *link) bool { return x == l })
	if k.links[l.key] = rest; len(rest) == 0 {
		delete(k.links, l.key)
	}
}

// take returns a connection of that key that lives, and counts one more user of it; nil if there is none. The caller
// holds no lock.
func (k *Keep) take(key string, t *Target) *link {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	found := slices.Clone(k.links[key])
	k.mu.Unlock()
	for _, l := range found {
		if l.pool.take(l, t.persist()) {
			return l
		}
	}
	return nil
}

// Sweep ends the connections whose time is over by the clock on the wall, since timers stand still while the computer sleeps;
// with all, every one that nobody uses.
func (k *Keep) Sweep(all bool) {
	now := time.Now().Round(0)
	for _, l := range k.all() {
		l.pool.mu.Lock()
		over := l.refs == 0 && (all || now.Sub(l.lastUse.Round(0)) > l.persist)
		l.pool.mu.Unlock()
		if over {
			l.pool.expire(l)
		}
	}
}

// take counts one more user of a connected link, unless it is about to end.
func (p *Pool) take(l *link, persist time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links[l.key] != l || isDone(l.down) {
		return false
	}
	l.refs++
	l.persist = persist // the last word holds
	if l.idle != nil {
		l.idle.Stop()
		l.idle = nil
	}
	return true
}

// borrow takes a kept connection and sees to it that a dead one is noticed.
func (p *Pool) borrow(t *Target, key string) *link {
	l := p.opts.Keep.take(key, t)
	if l == nil {
		return nil
	}
	if why := p.distrusts(l); why != "" {
		p.opts.Logf("%s: the connection kept from before is not used: %s", t.Name, why)
		l.spoil()
		l.pool.release(l)
		return nil
	}
	p.noteCosts(l)
	l.prove()
	return l
}

// dismiss has nobody new use what is kept under key.
func (k *Keep) dismiss(key string) {
	if k == nil {
		return
	}
	for _, l := range k.all() {
		if l.key != key {
			continue
		}
		l.spoil()
		l.pool.mu.Lock()
		unused := l.refs == 0
		l.pool.mu.Unlock()
		if unused {
			l.fail(errClosed)
		}
	}
}

// noteCosts remembers what a link and its hops have cost before this pool came to use them.
func (p *Pool) noteCosts(l *link) {
	for ; l != nil && l.pool != p; l = l.via {
		own := l.flow.settle()
		own.Handshake = l.handshake
		p.mu.Lock()
		if _, ok := p.before[l]; !ok {
			p.before[l] = own
		}
		p.mu.Unlock()
	}
}

// costs is what a link has cost this pool: all of it, if it was dialled for it.
func (p *Pool) costs(l *link) Stats {
	s := l.stats()
	for at, h := &s, l; at != nil && h != nil; at, h = at.Via, h.via {
		p.mu.Lock()
		b, ok := p.before[h]
		p.mu.Unlock()
		if ok {
			at.BytesIn -= b.BytesIn
			at.BytesOut -= b.BytesOut
			at.RoundTrips -= b.RoundTrips
			at.Handshake -= b.Handshake
		}
	}
	return s
}

// lingerLocked lets a link that nobody uses live on until its time is over, counted from its last use.
func (p *Pool) lingerLocked(l *link) {
	left := l.persist - time.Since(l.lastUse)
	l.idle = time.AfterFunc(max(left, 0), func() { p.expire(l) })
}

func (p *Pool) expire(l *link) {
	p.mu.Lock()
	unused := l.refs == 0 && p.links[l.key] == l
	if unused {
		p.forgetLocked(l)
	}
	p.mu.Unlock()
	if unused {
		l.fail(errClosed)
	}
}

// Retire lets the pool end once its connections have. It dials no more, and forgets the secrets that it was told.
func (p *Pool) Retire() {
	p.secrets.forget()
	p.unlocked.forget()
	p.mu.Lock()
	p.retired = true
	rest := p.live
	p.mu.Unlock()
	p.agents.close()
	if rest == 0 {
		p.cancel(errClosed)
	}
}

// stopped counts one link less.
func (p *Pool) stopped() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live--; p.live == 0 && p.retired {
		p.cancel(errClosed)
	}
}

func (t *Target) persist() time.Duration {
	if t.Persist == 0 {
		return DefaultPersist
	}
	return t.Persist
}

// The liveness of a kept connection. News this young need no proof at once; an answer may take that long.
const (
	proofAge  = 2 * time.Second
	proofTime = 2 * time.Second
)

// prove asks the far side whether it is there, without making anybody wait: what is sent meanwhile is answered as
// well. A connection that stays silent is given to nobody any more, and what waits for it to open a channel returns.
// Its users of before are left alone: it may only be slow.
func (l *link) prove() {
	taken := time.Now()
	l.pool.wg.Go(func() {
		if taken.Sub(l.flow.heard()) < proofAge { // what it is used for is proof enough, if it is answered
			select {
			case <-time.After(proofAge):
			case <-l.done:
			}
			if isDone(l.done) || l.flow.heard().After(taken) {
				return
			}
		}
		answered := make(chan struct{})
		l.pool.wg.Go(func() { // ends with the connection at the latest
			_, _, _ = l.conn.SendRequest("keepalive@openssh.com", true, nil)
			close(answered)
		})
		select {
		case <-answered:
		case <-l.done:
		case <-time.After(proofTime + 4*l.flow.stats().RTT):
			l.pool.opts.Logf("%s: the connection kept from before does not answer", l.target.Name)
			l.spoil()
		}
	})
}

// spoil has nobody new use a connection that has ended or does not answer.
func (l *link) spoil() {
	l.pool.opts.Keep.remove(l)
	l.pool.forget(l)
	l.staleOnce.Do(func() { close(l.stale) })
}

// alive reports whether channels may still be opened, as far as is known.
func (l *link) alive() bool { return !isDone(l.down) && !isDone(l.stale) }
