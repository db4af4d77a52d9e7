package persist

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"labctl/transport"
)

// Server owns connections and serves them.
type Server struct {
	keep *transport.Keep

	mu    sync.Mutex
	runs  map[string]*run
	holds map[string]*hold
	seen  time.Time // the last request
}

// run is one process of labctl.
type run struct {
	pool *transport.Pool
	c    *channel

	mu    sync.Mutex
	asked map[int]chan line
	last  int
	gone  context.Context
}

// hold is one process's hold on a connection.
type hold struct {
	run  *run
	t    *transport.Target
	mu   sync.Mutex
	conn transport.Conn
}

// Grace is how long a server without connections waits for a client.
const grace = 3 * time.Second

// Serve answers at l until it holds no connection any more, or the socket at path is not its own any more.
func Serve(l net.Listener, socket string) {
	s := &Server{keep: transport.NewKeep(), runs: map[string]*run{}, holds: map[string]*hold{}, seen: time.Now()}
	own, _ := os.Stat(socket)
	go func() {
		for range time.Tick(200 * time.Millisecond) {
			now, err := os.Stat(socket)
			lost := err != nil || !os.SameFile(own, now)
			if lost {
				s.keep.End(func(string) bool { return true })
			}
			if s.idle() || lost {
				if !lost {
					_ = os.Remove(socket)
				}
				_ = l.Close()
				return
			}
		}
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !ours(c) {
			_ = c.Close()
			continue
		}
		s.mu.Lock()
		s.seen = time.Now()
		s.mu.Unlock()
		go s.handle(newChannel(c))
	}
}

func (s *Server) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs) == 0 && len(s.keep.List()) == 0 && time.Since(s.seen) > grace
}

func (s *Server) handle(c *channel) {
	defer c.Close()
	var q request
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if err := c.receive(&q); err != nil {
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if err := c.send(line{Heard: true}); err != nil {
		return
	}
	if err := s.answer(c, &q); err != nil {
		_ = c.send(line{Err: encode(err)})
	}
}

func (s *Server) answer(c *channel, q *request) error {
	switch q.Op {
	case "run":
		return s.run(c, q)
	case "list":
		return c.send(line{List: s.keep.List()})
	case "close":
		return c.send(line{Count: s.keep.End(func(name string) bool {
			return slices.ContainsFunc(q.Pattern, func(p string) bool { ok, _ := path.Match(p, name); return ok })
		})})
	case "dial", "forgive":
		s.mu.Lock()
		r := s.runs[q.Run]
		s.mu.Unlock()
		switch {
		case r == nil || q.Target == nil:
			return errors.New("this run is not known")
		case q.Op == "forgive":
			r.pool.Forgive(q.Target)
			return c.send(line{})
		}
		return s.dial(c, r, q)
	}
	s.mu.Lock()
	h := s.holds[q.Hold]
	s.mu.Unlock()
	if h == nil {
		return errors.New("this connection is not known")
	}
	switch q.Op {
	case "stats":
		stats := h.get().Stats()
		return c.send(line{Stats: &stats})
	case "start":
		return h.start(c, q)
	case "subsystem":
		rw, err := again(h, func(ctx context.Context, c transport.Channels) (io.ReadWriteCloser, error) {
			return c.Subsystem(ctx, q.Text)
		})
		return carry(c, rw, err)
	case "forward":
		rw, err := again(h, func(ctx context.Context, c transport.Channels) (io.ReadWriteCloser, error) {
			return c.(transport.Forwarder).Forward(ctx, q.Text)
		})
		return carry(c, rw, err)
	}
	return fmt.Errorf("there is no operation %q", q.Op)
}

// run lives as long as its process.
func (s *Server) run(c *channel, q *request) error {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{c: c, asked: map[int]chan line{}, gone: ctx}
	o := transport.Options{Keep: s.keep, Logf: func(f string, args ...any) {
		if ctx.Err() == nil {
			_ = c.send(line{Log: fmt.Sprintf(f, args...)})
		}
	}}
	if q.Ask {
		o.Ask = r.ask
	}
	r.pool = transport.NewPool(o)
	name := rand.Text()
	s.mu.Lock()
	s.runs[name] = r
	s.mu.Unlock()
	defer func() {
		cancel()
		s.mu.Lock()
		delete(s.runs, name)
		s.mu.Unlock()
		r.pool.Retire()
	}()
	if err := c.send(line{Name: name}); err != nil {
		return nil
	}
	for {
		var l line
		if err := c.receive(&l); err != nil {
			return nil
		}
		r.mu.Lock()
		to := r.asked[l.ID]
		delete(r.asked, l.ID)
		r.mu.Unlock()
		if to != nil {
			to <- l
		}
	}
}

// ask has the run's own process ask the user.
func (r *run) ask(ctx context.Context, q transport.Question) ([]string, error) {
	r.mu.Lock()
	r.last++
	id, answer := r.last, make(chan line, 1)
	r.asked[id] = answer
	r.mu.Unlock()
	if err := r.c.send(line{ID: id, Question: &q}); err != nil {
		return nil, err
	}
	select {
	case l := <-answer:
		return l.Answers, l.Err.decode()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-r.gone.Done():
		return nil, errors.New("nobody is there to ask any more")
	}
}

// dial lives as long as the client's hold on the connection.
func (s *Server) dial(c *channel, r *run, q *request) error {
	ctx, cancel := context.WithCancel(r.gone)
	defer cancel()
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, c)
		cancel()
		close(gone)
	}()
	dial := r.pool.Dial
	if q.Fresh {
		dial = r.pool.DialFresh
	}
	conn, err := dial(ctx, q.Target)
	if err != nil {
		return err
	}
	h, name := &hold{run: r, t: q.Target, conn: conn}, rand.Text()
	s.mu.Lock()
	s.holds[name] = h
	s.mu.Unlock()
	if c.send(line{Name: name}) == nil {
		select {
		case <-gone:
		case <-r.gone.Done():
		}
	}
	s.mu.Lock()
	delete(s.holds, name)
	s.mu.Unlock()
	return h.get().Close()
}

