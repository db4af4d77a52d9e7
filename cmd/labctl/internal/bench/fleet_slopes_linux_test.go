package bench

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSlopes plans and plays for more and more hosts and tasks. That time and memory grow with their product and no faster
// shows in what an item, a task on a host, costs; first-s is when the first line is printed.
func BenchmarkSlopes(b *testing.B) {
	if why := labctlMissing(); why != "" {
		b.Fatal(why)
	}
	fleet := startFleet(b)
	for _, verb := range []string{"plan", "play"} {
		for _, size := range []struct{ hosts, tasks int }{{250, 500}, {500, 500}, {1000, 500}, {1000, 250}, {1000, 125}} {
			b.Run(fmt.Sprintf("%s/hosts=%d/tasks=%d", verb, size.hosts, size.tasks), func(b *testing.B) {
				c, first := fleet.run(b, verb, size.hosts, size.tasks)
				items := float64(size.hosts * size.tasks)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(first.Seconds(), "first-s")
				b.ReportMetric(c.wall.Seconds(), "wall-s")
				b.ReportMetric(float64(c.cpu.Microseconds())/items, "CPU-us/item")
				b.ReportMetric(float64(c.resident)/1e6, "max-MB")
				found.add(figure{Case: fmt.Sprintf("%s in memory, %d tasks", verb, size.tasks), Tool: labctl.name, Hosts: size.hosts, First: c.wall,
					Note: fmt.Sprintf("first line after %.2f s; %s", first.Seconds(), c)})
			})
		}
	}
}

// run is what a verb costs, and when it printed its first line.
func (a fleetAddress) run(b testing.TB, verb string, hosts, tasks int) (cost, time.Duration) {
	b.Helper()
	cmd := a.labctl(b, verb, hosts, tasks)
	out := &clocked{start: time.Now()}
	var faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &faults
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v\n%s%s", err, tail(out.text.String()), tail(faults.String()))
	}
	want := map[string]string{"plan": fmt.Sprintf("Plan: %d to add", hosts*tasks), "play": fmt.Sprintf(": ok=%d ", tasks)}[verb]
	if !strings.Contains(out.text.String(), want) {
		b.Fatalf("no %q:\n%s", want, tail(out.text.String()))
	}
	return spent(cmd, time.Since(out.start)), out.first
}

func spent(cmd *exec.Cmd, wall time.Duration) cost {
	state := cmd.ProcessState
	return cost{wall, state.UserTime() + state.SystemTime(), state.SysUsage().(*syscall.Rusage).Maxrss * 1024}
}

// clocked notes when the first bytes came.
type clocked struct {
	start time.Time
	first time.Duration
	text  bytes.Buffer
}

func (c *clocked) Write(p []byte) (int, error) {
	if c.first == 0 {
		c.first = time.Since(c.start)
	}
	return c.text.Write(p)
}
