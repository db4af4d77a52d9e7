package transport

import (
	"io"
	"sync"
)

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
	lead    []byte         // goes to the command attached before what is kept
	turn    int            // counts attachments
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

// attach sends lead, and then what was and will be written, from the beginning, to w, which may be the one that is
// attached: it gets that once more.
func (r *replay) attach(w io.WriteCloser, lead string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settled { // the agent has answered: whoever attaches now has come too late
		return
	}
	r.to, r.sent, r.lead = w, 0, []byte(lead)
	r.turn++
	r.pumpLocked()
}

// settle says that the command attached is the right one.
func (r *replay) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled = true
	r.pumpLocked() // may have to close
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
		to, turn, lead := r.to, r.turn, len(r.lead) > 0
		part := r.lead
		if !lead {
			part = r.kept[r.sent:]
		}
		if len(part) == 0 {
			if r.closed && r.settled { // before, a password may have to follow
				r.mu.Unlock()
				_ = to.Close()
				r.mu.Lock()
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
		case turn != r.turn: // another has taken its place, or it begins anew
		case err == nil && lead:
			r.lead = r.lead[n:]
		case err == nil:
			r.sent += n
		case r.settled:
			r.err = err
		default: // the command is not the agent: wait for the next one
			r.sent, r.lead = len(r.kept), nil
			return
		}
	}
}
