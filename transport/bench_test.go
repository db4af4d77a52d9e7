package transport_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// behindJump is a server behind a jump host. The wire between here and the jump has a delay in each direction.
func behindJump(b *testing.B, delay time.Duration) (*transport.Target, *transporttest.SSHD) {
	me := newLogin(b)
	jump := transporttest.NewSSHD(b, me.keys())
	s := transporttest.NewSSHD(b, me.keys())
	target := me.target(b, "a", s.Addr, s.HostKey)
	target.Via = me.target(b, "jump", jump.Addr, jump.HostKey)
	target.Via.Dial = transporttest.NewWire(b, jump.Addr, delay).Addr
	return target, s
}

// BenchmarkColdThroughJump counts round trips from nothing to the end of a
// command behind a jump host: the wire between here and the jump has a delay,
// the rest none, and what it takes without delay is subtracted. The wire hides
// one round trip, that of TCP. The OpenSSH client needs 15.6.
func BenchmarkColdThroughJump(b *testing.B) {
	const rtt = 200 * time.Millisecond
	setup := func(b *testing.B, delay time.Duration) func() transport.Stats {
		target, _ := behindJump(b, delay)
		return func() transport.Stats {
			p := transport.NewPool(transport.Options{Logf: b.Logf})
			defer p.Close()
			c := dial(b, p, target)
			run(b, c, "true", "")
			return c.Stats()
		}
	}
	var base time.Duration
	b.Run("0ms", func(b *testing.B) {
		cold := setup(b, 0)
		base = fastest(b, func() { cold() })
	})
	b.Run(fmt.Sprint(rtt), func(b *testing.B) {
		cold := setup(b, rtt/2)
		var s transport.Stats
		took := fastest(b, func() { s = cold() })
		b.ReportMetric(float64(took-base)/float64(rtt), "RTTs")
		b.ReportMetric(float64(s.RoundTrips+s.Via.RoundTrips), "counted-turns")
	})
}

// BenchmarkWarm is a command on a connection that is there: open and exec.
func BenchmarkWarm(b *testing.B) {
	const rtt = 100 * time.Millisecond
	for _, delay := range []time.Duration{0, rtt / 2} {
		b.Run(fmt.Sprint(2*delay), func(b *testing.B) {
			target, _ := behindJump(b, delay)
			c := dial(b, newPool(b, transport.Options{}), target)
			took := fastest(b, func() { run(b, c, "true", "") })
			b.ReportMetric(float64(took)/float64(rtt), "RTTs")
		})
	}
}

// BenchmarkFirstReply is the time from nothing until an agent behind a jump
// has answered what was written before it ran.
func BenchmarkFirstReply(b *testing.B) {
	const rtt = 200 * time.Millisecond
	for _, push := range []bool{false, true} {
		b.Run(fmt.Sprintf("push=%v", push), func(b *testing.B) {
			var base time.Duration
			for _, delay := range []time.Duration{0, rtt / 2} {
				target, s := behindJump(b, delay)
				bin := newBins(b)
				took := fastest(b, func() {
					if push {
						b.StopTimer()
						removeAll(b, s.Home+"/.cache/labctl")
						b.StartTimer()
					}
					p := transport.NewPool(transport.Options{})
					defer p.Close()
					agent, err := transport.StartAgent(b.Context(), dial(b, p, target), bin, transport.AgentOptions{})
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.WriteString(agent.Stdin, "ping")
					buf := make([]byte, len(greeting("ping")))
					if _, err := io.ReadFull(agent.Stdout, buf); err != nil {
						b.Fatal(err)
					}
				})
				if delay == 0 {
					base = took
					if !push {
						continue
					}
				}
				b.ReportMetric(float64(base.Milliseconds()), "ms-at-0")
				b.ReportMetric(float64(took-base)/float64(rtt), "RTTs")
			}
		})
	}
}

// fastest runs f at least five times.
func fastest(b *testing.B, f func()) time.Duration {
	best := time.Hour
	for range 5 {
		begin := time.Now()
		f()
		best = min(best, time.Since(begin))
	}
	return best
}