func (h *hold) get() transport.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conn
}

// again does begin, and once more over a new connection where the kept one turned out to be dead: then nothing has
// happened yet.
func again[T any](h *hold, begin func(context.Context, transport.Channels) (T, error)) (T, error) {
	conn, ok := h.get().(transport.Channels)
	if !ok {
		var none T
		return none, errors.New("this connection cannot be kept")
	}
	out, err := begin(h.run.gone, conn)
	if err == nil || conn.Alive() {
		return out, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn == transport.Conn(conn) {
		fresh, dialErr := h.run.pool.Dial(h.run.gone, h.t)
		if dialErr != nil {
			return out, dialErr
		}
		_ = conn.Close()
		h.conn = fresh
	}
	return begin(h.run.gone, h.conn.(transport.Channels))
}

// carry moves bytes both ways until both ends are done.
func carry(c *channel, rw io.ReadWriteCloser, err error) error {
	if err != nil {
		return err
	}
	if err := c.send(line{}); err != nil {
		return rw.Close()
	}
	go func() {
		_, _ = io.Copy(rw, c)
		_ = rw.Close()
	}()
	_, _ = io.Copy(c, rw)
	return rw.Close()
}

// start runs a command and carries its streams. It is cut off with the client.
func (h *hold) start(c *channel, q *request) error {
	p, err := again(h, func(ctx context.Context, conn transport.Channels) (*transport.Process, error) {
		if tty, ok := conn.(transport.TTYStarter); ok && q.TTY {
			return tty.StartTTY(ctx, q.Text)
		}
		return conn.Start(ctx, q.Text)
	})
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // it has ended
	if err := c.send(line{}); err != nil {
		return nil
	}
	go func() {
		buf := make([]byte, maxFrame)
		for {
			kind, b, err := c.next(buf)
			switch {
			case err != nil: // the client has gone
				_ = p.Close()
				return
			case kind == frameInput && len(b) == 0:
				_ = p.Stdin.Close()
			case kind == frameInput:
				_, _ = p.Stdin.Write(b)
			}
		}
	}()
	p.StderrTo(frames{c, frameErrors})
	_, err = io.Copy(frames{c, frameOutput}, p.Stdout)
	end, _ := json.Marshal(encode(err))
	_ = c.frame(frameEOF, end)
	status, err := p.Wait()
	end, _ = json.Marshal(exit{Status: status, Err: encode(err)})
	_ = c.frame(frameExit, end)
	return nil
}
