package transport

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// scanHello reads up to AgentMagic and returns a reader that begins with it, or
// the line that says the agent is missing.
func scanHello(r io.Reader) (io.Reader, *missingAgent, error) {
	var seen []byte
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		seen = append(seen, buf[:n]...)
		if i := bytes.Index(seen, []byte(AgentMagic)); i >= 0 {
			return io.MultiReader(bytes.NewReader(seen[i:]), r), nil, nil
		}
		if m := findMissing(seen); m != nil {
			return nil, m, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(seen) > noiseLimit {
			return nil, nil, fmt.Errorf("login scripts of the machine print more than %d bytes, beginning with %q", noiseLimit, seen[:80])
		}
	}
}

// findMissing parses the line of findScript, once all of it is there.
func findMissing(seen []byte) *missingAgent {
	i := bytes.Index(seen, []byte(missingPrefix))
	if i < 0 {
		return nil
	}
	text, _, whole := strings.Cut(string(seen[i+len(missingPrefix):]), "\n")
	if !whole {
		return nil
	}
	machine, rest, _ := strings.Cut(text, " ")
	dir, rest, ok := strings.Cut(rest, " unpack=")
	if !ok {
		return nil
	}
	programs, tried, _ := strings.Cut(rest, " ")
	return &missingAgent{machine: machine, dir: dir, tried: tried,
		unpack: strings.FieldsFunc(programs, func(r rune) bool { return r == ',' })}
}

// replay is the standard input of a command that may have to be started twice.
// Until the first answer it keeps what is written, besides passing it on; what
// a command that turned out not to be the agent has swallowed is written again
// to the next one.
type replay struct {
	limit int

	mu      sync.Mutex
	changed sync.Cond
	kept    []byte
	sent    int            // of kept, to the command attached
	to      io.WriteCloser // attached, may be nil
	closed  bool           // by the writer
	settled bool           // the agent answered: kept is not needed any more
	err     error
	pumping bool // a goroutine is sending kept
}

func newReplay(limit int) *replay {
	r := &replay{limit: limit}
	r.changed.L = &r.mu
	return r
}

// Write returns as soon as p is remembered, or after the first answer when it
// is sent.
func (r *replay) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil && !r.settled && len(r.kept) > 0 && len(r.kept)+len(p) > r.limit {
		r.changed.Wait()
	}
	for r.err == nil && r.settled && (r.pumping || r.sent < len(r.kept)) { // keep the order
		r.changed.Wait()
	}
	switch {
	case r.err != nil:
		return 0, r.err
	case r.closed:
		return 0, io.ErrClosedPipe
	case r.settled:
		to := r.to
		r.mu.Unlock()
		n, err := to.Write(p)
		r.mu.Lock()
		return n, err
	}
	r.kept = append(r.kept, p...)
	r.pumpLocked()
	return len(p), nil
}

// Close is the end of file, once all is sent.
func (r *replay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.settled && !r.pumping {
		return r.to.Close()
	}
	r.pumpLocked()
	return nil
}

// attach sends what was and will be written to w, from the beginning.
func (r *replay) attach(w io.WriteCloser) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to, r.sent = w, 0
	r.pumpLocked()
}

// settle says that the command attached is the right one.
func (r *replay) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled = true
	if !r.pumping {
		r.kept, r.sent = nil, 0
	}
	r.changed.Broadcast()
}

func (r *replay) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	r.changed.Broadcast()
}

// pumpLocked sees to it that a goroutine sends what is kept. It ends when
// nothing is left to send.
func (r *replay) pumpLocked() {
	if !r.pumping && r.to != nil {
		r.pumping = true
		go r.pump()
	}
}

func (r *replay) pump() {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.changed.Broadcast()
	defer func() { r.pumping = false }()
	for r.err == nil {
		to, part := r.to, r.kept[r.sent:]
		if len(part) == 0 {
			if r.closed {
				r.mu.Unlock()
				_ = to.Close()
				r.mu.Lock()
				if to != r.to {
					continue
				}
			}
			if r.settled {
				r.kept, r.sent = nil, 0
			}
			return
		}
		r.mu.Unlock()
		n, err := to.Write(part)
		r.mu.Lock()
		switch {
		case to != r.to: // another command has taken its place
		case err == nil:
			r.sent += n
		case r.settled:
			r.err = err
		default: // the command is not the agent: wait for the next one
			r.sent = len(r.kept)
			return
		}
	}
}
