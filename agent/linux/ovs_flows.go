package linux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"
)

// flowDump is what a bridge was last read to have.
type flowDump struct {
	flows   host.OVSFlows
	read    time.Time
	changes int64
}

const (
	maxWords  = 1 << 14 // how many flows are known in canonical form
	manyFlows = 100     // from which on it pays to run two ovs-ofctl at once
)

func (o openvswitch) Ports(ctx context.Context, bridge string) (map[string]int, error) {
	d, err := o.state(ctx, starting)
	if err != nil {
		return nil, err
	}
	return d.OVSState.Ports(bridge), nil
}

func (o openvswitch) Flows(ctx context.Context, bridge, version string) (host.OVSFlows, error) {
	o.h.vs.mu.Lock()
	defer o.h.vs.mu.Unlock()
	return o.flowsLocked(ctx, bridge, version)
}

func (o openvswitch) flowsLocked(ctx context.Context, bridge, version string) (host.OVSFlows, error) {
	v := &o.h.vs
	key := version + " " + bridge
	now := o.changes()
	if d := v.dumps[key]; d != nil && d.changes == now && time.Since(d.read) < dumpLife {
		return d.flows, nil
	}
	out, _, err := o.ofctl(ctx, "read flows of", bridge, "", "-O", version, "--no-stats", "--no-names", "dump-flows", o.target(ctx, bridge))
	if err != nil {
		return nil, err
	}
	flows := host.OVSFlows{}
	if err := eachFlow(out, func(f host.OVSFlow, _ string) { flows[f.OVSFlowKey] = f }); err != nil {
		return nil, err
	}
	if v.dumps == nil {
		v.dumps = map[string]*flowDump{}
	}
	v.dumps[key] = &flowDump{flows, time.Now(), now}
	return flows, nil
}

// eachFlow goes through what dump-flows prints.
func eachFlow(out string, do func(host.OVSFlow, string)) error {
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "actions=") {
			continue // before OpenFlow 1.3 some versions of ovs-ofctl head the list
		}
		f, err := host.ParseOVSFlow(strings.TrimSpace(line))
		if err != nil {
			return err
		}
		do(f, line)
	}
	return nil
}

func (o openvswitch) FlowCounts(ctx context.Context, bridge, version, filter string) (map[host.OVSFlowKey]host.OVSCount, error) {
	out, _, err := o.ofctl(ctx, "read flows of", bridge, "", "-O", version, "--no-names", "dump-flows", o.target(ctx, bridge), filter)
	if err != nil {
		return nil, err
	}
	counts := map[host.OVSFlowKey]host.OVSCount{}
	return counts, eachFlow(out, func(f host.OVSFlow, line string) {
		counts[f.OVSFlowKey] = host.OVSCount{Packets: countOf(line, " n_packets="), Bytes: countOf(line, " n_bytes=")}
	})
}

// countOf reads what stands behind a word; 0 when it is not there, as of flows that are not to count.
func countOf(line, word string) int {
	_, rest, _ := strings.Cut(line, word)
	digits, _, _ := strings.Cut(rest, ",")
	n, _ := strconv.Atoi(digits) // more than an int holds is as good as none
	return n
}

// here reports whether a bridge can be asked.
func (o openvswitch) here(bridge string) bool {
	_, err := os.Stat(filepath.Join(o.rundir(), bridge+".mgmt"))
	return err == nil
}

// target names the socket of a bridge, which ovs-vswitchd makes a moment after it starts: that is waited for once.
func (o openvswitch) target(ctx context.Context, bridge string) string {
	path := filepath.Join(o.rundir(), bridge+".mgmt")
	for start := time.Now(); time.Since(start) < starting && !o.h.vs.silent.Load(); {
		if o.here(bridge) || pause(ctx, 20*time.Millisecond) != nil {
			return "unix:" + path
		}
	}
	o.h.vs.silent.Store(true)
	return "unix:" + path
}

// ofctl runs ovs-ofctl, which logs to stderr.
func (o openvswitch) ofctl(ctx context.Context, op, object, stdin string, args ...string) (out, log string, err error) {
	path := o.h.lookTool("ovs-ofctl")
	if path == "" {
		return "", "", &host.Error{Op: op, Object: object, Kind: host.ErrUnsupported,
			Err: errors.New("ovs-ofctl is not installed: install the package openvswitch-switch (openvswitch on other distributions than Debian's)")}
	}
	out, log, err = runToolLog(ctx, path, stdin, append([]string{"-vsyslog:off", "-vconsole:info"}, args...)...)
	te, ok := errors.AsType[*toolError](err)
	if !ok {
		return out, log, err
	}
	return "", "", &host.Error{Op: op, Object: object, Err: errors.New(flowMessage(te.stderr, stdin)), Kind: kind(err)}
}

