package persist

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"labctl/transport"
)

var _ transport.Dialer = (*Dialer)(nil)

// How long the server may take to say that it has heard. Starting it may take a little longer, and so may one that is busy
// with the handshakes of many hosts.
const (
	patience      = time.Second
	startPatience = 3 * time.Second
	dialPatience  = 3 * time.Second
	busyPatience  = 20 * time.Second
)

// Search is a look for the server, which is started if there is none.
type Search struct {
	dir     string
	done    chan struct{} // closed when the next are settled
	path    string
	started bool
	err     error
}

// Find begins to look for the server whose socket is in dir, and returns before that is done. A server that nobody comes to ends.
func Find(dir string) *Search {
	s := &Search{dir: dir, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.path, s.started, s.err = ensure(dir)
	}()
	return s
}

// Settings of a Dialer.
type Settings struct {
	transport.Options
	// Usual is how long a connection stays whose Target does not say; 0 means transport.DefaultPersist.
	Usual time.Duration
}

// Dialer connects by way of the server, and by itself where there is none to be had.
type Dialer struct {
	opts  transport.Options
	usual time.Duration
	own   *transport.Pool
	ready chan struct{} // closed when the next are settled
	run   *channel      // nil: no server
	name  string        // of the run
	path  string
	asked questions
	lost  atomic.Bool // the server is not to be waited for again
}

// NewDialer returns before the search is over.
func NewDialer(s *Search, o Settings) *Dialer {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	d := &Dialer{opts: o.Options, usual: o.Usual, own: transport.NewPool(o.Options), ready: make(chan struct{})}
	go func() {
		defer close(d.ready)
		err := d.begin(s)
		if err != nil && !isTimeout(err) { // it may have ended just now
			err = d.begin(Find(s.dir))
		}
		if err != nil {
			o.Logf("connections are not kept: %v", err)
		}
	}()
	return d
}

func (d *Dialer) begin(s *Search) error {
	<-s.done
	if s.err != nil {
		return s.err
	}
	wait := patience
	if s.started {
		wait = startPatience
	}
	c, err := open(s.path, request{Op: "run", Ask: d.opts.Ask != nil}, wait)
	if err != nil {
		return err
	}
	var l line
	if err := c.receive(&l); err != nil {
		_ = c.Close()
		return err
	}
	d.run, d.name, d.path = c, l.Name, s.path
	go d.listen()
	return nil
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// open begins an operation.
func open(path string, q request, wait time.Duration) (*channel, error) {
	end := time.Now().Add(wait)
	raw, err := (&net.Dialer{Deadline: end}).Dial("unix", path)
	for again := 0; err != nil && again < 20 && isBusy(err); again++ {
		time.Sleep(10 * time.Millisecond)
		raw, err = (&net.Dialer{Deadline: end}).Dial("unix", path)
	}
	if err != nil {
		return nil, err
	}
	c := newChannel(raw)
	_ = c.SetDeadline(end)
	var l line
	if err = c.send(q); err == nil {
		err = c.receive(&l)
	}
	if err == nil && !l.Heard {
		err = errors.New("the process that keeps connections speaks another language")
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// listen passes on what the server has to say and to ask.
func (d *Dialer) listen() {
	defer d.asked.end()
	for {
		var l line
		if err := d.run.receive(&l); err != nil {
			return
		}
		switch {
		case l.Question != nil:
			d.asked.put(d.run, l, d.opts.Ask)
		case l.Over:
			d.asked.take(l.ID)
		case l.Log != "":
			d.opts.Logf("%s", l.Log)
		}
	}
}

// Dial implements transport.Dialer.
func (d *Dialer) Dial(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	return d.dial(ctx, t, false)
}

// DialFresh implements transport.Dialer.
func (d *Dialer) DialFresh(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	return d.dial(ctx, t, true)
}

func (d *Dialer) dial(ctx context.Context, t *transport.Target, fresh bool) (transport.Conn, error) {
	alone := func() (transport.Conn, error) {
		if fresh {
			return d.own.DialFresh(ctx, t)
		}
		return d.own.Dial(ctx, t)
	}
	<-d.ready
	theirs := d.portable(t)
	if d.run == nil || theirs == nil || d.lost.Load() {
		return alone()
	}
	c, err := open(d.path, request{Op: "dial", Run: d.name, Target: theirs, Fresh: fresh}, dialPatience)
	if err != nil {
		d.lost.Store(true)
		d.opts.Logf("%s: the process that keeps connections does not answer, log in without it: %v", t.Name, err)
		return alone()
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	var l line
	err = c.receive(&l)
	switch {
	case !stop():
		_ = c.Close()
		return nil, context.Cause(ctx)
	case err != nil: // the server has gone
		_ = c.Close()
		return alone()
	case l.Err != nil:
		_ = c.Close()
		return nil, l.Err.decode()
	}
	return newConn(d, t, c, l.Name), nil
}

// Forgive implements transport.Dialer.
func (d *Dialer) Forgive(t *transport.Target) {
	d.own.Forgive(t)
	<-d.ready
	theirs := d.portable(t)
	if d.run == nil || theirs == nil || d.lost.Load() {
		return
	}
	if c, err := open(d.path, request{Op: "forgive", Run: d.name, Target: theirs}, dialPatience); err == nil {
		var l line
		_ = c.receive(&l)
		_ = c.Close()
	}
}

// Close ends what this process has begun, questions too. The connections stay.
func (d *Dialer) Close() error {
	<-d.ready
	if d.run != nil {
		_ = d.run.Close()
		d.asked.end()
	}
	return d.own.Close()
}

// lastStats are asked for by one at a time.
type lastStats struct {
	mu sync.Mutex
	s  transport.Stats
}
