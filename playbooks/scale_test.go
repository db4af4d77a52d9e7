package playbooks

import (
	"fmt"
	"strings"
	"testing"
)

// scaled is a site with many hosts and a play with many tasks, half of which refer to another host.
func scaled(hosts, tasks int) string {
	var b strings.Builder
	for i := range hosts {
		fmt.Fprintf(&b, "host \"h%d\" { address = \"10.0.%d.%d\"  nic \"eth0\" { address = \"10.0.%d.%d/16\" }  vars = { n = %d } }\n", i, i/256, i%256, i/256, i%256, i)
	}
	b.WriteString("group \"all\" { vars = { dev = \"eth0\" } }\nplay \"p\" {\n  hosts = \"all\"\n  vars = { peer = \"h${(host.index + 1) % length(groups.all)}\" }\n")
	for i := range tasks {
		if i%2 == 0 {
			fmt.Fprintf(&b, "  bridge \"br%d\" { mtu = 1500  ports = [\"${dev}.%d\"] }\n", i, i)
		} else {
			fmt.Fprintf(&b, "  vxlan \"vx%d\" {\n    vni    = n + %d\n    remote = hosts[peer].nic.eth0.ip\n  }\n", i, i)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func BenchmarkLoad10000Hosts(b *testing.B) {
	text := scaled(10000, 10)
	b.ReportMetric(float64(len(text)), "bytes")
	for b.Loop() {
		if s := site(b, text); len(s.Inventory.Hosts) != 10000 {
			b.Fatal("hosts")
		}
	}
}

func benchmarkSteps(b *testing.B, hosts, tasks int) {
	s := site(b, scaled(hosts, tasks))
	p := s.Plays()[0]
	n := 0
	for b.Loop() {
		all, _ := p.Hosts("")
		for _, h := range all {
			steps, state, diags := p.Start(h, Env{}).Next()
			if state != Done || len(steps) != tasks || diags.HasErrors() {
				b.Fatal(len(steps), state, diags)
			}
			n += len(steps)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/step")
}

func BenchmarkSteps100x500(b *testing.B)  { benchmarkSteps(b, 100, 500) }
func BenchmarkSteps1000x500(b *testing.B) { benchmarkSteps(b, 1000, 500) }
func BenchmarkSteps10000x50(b *testing.B) { benchmarkSteps(b, 10000, 50) }
func BenchmarkValidate1000x50(b *testing.B) {
	s := site(b, scaled(1000, 50))
	for b.Loop() {
		if diags := s.Validate(""); diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}
