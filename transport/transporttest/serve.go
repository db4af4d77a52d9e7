package transporttest

import (
	"net"
	"testing"
)

// Serve listens on 127.0.0.1 until the test ends and calls answer with each connection, which it closes afterwards. It returns
// where it listens.
func Serve(t testing.TB, answer func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				answer(c)
			}()
		}
	}()
	return l.Addr().String()
}
