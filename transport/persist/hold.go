package persist

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
)

// hold is one process's hold on a connection.
type hold struct {
	run *run
	t   *transport.Target

	mu     sync.Mutex
	conn   transport.Conn
	before []transport.Conn // in its place before
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
	return h.close()
}

func (h *hold) get() transport.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conn
}

// again does begin, and once more over a new connection where nothing has happened yet: the kept one turned out to be dead, or
// others have as many sessions on it as the server allows (MaxSessions in sshd_config(5)).
func again[T any](h *hold, begin func(context.Context, transport.Channels) (T, error)) (T, error) {
	conn, ok := h.get().(transport.Channels)
	if !ok {
		var none T
		return none, errors.New("this connection cannot be kept")
	}
	out, err := begin(h.run.gone, conn)
	var refused *ssh.OpenChannelError
	full := errors.As(err, &refused) && conn.Alive() && conn.Shared()
	if err == nil || conn.Alive() && !full {
		return out, err
	}
	if dialErr := h.replace(conn, full); dialErr != nil {
		if full {
			return out, err
		}
		return out, dialErr
	}
	return begin(h.run.gone, h.get().(transport.Channels))
}

// replace puts another connection in the place of old, unless somebody has done so already; with own, one that is nobody
// else's. What runs on the old one goes on.
func (h *hold) replace(old transport.Conn, own bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != old {
		return nil
	}
	dial := h.run.pool.Dial
	if own {
		dial = h.run.pool.DialFresh
	}
	fresh, err := dial(h.run.gone, h.t)
	if err != nil {
		return err
	}
	h.before, h.conn = append(h.before, old), fresh
	return nil
}

func (h *hold) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.before {
		_ = c.Close()
	}
	return h.conn.Close()
}

// carry moves bytes both ways until both ends are done. Once it has begun there is no way to tell of an error but to end.
func carry(c *channel, rw io.ReadWriteCloser, err error) error {
	if err != nil {
		return err
	}
	defer rw.Close()
	if err := c.send(line{}); err != nil {
		return nil
	}
	go func() {
		_, err := io.Copy(rw, c)
		half, ok := rw.(interface{ CloseWrite() error })
		if err != nil || !ok || half.CloseWrite() != nil {
			_ = rw.Close()
		}
	}()
	_, _ = io.Copy(c, rw)
	return nil
}

// start runs a command and carries its streams. It is cut off with the client.
func (h *hold) start(c *channel, q *request) error {
	gate := sync.OnceValue(func() error {
		if !q.Gated {
			return nil
		}
		var l line
		return c.receive(&l)
	})
	p, err := again(h, func(ctx context.Context, conn transport.Channels) (*transport.Process, error) {
		return conn.StartGated(ctx, q.Text, q.TTY, gate)
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
