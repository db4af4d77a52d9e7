package persist

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"labctl/transport"
)

var _ transport.Dialer = (*Dialer)(nil)

// patience is how long the server may take to say that it has heard; starting it may take a little longer.
const (
	patience      = time.Second
	startPatience = 3 * time.Second
)

// Dialer connects by way of the server, and by itself where there is none to be had.
type Dialer struct {
	opts  transport.Options
	own   *transport.Pool
	ready chan struct{} // closed when the next are settled
	run   *channel      // nil: no server
	name  string        // of the run
	path  string
}

// NewDialer begins to look for the server at once, and starts one if there is none; it returns before that is done.
func NewDialer(dir string, o transport.Options) *Dialer {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	d := &Dialer{opts: o, own: transport.NewPool(o), ready: make(chan struct{})}
	go func() {
		defer close(d.ready)
		if err := d.begin(dir); err != nil {
			o.Logf("connections are not kept: %v", err)
		}
	}()
	return d
}

func (d *Dialer) begin(dir string) error {
	path, started, err := ensure(dir)
	if err != nil {
		return err
	}
	wait := patience
	if started {
		wait = startPatience
	}
	c, err := open(path, request{Op: "run", Ask: d.opts.Ask != nil}, wait)
	if err != nil {
		return err
	}
	var l line
	if err := c.receive(&l); err != nil {
		_ = c.Close()
		return err
	}
	d.run, d.name, d.path = c, l.Name, path
	go d.listen()
	return nil
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
	for {
		var l line
		if err := d.run.receive(&l); err != nil {
			return
		}
		switch {
		case l.Question != nil:
			go func() {
				answers, err := d.opts.Ask(context.Background(), *l.Question)
				_ = d.run.send(line{ID: l.ID, Answers: answers, Err: encode(err)})
			}()
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
	if d.run == nil || !keepable(t) {
		return alone()
	}
	c, err := open(d.path, request{Op: "dial", Run: d.name, Target: absolute(t), Fresh: fresh}, patience)
	if err != nil {
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
	if d.run == nil {
		return
	}
	if c, err := open(d.path, request{Op: "forgive", Run: d.name, Target: absolute(t)}, patience); err == nil {
		var l line
		_ = c.receive(&l)
		_ = c.Close()
	}
}

// Close ends what this process has begun. The connections stay.
func (d *Dialer) Close() error {
	<-d.ready
	if d.run != nil {
		_ = d.run.Close()
	}
	return d.own.Close()
}

// lastStats are asked for by one at a time.
type lastStats struct {
	mu sync.Mutex
	s  transport.Stats
}
