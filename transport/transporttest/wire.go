package transporttest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Wire is a TCP proxy that delays each direction, or carries only so much.
type Wire struct {
	Addr  string
	delay time.Duration
	rate  int // bytes a second; 0: as many as come
	to    string
}

// NewWire listens on 127.0.0.1 and passes connections on to addr, each byte
// later by delay: a round trip takes twice that. It ends with the test.
//
// The proxy answers the TCP handshake itself, so that one is not delayed.
func NewWire(t testing.TB, addr string, delay time.Duration) *Wire {
	t.Helper()
	return newWire(t, &Wire{to: addr, delay: delay})
}

// NewSlowWire is NewWire for so many bytes a second in each direction, of which few wait on the way.
func NewSlowWire(t testing.TB, addr string, rate int) *Wire {
	t.Helper()
	return newWire(t, &Wire{to: addr, rate: rate})
}

func newWire(t testing.TB, w *Wire) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Addr = l.Addr().String()
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.join(c, done) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		close(done)
		wg.Wait()
	})
	return w
}

func (w *Wire) join(a net.Conn, done <-chan struct{}) {
	b, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = a.Close()
		return
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-done:
			_ = a.Close()
			_ = b.Close()
		case <-over:
		}
	}()
	var wg sync.WaitGroup
	wg.Go(func() { w.carry(b, a) })
	wg.Go(func() { w.carry(a, b) })
	wg.Wait()
	close(over)
	_ = a.Close()
	_ = b.Close()
}

type chunk struct {
	due  time.Time
	data []byte
}

func (w *Wire) carry(to, from net.Conn) {
	if w.rate > 0 {
		w.trickle(to, from)
		return
	}
	queue := make(chan chunk, 4096)
	go func() {
		defer close(queue)
		ack := func() {}
		if tcp, ok := from.(*net.TCPConn); ok {
			ack = quickAck(tcp) // the wire must not add the 40 ms of a delayed ACK
		}
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			ack()
			if n > 0 {
				queue <- chunk{time.Now().Add(w.delay), buf[:n]}
			}
			if err != nil {
				queue <- chunk{due: time.Now().Add(w.delay)}
				return
			}
		}
	}()
	for c := range queue {
		time.Sleep(time.Until(c.due))
		if c.data == nil {
			closeWrite(to)
			continue
		}
		if _, err := to.Write(c.data); err != nil {
			_ = from.Close()
		}
	}
}

// trickle carries a tenth of a second's worth at a time.
func (w *Wire) trickle(to, from net.Conn) {
	_ = from.(*net.TCPConn).SetReadBuffer(w.rate / 2)
	buf := make([]byte, w.rate/10)
	due := time.Now()
	for {
		n, err := from.Read(buf)
		if due.Before(time.Now()) {
			due = time.Now()
		}
		due = due.Add(time.Duration(n) * time.Second / time.Duration(w.rate))
		time.Sleep(time.Until(due))
		if _, writeErr := to.Write(buf[:n]); writeErr != nil {
			_ = from.Close()
			return
		}
		if err != nil {
			closeWrite(to)
			return
		}
	}
}

func closeWrite(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
		return
	}
	_ = c.(io.Closer).Close()
}