// flowMessage boils down what ovs-ofctl complains of: "ovs-ofctl: -:3: unknown action foo" for the third line it was given,
// "Error OFPBAC_BAD_OUT_GROUP for: …" for what the bridge refused, or that nobody answers.
func flowMessage(stderr, stdin string) string {
	message := ""
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if what, ok := strings.CutPrefix(line, "Error "); ok {
			return "the bridge refused it: " + what
		}
		if at := strings.Index(line, "version negotiation failed"); at >= 0 {
			return line[at:] + ": version and the bridge's protocols do not fit"
		}
		if what, ok := strings.CutPrefix(line, "ovs-ofctl: "); ok {
			message = what
		}
	}
	if strings.Contains(message, "failed to connect to socket") || strings.Contains(message, "is not a bridge or a socket") {
		return "ovs-vswitchd does not answer for it: start the service openvswitch-switch (openvswitch on other distributions than Debian's)"
	}
	if c, ok := complaintOf(stdin, message, "-:"); ok {
		return c.line + ": " + c.what
	}
	return message
}

// CanonicalFlows asks ovs-ofctl parse-flows, once for all lines that are new. What it drops from a match it tells its log
// only (ofputil_normalize_match_quiet, lib/ofp-match.c): "tp_dst=80" without "tcp" would match everything.
func (o openvswitch) CanonicalFlows(ctx context.Context, bridge, version string, lines []string) ([]host.OVSFlow, error) {
	v := &o.h.vs
	v.mu.Lock()
	defer v.mu.Unlock()
	var unknown []string
	for _, line := range lines {
		if strings.ContainsAny(line, "\n#") {
			return nil, fmt.Errorf("read flow %q: one line without # is a flow", line)
		}
		if _, ok := v.words[version+" "+line]; !ok {
			unknown = append(unknown, line)
		}
	}
	if len(unknown) > manyFlows && o.here(bridge) {
		dumped := make(chan struct{})
		go func() {
			defer close(dumped)
			_, _ = o.flowsLocked(ctx, bridge, version) // what is wrong with it Flows will say
		}()
		defer func() { <-dumped }()
	}
	if len(unknown) > 0 {
		made, err := o.parseFlows(ctx, version, unknown)
		if err != nil {
			return nil, err
		}
		if v.words == nil || len(v.words) > maxWords {
			v.words = map[string]host.OVSFlow{}
		}
		maps.Copy(v.words, made)
	}
	out := make([]host.OVSFlow, len(lines))
	for i, line := range lines {
		out[i] = v.words[version+" "+line]
	}
	return out, nil
}

func (o openvswitch) parseFlows(ctx context.Context, version string, lines []string) (map[string]host.OVSFlow, error) {
	out, log, err := o.ofctl(ctx, "read flow", "", strings.Join(lines, "\n")+"\n", "-O", version, "--no-names", "parse-flows", "-")
	if err != nil {
		return nil, err
	}
	if _, lost, ok := strings.Cut(log, " pre: "); ok {
		lost, _, _ = strings.Cut(lost, "\n")
		return nil, fmt.Errorf("read flow: of the match %q a part would be lost: give what it needs, too, such as eth_type and ip_proto before tcp_dst", lost)
	}
	made := map[string]host.OVSFlow{}
	n := 0
	for line := range strings.Lines(out) {
		_, text, ok := strings.Cut(line, ": ADD ")
		if !ok {
			continue
		}
		if n == len(lines) {
			break
		}
		if made[version+" "+lines[n]], err = host.ParseOVSFlow(strings.TrimSpace(text)); err != nil {
			return nil, err
		}
		n++
	}
	if n != len(lines) {
		return nil, fmt.Errorf("read flows: ovs-ofctl made %d of %d", n, len(lines))
	}
	return made, nil
}

// ChangeFlows is one run of ovs-ofctl: one transaction from OpenFlow 1.4 on.
func (o openvswitch) ChangeFlows(ctx context.Context, bridge, version string, put []host.OVSFlow, remove []host.OVSFlowKey) error {
	var script strings.Builder
	for _, k := range remove {
		script.WriteString("delete_strict " + k.String() + "\n")
	}
	for _, f := range put {
		script.WriteString("add " + f.String() + "\n")
	}
	args := []string{"-O", version, "add-flows", o.target(ctx, bridge), "-"}
	if version >= "OpenFlow14" {
		args = append([]string{"--bundle"}, args...)
	}
	o.h.writes.Add(1)
	_, _, err := o.ofctl(ctx, "change flows of", bridge, script.String(), args...)
	return err
}
