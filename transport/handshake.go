package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// attempt connects to one hop. It is run again when sshd was busy; what it
// reads of files it reads once.
type attempt struct {
	link   *link
	wanted string
	ids    *identities
	keys   *hostKeys
	crypto ssh.Config
	wrong  error  // what was wrong with the key of a type that the server showed first
	keyed  func() // no unknown host key can come from this attempt any more

	answers *answers
	course  course

	// Written by the goroutine of x/crypto, read after a timeout by ours.
	phase atomic.Value          // Phase
	again atomic.Pointer[error] // of the host key
}

func newAttempt(ctx context.Context, l *link, wanted string) (*attempt, *Error) {
	a := &attempt{link: l, wanted: wanted}
	a.answers = &answers{target: l.target, pool: l.pool, unsafe: func() bool { return a.keys.unsafe }}
	l.keyFiles = l.target.keyFiles()
	a.ids = findIdentities(a.answers)
	var err error
	if a.keys, err = newHostKeys(ctx, l.pool, l.target); err == nil {
		err = a.keys.ask("ORDER", nil)
	}
	if err != nil {
		return nil, a.fail(PhaseSettings, err)
	}
	if err = l.target.algorithms(&a.crypto); err != nil {
		return nil, a.fail(PhaseSettings, err)
	}
	return a, nil
}

// run dials and authenticates once; on success the link has its connection.
func (a *attempt) run(parent context.Context) *Error {
	t := a.link.target
	limit := t.connectTimeout()
	ctx, watch := withStopwatch(parent, limit)
	defer watch.stop()
	begin := time.Now()
	raw, fault := a.dial(ctx)
	if fault != nil {
		return fault
	}
	f := newFlow(raw)
	conn, err := a.authenticate(ctx, f, watch)
	if err != nil {
		_ = f.Close()
		return a.explain(ctx, f, err)
	}
	a.answers.succeeded()
	a.link.conn, a.link.flow, a.link.handshake = conn, f, time.Since(begin)
	return nil
}

// authenticate runs the handshake in a goroutine of its own: a server may hang
// anywhere in it, and closing a connection through a hop that hangs too does
// not end the read on it.
func (a *attempt) authenticate(ctx context.Context, f *flow, watch *stopwatch) (ssh.Conn, error) {
	type result struct {
		conn ssh.Conn
		key  ssh.PublicKey
		err  error
	}
	finished := make(chan result, 1)
	config := a.config(ctx, watch)
	var shown ssh.PublicKey
	check := config.HostKeyCallback
	config.HostKeyCallback = func(name string, remote net.Addr, key ssh.PublicKey) error {
		shown = key
		return check(name, remote, key)
	}
	a.link.pool.wg.Go(func() {
		conn, chans, reqs, err := ssh.NewClientConn(f, a.link.target.addr(), config)
		if err == nil {
			go refuse(chans, reqs)
		}
		finished <- result{conn, shown, err}
	})
	select {
	case r := <-finished:
		a.link.hostKey = r.key
		return r.conn, r.err
	case <-ctx.Done():
		_ = f.Close()
		return nil, context.Cause(ctx)
	}
}

func (a *attempt) config(ctx context.Context, watch *stopwatch) *ssh.ClientConfig {
	a.phase.Store(PhaseKex)
	t := a.link.target
	a.answers.begin(ctx, watch.pause)
	a.course = course{ids: a.ids}
	return &ssh.ClientConfig{
		Config:            a.crypto,
		User:              t.user(),
		Auth:              a.answers.methods(a.ids),
		AuthCallback:      a.course.follow,
		ClientVersion:     "SSH-2.0-labctl",
		HostKeyAlgorithms: a.keys.algorithms(),
		HostKeyCallback: func(name string, remote net.Addr, key ssh.PublicKey) error {
			a.phase.Store(PhaseHostKey)
			err := a.keys.check(name, remote, key)
			if err != nil {
				a.again.Store(&err)
				return err
			}
			a.keyed()
			a.phase.Store(PhaseAuth)
			return nil
		},
		BannerCallback: func(text string) error {
			a.link.pool.opts.Logf("%s: banner: %s", t.Name, text)
			return nil
		},
	}
}

// explain turns the error of a handshake into ours: which phase it was, and
// what it means.
func (a *attempt) explain(ctx context.Context, f *flow, err error) *Error {
	err = causeOf(ctx, err)
	phase, _ := a.phase.Load().(Phase)
	silent, preamble := f.refusal()
	if silent {
		phase = PhaseBanner
	} else {
		preamble = ""
	}
	if p, ok := f.Conn.(*proxyConn); ok && preamble == "" && (silent || errors.Is(err, io.EOF)) {
		phase, err = PhaseProxy, p.verdict(ctx, err)
	}
	if phase == PhaseAuth && !isTimeout(err) && !isCancel(err) {
		err = a.failure(err)
	}
	fault := a.fail(phase, err)
	if phase == PhaseBanner && !isTimeout(err) {
		fault.Hint = hint(phase, fault.Via, err, preamble)
	}
	return fault
}

func (a *attempt) fail(phase Phase, err error) *Error {
	t := a.link.target
	e := &Error{Target: a.wanted, Hop: t.Name, Addr: t.addr(), Phase: phase, Err: plain(err)}
	if via := t.before(); via != nil {
		e.Via = via.Name
	}
	if t.Dial != "" {
		e.Addr = t.Dial
	}
	var key *HostKeyError
	if errors.As(err, &key) {
		e.Err, e.Hint = key, key.hint()
	} else {
		e.Hint = hint(phase, e.Via, err, "")
	}
	return e
}

// causeOf prefers the reason why we gave up to the error that our closing the
// connection caused.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func isCancel(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, errClosed)
}

// asError makes an *Error of what acquire returned for a hop.
func asError(err error, wanted string, hop *Target) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Target: wanted, Hop: hop.Name, Addr: hop.addr(), Phase: PhaseTCP, Err: err}
}

// wantedBy is the same failure as seen by another target behind the same hop.
func (e *Error) wantedBy(target string) *Error {
	c := *e
	c.Target = target
	return &c
}

// refuse turns down what a server asks of its client until the connection ends: channels, since labctl opens all of them
// itself, and requests, as keepalives expect.
func refuse(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	for chans != nil || reqs != nil {
		select {
		case c, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			_ = c.Reject(ssh.Prohibited, "labctl opens all channels itself")
		case r, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			if r.WantReply {
				_ = r.Reply(false, nil)
			}
		}
	}
}
