package bench

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Relay hands every connection that arrives at a listener to an address of this computer. It stands at the far end of
// a wire, next to the sandbox's own entry, so what is beyond it costs no delay.
type Relay struct {
	listener net.Listener
	to       string
	serving  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // nil: closed
}

// NewRelay begins to serve l.
func NewRelay(l net.Listener, to string) *Relay {
	r := &Relay{listener: l, to: to, conns: map[net.Conn]bool{}}
	r.serving.Go(r.serve)
	return r
}

// Close ends the relay and cuts what goes through it.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.mu.Lock()
	for c := range r.conns {
		err = errors.Join(err, c.Close())
	}
	r.conns = nil
	r.mu.Unlock()
	r.serving.Wait()
	return err
}

func (r *Relay) serve() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.serving.Go(func() { r.carry(in) })
	}
}

func (r *Relay) carry(in net.Conn) {
	out, err := net.Dial("tcp", r.to)
	if err != nil || !r.track(in, out) {
		in.Close()
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
	r.untrack(in, out)
}

// track remembers connections for Close; false if it has come and gone.
func (r *Relay) track(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		if r.conns == nil {
			c.Close()
			continue
		}
		r.conns[c] = true
	}
	return r.conns != nil
}

func (r *Relay) untrack(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		if r.conns[c] {
			c.Close()
			delete(r.conns, c)
		}
	}
}
