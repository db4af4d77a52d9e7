package bench

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The round-trip times at which the runs are timed: none and a long one to count round trips by, and the one of the
// target in between.
const (
	longRTT   = 250 * time.Millisecond
	targetRTT = 50 * time.Millisecond
	attempts  = 3
)

// BenchmarkWire puts the jump host at the far end of a long wire and counts what a play with nothing to do costs there
// next to a bare ssh. Both are counted by the clock: (time at 250 ms - time at none) / 250 ms.
func BenchmarkWire(b *testing.B) {
	bed := newTestbed(b, 1, "ssh", labctl.name)
	wire := bed.wire()

	b.Run("ssh", func(b *testing.B) {
		host := hostNames("ssh", 1)[0]
		config := bed.write("wire", fmt.Sprintf("Host %s\n  HostName %s\n  Port 22\n\nHost *\n  Include %s/plain\n", jump, FarAddress, bed.dir))
		benchWire(b, wire, "ssh -J jump host true", func() *exec.Cmd {
			return exec.Command("ssh", "-F", config, "-o", "BatchMode=yes", host, "true")
		}, nil)
	})
	b.Run("labctl", func(b *testing.B) {
		if why := labctlMissing(); why != "" {
			b.Fatal(why)
		}
		hosts := hostNames(labctl.name, 1)
		site := bed.write("wire.hcl", labctlHosts(bed, FarAddress+":22", hosts)+labctlPlay(hosts))
		play := func() *exec.Cmd { return labctlCommand(bed, "play", "-F", "none", "-v", site) }
		_, out := timed(b, wire.Near.Run, play())
		checkRecap(b, out, hosts, nItems)
		benchWire(b, wire, "labctl", play, func(out string) string {
			checkRecap(b, out, hosts, 0)
			return "50 tasks; own count: host " + ownCount(out)
		})
	})
}

// wire lays a wire whose far end is in the jump host itself, so that nothing but the wire is between its sshd and a
// client at the near end.
func (t *testbed) wire() *Wire {
	t.Helper()
	far, err := OpenNamespace(t.host(jump).NetNS)
	if err != nil {
		t.Fatal(err)
	}
	return newWire(t, far)
}

// benchWire times a command at each length of the wire.
func benchWire(b *testing.B, w *Wire, tool string, cmd func() *exec.Cmd, check func(out string) (note string)) {
	note := ""
	at := func(rtt time.Duration) time.Duration {
		w.SetRTT(rtt)
		return fastest(attempts, func() time.Duration {
			took, out := timed(b, w.Near.Run, cmd())
			if check != nil {
				note = check(out)
			}
			return took
		})
	}
	none, target, long := at(0), at(targetRTT), at(longRTT)
	trips := (long - none).Seconds() / longRTT.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(trips, "round-trips")
	b.ReportMetric(target.Seconds(), "s-at-50ms")
	if note != "" {
		note = "; " + note
	}
	found.add(figure{Case: "no-op, RTT 0 ms", Tool: tool, Hosts: 1, Second: none})
	found.add(figure{Case: "no-op, RTT 50 ms", Tool: tool, Hosts: 1, Second: target})
	found.add(figure{Case: "no-op, RTT 250 ms", Tool: tool, Hosts: 1, Second: long, Note: fmt.Sprintf("%.1f round trips%s", trips, note)})
}

// tripCount is how labctl's recap with -v says what a connection has cost.
var tripCount = regexp.MustCompile(`round trips (\d+)`)

// ownCount is what labctl counted itself: on the connection to the host, and on the one to its jump host, which
// carries that.
func ownCount(out string) string {
	var counts []string
	for _, m := range tripCount.FindAllStringSubmatch(out, -1) {
		counts = append(counts, m[1])
	}
	return strings.Join(counts, ", jump ")
}
