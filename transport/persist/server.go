package persist

import (
	"context"
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
	keep   *transport.Keep
	agents transport.Agents // for relays

	mu     sync.Mutex
	runs   map[string]*run
	holds  map[string]*hold
	seen   time.Time // when it started
	served bool      // there has been a run
}

// grace is how long a server waits for its first run.
const grace = 3 * time.Second

// Serve answers at l until it holds no connection any more. When the socket at path is not its own any more, those in use are
// the last. agents are what machines with Relay are sent.
func Serve(l net.Listener, socket string, agents transport.Agents) {
	s := &Server{agents: agents, keep: transport.NewKeep(), runs: map[string]*run{}, holds: map[string]*hold{}, seen: time.Now()}
	own, _ := os.Stat(socket)
	go s.accept(l)
	for range time.Tick(200 * time.Millisecond) {
		now, err := os.Stat(socket)
		lost := err != nil || !os.SameFile(own, now)
		s.keep.Sweep(lost)
		if s.idle() || lost && s.unused() {
			if !lost {
				_ = os.Remove(socket)
			}
			_ = l.Close()
			return
		}
	}
}

func (s *Server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no more files: those there are go on
			time.Sleep(50 * time.Millisecond)
		case !ours(c):
			_ = c.Close()
		default:
			go s.handle(newChannel(c))
		}
	}
}

func (s *Server) idle() bool {
	s.mu.Lock()
	waits := !s.served && time.Since(s.seen) < grace
	s.mu.Unlock()
	return !waits && s.unused() && len(s.keep.List()) == 0
}

func (s *Server) unused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs) == 0
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
