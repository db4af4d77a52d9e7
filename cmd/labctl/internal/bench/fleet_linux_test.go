package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	fleetTasks = 50
	fleetMost  = 500         // tasks that there are answers to
	fleetMTU   = 1400        // of the first bridge, one more for each
	fleetHost  = "10.90.0.1" // every host of the fleet is the same server, under another name
)

// cost is what a process took.
type cost struct {
	wall, cpu time.Duration
	resident  int64 // most, bytes
}

func (c cost) String() string {
	return fmt.Sprintf("%.1f s of CPU, at most %d MB resident", c.cpu.Seconds(), c.resident/1e6)
}

// costOf runs cmd to its end.
func costOf(b testing.TB, cmd *exec.Cmd) (cost, string) {
	b.Helper()
	took, out := timed(b, here, cmd)
	return spent(cmd, took), out
}

// cheapest is the fastest of several runs, with the most memory that any of them had.
func cheapest(times int, once func() cost) cost {
	best := once()
	for range times - 1 {
		c := once()
		most := max(best.resident, c.resident)
		if c.wall < best.wall {
			best = c
		}
		best.resident = most
	}
	return best
}

// BenchmarkFleet plays to very many hosts, and next to that does nothing but log in to as many with the same library.
func BenchmarkFleet(b *testing.B) {
	if why := labctlMissing(); why != "" {
		b.Fatal(why)
	}
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			fleet := startFleet(b)
			logins := cheapest(attempts, func() cost {
				c, _ := costOf(b, fleet.loginsCommand(b, n))
				return c
			})
			play := cheapest(attempts, func() cost { return fleet.play(b, n) })
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(play.wall.Seconds()/logins.wall.Seconds(), "x-logins")
			b.ReportMetric(play.cpu.Seconds()/logins.cpu.Seconds(), "x-logins-cpu")
			b.ReportMetric(float64(play.resident)/1e6, "max-MB")
			for _, row := range []struct {
				tool string
				cost
			}{{"logins alone", logins}, {labctl.name, play}} {
				found.add(figure{Case: "fleet in memory, 50 tasks", Tool: row.tool, Hosts: n, First: row.wall, Note: row.String()})
			}
		})
	}
}

// play runs labctl on the first n hosts.
func (a fleetAddress) play(b testing.TB, n int) cost {
	b.Helper()
	c, out := costOf(b, a.labctl(b, "play", n, fleetTasks))
	if got := strings.Count(out, fmt.Sprintf(": ok=%d ", fleetTasks)); got != n {
		b.Fatalf("%d hosts have done %d tasks, want %d:\n%s", got, fleetTasks, n, tail(out))
	}
	return c
}

// labctl is a run on the first n hosts.
func (a fleetAddress) labctl(b testing.TB, verb string, n, tasks int) *exec.Cmd {
	b.Helper()
	dir := b.TempDir()
	site := filepath.Join(dir, "site.hcl")
	if err := os.WriteFile(site, []byte(a.site(b, n, tasks)), 0o600); err != nil {
		b.Fatal(err)
	}
	path, err := filepath.Abs(binary)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path, verb, "-F", "none", site)
	cmd.Env = append(os.Environ(), "HOME="+dir, "NO_COLOR=1", "SSH_AUTH_SOCK=", "LABCTL_PERSIST=off")
	return cmd
}

func (a fleetAddress) site(b testing.TB, n, tasks int) string {
	b.Helper()
	address, port, err := net.SplitHostPort(a.Jump)
	if err != nil {
		b.Fatal(err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "ssh {\n  user            = \"root\"\n  identity_file   = %q\n  identities_only = true\n  known_hosts     = %q\n}\n", a.KeyFile, a.KnownHosts)
	fmt.Fprintf(&s, "host %q {\n  address        = %q\n  port           = %s\n  host_key_alias = %q\n}\n", jump, address, port, jump)
	for i := range n {
		fmt.Fprintf(&s, "host \"h%d\" {\n  address        = %q\n  host_key_alias = \"fleet\"\n  jump           = [%q]\n}\n", i, fleetHost, jump)
	}
	s.WriteString("play \"fleet\" {\n  hosts = \"all:!jump\"\n\n")
	for i := range tasks {
		fmt.Fprintf(&s, "  bridge \"br%d\" { mtu = %d }\n", i, fleetMTU+i)
	}
	return s.String() + "}\n"
}
