package linux

import (
	"net"
	"os/exec"
	"testing"
)

// A connection that the far end has closed first stays in TIME_WAIT for a minute; the next probe to the port listens all the
// same. Where somebody else listens, it does not.
func TestListenAgain(t *testing.T) {
	h := freshHost(t)
	if err := exec.Command("ip", "link", "set", "lo", "up").Run(); err != nil { // by this thread, which is in the namespace
		t.Fatal(err)
	}
	n, err := h.net("")
	if err != nil {
		t.Fatal(err)
	}
	answer := func(b []byte) []byte { return b }
	p := n.Probes()
	l, err := p.Listen(t.Context(), "tcp", 5201, answer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Listen(t.Context(), "tcp", 5201, answer); err == nil {
		t.Error("two listen on one port")
	}
	var c net.Conn
	if err := h.inNetNS(n.fd, func() (err error) { c, err = net.Dial("tcp", "127.0.0.1:5201"); return err }); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Read(b)
	_ = l.Close()
	_, _ = c.Read(b) // until the far end has closed
	_ = c.Close()
	again, err := p.Listen(t.Context(), "tcp", 5201, answer)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
