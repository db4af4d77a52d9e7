package linux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

const objects = 1000

// benchCase is a thousand objects of one kind: as calls of a module and as lines of ip -batch.
type benchCase struct {
	name  string
	setup []string // ip commands
	calls func(i int) modules.Call
	ip    func(i int) string
}

func benchCall(module, format string, args ...any) modules.Call {
	return modules.Call{Module: module, Params: json.RawMessage(fmt.Sprintf(format, args...))}
}

var benchCases = []benchCase{
	{"bridges", nil,
		func(i int) modules.Call { return benchCall("bridge", `{"name":"b%d","up":false}`, i) },
		func(i int) string { return fmt.Sprintf("link add b%d type bridge", i) }},
	{"veths", nil,
		func(i int) modules.Call { return benchCall("veth", `{"name":"v%d","peer":"p%[1]d"}`, i) },
		func(i int) string {
			return fmt.Sprintf("link add v%d type veth peer name p%[1]d\nlink set p%[1]d up\nlink set v%[1]d up", i)
		}},
	{"vlans", []string{"link add v type veth peer name w", "link set v up", "link set w up"},
		func(i int) modules.Call { return benchCall("vlan", `{"name":"v.%d"}`, i+1) },
		func(i int) string { return fmt.Sprintf("link add link v name v.%d up type vlan id %[1]d", i+1) }},
	{"macvlans", []string{"link add v type veth peer name w"},
		func(i int) modules.Call { return benchCall("macvlan", `{"name":"m%d","dev":"v","up":false}`, i) },
		func(i int) string { return fmt.Sprintf("link add m%d link v type macvlan mode bridge", i) }},
	{"addresses", []string{"link add v type veth peer name w", "link set v up"},
		func(i int) modules.Call {
			return benchCall("address", `{"dev":"v","cidr":["10.%d.%d.1/32"]}`, i/250, i%250)
		},
		func(i int) string { return fmt.Sprintf("addr add 10.%d.%d.1/32 dev v", i/250, i%250) }},
	{"routes", []string{"link add v type veth peer name w", "link set v up", "addr add 10.0.0.1/24 dev v"},
		func(i int) modules.Call {
			return benchCall("route", `{"dst":"10.%d.%d.0/24","via":"10.0.0.2"}`, 1+i/250, i%250)
		},
		func(i int) string { return fmt.Sprintf("route add 10.%d.%d.0/24 via 10.0.0.2", 1+i/250, i%250) }},
	{"neighs", []string{"link add v type veth peer name w", "link set v up"},
		func(i int) modules.Call {
			return benchCall("neigh", `{"address":"10.%d.%d.2","dev":"v","lladdr":"02:00:00:00:%02x:%02x"}`, 1+i/250, i%250, i>>8, i&255)
		},
		func(i int) string {
			return fmt.Sprintf("neigh add 10.%d.%d.2 dev v lladdr 02:00:00:00:%02x:%02x", 1+i/250, i%250, i>>8, i&255)
		}},
}

// BenchmarkThousand applies a thousand objects one call at a time, does it again, and does the same with ip -batch: the
// ratios to hold are 1.5 for the first run, and a second for the second run.
func BenchmarkThousand(b *testing.B) {
	for _, c := range benchCases {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				ip, ipCPU := c.batch(b)
				h := freshHost(b)
				run(b, h, c.setup)
				cpu := cpuOf(b, unix.RUSAGE_SELF)
				first := c.apply(b, h, modules.Create)
				cpu = cpuOf(b, unix.RUSAGE_SELF) - cpu
				before := h.Writes()
				second := c.apply(b, h, modules.None)
				if n := h.Writes() - before; n != 0 {
					b.Fatalf("second run wrote %d times", n)
				}
				b.ReportMetric(float64(first.Milliseconds()), "ms-first")
				b.ReportMetric(float64(second.Milliseconds()), "ms-second")
				b.ReportMetric(float64(ip.Milliseconds()), "ms-ip-batch")
				b.ReportMetric(float64(first)/float64(ip), "x-ip-batch")
				b.ReportMetric(float64(cpu)/float64(ipCPU), "x-ip-batch-CPU")
			}
		})
	}
}

// BenchmarkForwarding gives a VXLAN a thousand addresses, one task each, and one address a thousand remotes, in one.
func BenchmarkForwarding(b *testing.B) {
	var remotes []string
	for i := range objects {
		remotes = append(remotes, fmt.Sprintf("10.%d.%d.2", 1+i/250, i%250))
	}
	list, _ := json.Marshal(remotes) // plain data
	flood := modules.Call{Module: "fdb", Params: []byte(`{"lladdr":"00:00:00:00:00:00","dev":"vx0","exclusive":true,"dst":` + string(list) + `}`)}
	addresses := benchCase{calls: func(i int) modules.Call {
		return benchCall("fdb", `{"lladdr":"02:fd:00:00:%02x:%02x","dev":"vx0","dst":["10.0.0.2"]}`, i>>8, i&255)
	}}
	for b.Loop() {
		h := freshHost(b)
		run(b, h, []string{"link add vx0 type vxlan id 5 dstport 4789"})
		one := benchCase{calls: func(int) modules.Call { return flood }}
		for _, c := range []struct {
			name string
			benchCase
			n int
		}{{"remotes", one, 1}, {"addresses", addresses, objects}} {
			first := c.applyN(b, h, modules.Create, c.n)
			before := h.Writes()
			second := c.applyN(b, h, modules.None, c.n)
			if n := h.Writes() - before; n != 0 {
				b.Fatalf("second run wrote %d times", n)
			}
			b.ReportMetric(float64(first.Milliseconds()), "ms-first-"+c.name)
			b.ReportMetric(float64(second.Milliseconds()), "ms-second-"+c.name)
		}
	}
}

func (c benchCase) apply(b *testing.B, h host.Host, want modules.Action) time.Duration {
	return c.applyN(b, h, want, objects)
}

func (c benchCase) applyN(b *testing.B, h host.Host, want modules.Action, n int) time.Duration {
	start := time.Now()
	for i := range n {
		call := c.calls(i)
		m, err := modules.Default.Lookup(call.Module)
		if err != nil {
			b.Fatal(err)
		}
		res, err := m.Apply(b.Context(), h, call)
		if err != nil || res.Diff.Action != want && want == modules.None {
			b.Fatalf("%s: %v %v, want %v", call.Params, res.Diff, err, want)
		}
	}
	return time.Since(start)
}

// batch does the same with iproute2 in a namespace of its own.
func (c benchCase) batch(b *testing.B) (took, cpu time.Duration) {
	h := freshHost(b)
	run(b, h, c.setup)
	var lines []string
	for i := range objects {
		lines = append(lines, c.ip(i))
	}
	start, cpu := time.Now(), cpuOf(b, unix.RUSAGE_CHILDREN)
	run(b, h, lines)
	return time.Since(start), cpuOf(b, unix.RUSAGE_CHILDREN) - cpu
}

// cpuOf is the processor time of this process or of those that it has run: what other load disturbs least.
func cpuOf(b *testing.B, who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// run runs ip -batch in the namespace of h, which is the calling thread's.
func run(b *testing.B, h *Host, lines []string) {
	if len(lines) == 0 {
		return
	}
	err := h.inNetNS(h.self.fd, func() error {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("ip -batch: %w: %s", err, out.String())
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
