package transport_test

import (
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
