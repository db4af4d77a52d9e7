package transport_test

import (
	"io"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// Where a connection has one session at a time, the agent's commands come one after another: whether the end of one is known
// here before the next is asked for, or not, or only here.
func TestPushWithOneSession(t *testing.T) {
	for name, rtt := range map[string]time.Duration{"near": 0, "far": 60 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			me := newLogin(t)
			s := transporttest.NewSSHD(t, me.keys(), "MaxSessions 1")
			target := me.target(t, "box", s.Addr, s.HostKey)
			if rtt > 0 {
				target.Dial = transporttest.NewWire(t, s.Addr, rtt/2).Addr
			}
			c, b := dial(t, newPool(t, transport.Options{}), target), newBins(t)
			for range 10 {
				if got, err := talk(t, c, b, transport.AgentOptions{}, "frames"); err != nil || got != greeting("frames") {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if len(b.opened) != 1 {
				t.Errorf("pushed %d times", len(b.opened))
			}
		})
	}
}

// A command that outlives its session is counted by sshd until it ends: what comes in its place waits for that.
func TestSessionInPlace(t *testing.T) {
	t.Parallel()
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys(), "MaxSessions 1")
	c := dial(t, newPool(t, transport.Options{}), me.target(t, "box", s.Addr, s.HostKey))
	p, err := c.Start(t.Context(), "trap '' HUP PIPE; echo there; sleep 0.5")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(p.Stdout, make([]byte, len("there\n"))); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	start := func() (*transport.Process, error) { return c.Start(t.Context(), "true") }
	if _, err := start(); !transport.NoSession(err) {
		t.Fatalf("%v; want a refusal: this is what the rest is about", err)
	}
	p, err = transport.InPlace(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(); status != 0 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}
