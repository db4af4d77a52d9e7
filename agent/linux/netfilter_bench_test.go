package linux

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/modules/host"
)

// BenchmarkThousandRules plays 1000 rules, first into an empty table and then again, beside iptables-restore --noflush of the
// same rules: first/restore is the ratio of both, again-ms the second play.
func BenchmarkThousandRules(b *testing.B) {
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		for _, kind := range []string{"rules", "chain"} {
			b.Run(backend+"/"+kind, func(b *testing.B) {
				var first, again, restore, save time.Duration
				for range b.N {
					h := netfilterHost(b)
					calls, script := thousand(backend, kind)
					restore += timed(func() { runScript(b, "iptables-"+shortBackend[backend]+"-restore", script) })
					save += timed(func() { runScript(b, "iptables-"+shortBackend[backend]+"-save", "") })
					runScript(b, "iptables-"+shortBackend[backend]+"-restore", "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n")
					first += timed(func() {
						if n := batch(b, New(), calls); n != len(calls) {
							b.Fatalf("%d changed", n)
						}
					})
					again += timed(func() {
						if n := batch(b, New(), calls); n != 0 {
							b.Fatalf("%d changed", n)
						}
					})
					_ = h
				}
				n := float64(b.N)
				b.ReportMetric(first.Seconds()*1000/n, "first-ms")
				b.ReportMetric(again.Seconds()*1000/n, "again-ms")
				b.ReportMetric(restore.Seconds()*1000/n, "restore-ms")
				b.ReportMetric(save.Seconds()*1000/n, "save-ms")
				b.ReportMetric(first.Seconds()/restore.Seconds(), "first/restore")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func thousand(backend, kind string) (calls []modules.Call, script string) {
	var rules, lines []string
	for i := range 1000 {
		rules = append(rules, fmt.Sprintf(`{"source":"10.%d.%d.0/24","protocol":"tcp","destination_port":"%d","jump":"ACCEPT"}`, i/250, i%250, i+1))
		lines = append(lines, fmt.Sprintf("-A FORWARD -s 10.%d.%d.0/24 -p tcp -m tcp --dport %d -j ACCEPT\n", i/250, i%250, i+1))
	}
	script = "*filter\n" + strings.Join(lines, "") + "COMMIT\n"
	if kind == "chain" {
		return []modules.Call{call("iptables_chain", false, fmt.Sprintf(`{"chain":"FORWARD","backend":%q,"exclusive":true,"rule":[%s]}`, backend, strings.Join(rules, ",")))}, script
	}
	for _, r := range rules {
		calls = append(calls, call("iptables_rule", false, fmt.Sprintf(`{"chain":"FORWARD","backend":%q,%s`, backend, r[1:])))
	}
	return calls, script
}

func timed(fn func()) time.Duration {
	start := time.Now()
	fn()
	return time.Since(start)
}

func runScript(b *testing.B, name, script string) {
	b.Helper()
	cmd := exec.Command(name, "--noflush")
	if script == "" || strings.HasPrefix(script, "*filter\n:") {
		cmd = exec.Command(name)
	}
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
}
