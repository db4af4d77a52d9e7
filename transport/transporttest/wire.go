package transporttest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Wire is a TCP proxy that delays each direction.
type Wire struct {
	Addr  string
	delay time.Duration
	to    string
}

// NewWire listens on 127.0.0.1 and passes connections on to addr, each byte
// later by delay: a round trip takes twice that. It ends with the test.
//
// The proxy answers the TCP handshake itself, so that one is not delayed.
func NewWire(t testing.TB, addr string, delay time.Duration) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Addr: l.Addr().String(), delay: delay, to: addr}
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

func closeWrite(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
		return
	}
	_ = c.(io.Closer).Close()
}
