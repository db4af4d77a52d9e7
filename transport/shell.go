package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

var _ Sheller = (*sshConn)(nil)

// Sheller is a Conn that can run what a person sits in front of.
type Sheller interface {
	// Shell runs s and returns its exit status when it has ended and all of its output is written. The error is not
	// nil, and the status -1, when there is none: the connection was lost, the context ended, the server would not, or
	// a signal killed the command (*SignalError). The goroutine that reads Stdin may outlive the call, since a read
	// from a terminal cannot be called off; what it reads then is lost.
	Shell(ctx context.Context, s Session) (status int, err error)
}

// Session is a command with the streams of this side.
type Session struct {
	Command string // for the user's login shell; empty: the login shell itself
	// Terminal, if not nil, gives the command a terminal of its own. Its standard error is then Stdout.
	Terminal *Terminal
	// Env is asked for, as NAME=value; a server passes over what its AcceptEnv does not name.
	Env            []string
	Stdin          io.Reader // nil is the end of file at once
	Stdout, Stderr io.Writer // nil discards
}

// Terminal is what the far side is to know of ours (RFC 4254, section 6.2).
type Terminal struct {
	Type string // $TERM
	Size
	Modes map[uint8]uint32 // those of section 8, by their opcodes; nil leaves them to the server
	// Resize tells of new sizes of the window until it is closed; nil: there are none.
	Resize <-chan Size
}

// Size of a terminal, in characters.
type Size struct{ Rows, Cols int }

// Shell implements Sheller.
func (c *sshConn) Shell(ctx context.Context, s Session) (int, error) {
	ch, reqs, err := c.session(ctx)
	if err != nil {
		return -1, err
	}
	defer ch.Close() //nolint:errcheck // the server may have closed it
	r := NewResult()
	stop := context.AfterFunc(ctx, func() { // the server need not confirm the end while the command lives
		r.Finish(-1, context.Cause(ctx))
		_ = ch.Close()
	})
	defer stop()
	c.link.pool.wg.Go(func() { // before the requests: their answers come on the same connection
		status, err := exitStatus(reqs)
		if errors.Is(err, errNoStatus) {
			err = c.link.ended()
		}
		r.Finish(status, err)
	})
	if err := s.begin(ch); err != nil {
		return -1, fmt.Errorf("start shell on %s: %w", c.link.target.Name, causeOf(ctx, c.link.lost(err)))
	}
	s.carry(ctx, c, ch, r)
	return r.Wait()
}

// begin asks for the terminal, the environment and the command. Only the answers that matter are waited for.
func (s *Session) begin(ch ssh.Channel) error {
	if t := s.Terminal; t != nil {
		ok, err := ch.SendRequest("pty-req", true, t.request())
		if err == nil && !ok {
			err = errors.New("the server gives no terminal: see PermitTTY in its sshd_config and no-pty in authorized_keys")
		}
		if err != nil {
			return err
		}
	}
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		if _, err := ch.SendRequest("env", false, ssh.Marshal(struct{ Name, Value string }{name, value})); err != nil {
			return err
		}
	}
	kind, payload := "exec", ssh.Marshal(struct{ Command string }{s.Command})
	if s.Command == "" {
		kind, payload = "shell", nil
	}
	ok, err := ch.SendRequest(kind, true, payload)
	if err == nil && !ok {
		err = errors.New("the server runs no command for this user")
	}
	return err
}

// carry moves the streams, and returns when the command has said its last, or with ctx.
func (s *Session) carry(ctx context.Context, c *sshConn, ch ssh.Channel, r *Result) {
	go func() { // may outlive the session
		if s.Stdin != nil {
			_, _ = io.Copy(&sessionStdin{ch: ch, result: r}, s.Stdin)
		}
		_ = ch.CloseWrite()
	}()
	if t := s.Terminal; t != nil && t.Resize != nil {
		c.link.pool.wg.Go(func() { t.resize(ch, r.done) })
	}
	said := make(chan struct{}, 2)
	for w, from := range map[*gate]io.Reader{{w: s.Stdout}: ch, {w: s.Stderr}: ch.Stderr()} {
		defer w.shut()
		c.link.pool.wg.Go(func() { // ends with the channel, which may be later than ctx
			if _, err := io.Copy(w, from); err != nil && !isDone(r.done) { // nobody reads it any more
				r.Finish(-1, c.link.lost(err))
				_ = ch.Close()
			}
			said <- struct{}{}
		})
	}
	for range 2 {
		select {
		case <-said:
		case <-ctx.Done():
			return
		}
	}
}

// gate lets through what comes before it is shut.
type gate struct {
	mu   sync.Mutex
	w    io.Writer // nil discards
	over bool
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over || g.w == nil {
		return len(p), nil
	}
	return g.w.Write(p)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
}

func (t *Terminal) resize(ch ssh.Channel, done <-chan struct{}) {
	for {
		select {
		case size, ok := <-t.Resize:
			if !ok {
				return
			}
			_, _ = ch.SendRequest("window-change", false, ssh.Marshal(size.request()))
		case <-done:
			return
		}
	}
}

type windowSize struct{ Cols, Rows, Width, Height uint32 }

func (s Size) request() windowSize {
	return windowSize{Cols: uint32(max(s.Cols, 0)), Rows: uint32(max(s.Rows, 0))}
}

func (t *Terminal) request() []byte {
	var modes []byte
	for _, code := range slices.Sorted(maps.Keys(t.Modes)) {
		modes = append(modes, ssh.Marshal(struct {
			Code  uint8
			Value uint32
		}{code, t.Modes[code]})...)
	}
	size := t.Size.request()
	return ssh.Marshal(struct {
		Type                      string
		Cols, Rows, Width, Height uint32
		Modes                     string
	}{t.Type, size.Cols, size.Rows, 0, 0, string(append(modes, 0))}) // TTY_OP_END
}
