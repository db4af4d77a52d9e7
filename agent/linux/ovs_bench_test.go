package linux

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"labctl/modules"
)

// BenchmarkThousandOVS plays 1000 ports and 1000 flows into a bridge, and again, beside one ovs-vsctl with 1000 commands and
// one ovs-ofctl add-flows: x-tool is the ratio of the first play and the tool, to be below 2; again-ms to be below 1000.
func BenchmarkThousandOVS(b *testing.B) {
	for _, kind := range []string{"ports", "flows", "flows of one task"} {
		b.Run(kind, func(b *testing.B) {
			var first, again, tool time.Duration
			for range b.N {
				calls, run := thousandOVS(kind)
				h := benchBridge(b)
				tool += timed(func() { run(b, h) })
				h = benchBridge(b)
				first += timed(func() { wantChanged(b, len(calls), batch(b, h, calls)) })
				h.vs.last, h.vs.dumps, h.vs.words = nil, nil, nil // another agent
				writes := h.Writes()
				again += timed(func() { wantChanged(b, 0, batch(b, h, calls)) })
				if h.Writes() != writes {
					b.Fatalf("the second run wrote %d times", h.Writes()-writes)
				}
			}
			n := float64(b.N)
			b.ReportMetric(first.Seconds()*1000/n, "first-ms")
			b.ReportMetric(again.Seconds()*1000/n, "again-ms")
			b.ReportMetric(tool.Seconds()*1000/n, "tool-ms")
			b.ReportMetric(first.Seconds()/tool.Seconds(), "x-tool")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func wantChanged(b *testing.B, want, got int) {
	b.Helper()
	if got != want {
		b.Fatalf("%d changed, want %d", got, want)
	}
}

// benchBridge is a fresh host with an empty bridge.
func benchBridge(b *testing.B) *Host {
	b.Helper()
	h := ovsHost(b)
	call := modules.Call{Module: "ovs_bridge", Params: json.RawMessage(`{"name":"ov0","datapath_type":"netdev"}`)}
	if _, err := modules.Default["ovs_bridge"].Apply(b.Context(), h, call); err != nil {
		b.Fatal(err)
	}
	return h
}

// thousandOVS is the calls, and what runs the tool for the same.
func thousandOVS(kind string) ([]modules.Call, func(*testing.B, *Host)) {
	var calls []modules.Call
	var lines, args, quoted []string
	for i := range objects {
		if kind == "ports" {
			name := fmt.Sprintf("t%d", i)
			calls = append(calls, benchCall("ovs_port", `{"name":%q,"bridge":"ov0","type":"vxlan","options":{"remote_ip":"10.0.%d.%d"}}`, name, i/250, i%250))
			args = append(args, "--", "add-port", "ov0", name, "--", "set", "interface", name, "type=vxlan", fmt.Sprintf("options:remote_ip=10.0.%d.%d", i/250, i%250))
			continue
		}
		lines = append(lines, fmt.Sprintf("table=1,priority=%d,tcp,nw_src=10.0.%d.%d,actions=output:%d", i, i/250, i%250, i%9+1))
		quoted = append(quoted, fmt.Sprintf("%q", lines[i]))
		calls = append(calls, benchCall("ovs_flow", `{"bridge":"ov0","table":1,"priority":%d,"match":{"tcp":"","nw_src":"10.0.%d.%d"},"actions":"output:%d"}`, i, i/250, i%250, i%9+1))
	}
	if kind == "ports" {
		return calls, func(b *testing.B, h *Host) { ovsRun(b, h, "ovs-vsctl", args[1:]...) }
	}
	if kind == "flows of one task" {
		calls = []modules.Call{benchCall("ovs_flow", `{"bridge":"ov0","table":1,"exclusive":"table","flows":[%s]}`, strings.Join(quoted, ","))}
	}
	return calls, func(b *testing.B, h *Host) {
		cmd := exec.Command("ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flows", "unix:"+h.vs.dir+"/ov0.mgmt", "-")
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}
