package bench

import (
	"flag"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

var hostCounts = flag.String("hosts", "1,5", "numbers of `hosts` to play to, comma separated")

// BenchmarkPlay plays the load to fresh machines behind a jump host, and again when there is nothing left to do, with
// each tool on its own machines.
func BenchmarkPlay(b *testing.B) {
	for _, count := range strings.Split(*hostCounts, ",") {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			b.Fatalf("-hosts %q: want numbers, comma separated", *hostCounts)
		}
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) { benchPlay(b, n, labctl, ansible, mitogen) })
	}
}

func benchPlay(b *testing.B, n int, tools ...tool) {
	bed := newTestbed(b, n, "ssh", labctl.name, ansible.name, mitogen.name)
	b.Run("ssh", func(b *testing.B) { benchSSH(b, bed, n) })
	for _, tool := range tools {
		b.Run(tool.name, func(b *testing.B) {
			if why := tool.missing(); why != "" {
				b.Fatal(why)
			}
			hosts := hostNames(tool.name, n)
			play := tool.prepare(bed, hosts)
			first, out := timed(b, here, play())
			checkRecap(b, out, hosts, nItems)
			second, out := timed(b, here, play())
			checkRecap(b, out, hosts, 0)
			record(b, figure{Case: "50 items", Tool: tool.name, Hosts: n, First: first, Second: second})
		})
	}
}

// benchSSH is the floor: the login alone, and the same work as one shell script that looks at nothing.
func benchSSH(b *testing.B, bed *testbed, n int) {
	hosts := hostNames("ssh", n)
	all := func(line string) time.Duration {
		start := time.Now()
		var running []*exec.Cmd
		for _, h := range hosts {
			cmd := bed.ssh(h, line)
			cmd.Stdin = strings.NewReader(shellTasks())
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			running = append(running, cmd)
		}
		for _, cmd := range running {
			if err := cmd.Wait(); err != nil {
				b.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
			}
		}
		return time.Since(start)
	}
	script := all("sh")
	login := fastest(3, func() time.Duration { return all("true") })
	record(b, figure{Case: "50 items", Tool: "ssh -J", Hosts: n, First: script, Second: login,
		Note: "first: the work as a shell script; second: true"})
}

// record keeps a figure and shows it as metrics of the benchmark.
func record(b *testing.B, f figure) {
	found.add(f)
	b.ReportMetric(0, "ns/op") // the time of the whole benchmark says nothing
	b.ReportMetric(f.First.Seconds(), "first-s")
	if f.Second > 0 {
		b.ReportMetric(f.Second.Seconds(), "second-s")
	}
}
