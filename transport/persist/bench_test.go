//go:build unix

package persist_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// BenchmarkRun is a run that executes one command on a machine behind a jump host: cold, with both logins, and warm, over what
// the run before has left. The wire leads to the jump host.
func BenchmarkRun(b *testing.B) {
	for _, rtt := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run("rtt="+rtt.String(), func(b *testing.B) {
			dir, target, _ := bed(b)
			if rtt > 0 {
				behind(b, target.Via, rtt)
			}
			b.Run("cold", func(b *testing.B) {
				for b.Loop() {
					p := transport.NewPool(transport.Options{})
					execute(b, p, target)
				}
			})
			execute(b, newDialer(dir, transport.Options{}), target)
			b.Run("warm", func(b *testing.B) {
				for b.Loop() {
					execute(b, newDialer(dir, transport.Options{}), target)
				}
			})
		})
	}
}

// behind puts a wire in front of a machine.
func behind(b *testing.B, t *transport.Target, rtt time.Duration) {
	wire := transporttest.NewWire(b, net.JoinHostPort(t.Address, strconv.Itoa(t.Port)), rtt/2)
	t.HostKeyPolicy = transport.PolicyOff // the port is another
	_, port, _ := net.SplitHostPort(wire.Addr)
	t.Port, _ = strconv.Atoi(port)
}

func execute(b *testing.B, d transport.Dialer, t *transport.Target) {
	c, err := d.Dial(b.Context(), t)
	if err != nil {
		b.Fatal(err)
	}
	if said(b, c, "echo done") != "done" {
		b.Error("it has not run")
	}
	_, _ = c.Close(), d.Close()
}
