package relay

import (
	"io"
	"sync"
)

// enough is how much may wait to be written before more is read from connections, in bytes.
const enough = 256 << 10

// output is written by a goroutine of its own: what takes in packets must never wait for the peer to take some, who may be
// waiting for the same.
type output struct {
	w    io.Writer
	done chan struct{}

	mu      sync.Mutex
	changed sync.Cond
	queued  []byte
	closed  bool
}

func newOutput(w io.Writer) *output {
	o := &output{w: w, done: make(chan struct{})}
	o.changed.L = &o.mu
	go o.write()
	return o
}

func (o *output) write() {
	defer close(o.done)
	var spare []byte
	for {
		o.mu.Lock()
		for len(o.queued) == 0 && !o.closed {
			o.changed.Wait()
		}
		p := o.queued
		if len(p) == 0 {
			o.mu.Unlock()
			return
		}
		o.queued = spare[:0]
		o.changed.Broadcast()
		o.mu.Unlock()
		if _, err := o.w.Write(p); err != nil {
			o.mu.Lock()
			o.queued, o.closed = nil, true // the input ends, too
			o.changed.Broadcast()
			o.mu.Unlock()
			return
		}
		spare = p
	}
}

// raw queues bytes as they are.
func (o *output) raw(parts ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		for _, p := range parts {
			o.queued = append(o.queued, p...)
		}
		o.changed.Broadcast()
	}
}

// frame queues the parts behind their length.
func (o *output) frame(parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	o.raw(append([][]byte{u32(uint32(n))}, parts...)...)
}

// packet queues a message, without padding.
func (o *output) packet(kind byte, parts ...[]byte) {
	o.frame(append([][]byte{{0, kind}}, parts...)...)
}

// room waits until not too much is queued.
func (o *output) room() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queued) > enough && !o.closed {
		o.changed.Wait()
	}
}

// close lets what is queued be written, and what waits for room go on.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	o.changed.Broadcast()
	o.mu.Unlock()
}
