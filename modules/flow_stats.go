package modules

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[FlowStats]{
		Name: "flow_stats",
		Doc: "Checks how many packets flows of an Open vSwitch bridge count. Only what comes between the start and the end of the look counts, so " +
			"that it does not matter what came before. Traffic is made by trigger blocks, or by other tasks and hosts between a look that starts and one of " +
			"the same label that stops. Where no flow matches, that is a failure, whatever number is expected.",
		Example: `flow_stats "dropped on their way to web1" {
  bridge   = "myBridge"
  version  = "OpenFlow14"
  table    = 0
  priority = 1000
  match    = { tcp = "", tcp_dst = 80 }
  trigger {
    tcp   = "172.16.0.1:80"
    netns = "web2"
  }
  packets = ">=1"
}
flow_stats "not flooded" {
  bridge = "myBridge"
  cookie = "0x2a"
  trigger { ping = "172.16.0.1" }
  packets = "0"
}
`,
		Validate: (*FlowStats).validate, Complete: (*FlowStats).complete, Probe: probeFlowStats,
	})
}

// FlowStats is a look at what flows of a bridge count.
type FlowStats struct {
	OnOVS
	Name     string            `json:"name" lab:"key" doc:"What the look is called. One that stops has the name of one that has started, in the same session."`
	Bridge   string            `json:"bridge,omitempty" doc:"Bridge that the flows are on; not needed to stop."`
	Version  string            `json:"version,omitempty" lab:"option" enum:"OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15" doc:"Version of OpenFlow to speak, one of the bridge's protocols."`
	Table    *int              `json:"table,omitempty" doc:"Table, 0 to 254; all if unset."`
	Priority *int              `json:"priority,omitempty" doc:"Priority, 0 to 65535; any if unset."`
	Match    map[string]string `json:"match,omitempty" doc:"Flows match if they have these fields, and maybe more: as ovs-ofctl dump-flows takes them, in the words of ovs-fields(7), those of no value having \"\". All if unset. The name of a port will do for its number."`
	Cookie   string            `json:"cookie,omitempty" doc:"Number of 64 bits that the flows have; any if unset."`
	Packets  string            `json:"packets,omitempty" lab:"option" default:">=1" doc:"How many packets all the flows are to count: 3, >=1, <5 or 2-5; 0 for none. Any number if only bytes is set."`
	Bytes    string            `json:"bytes,omitempty" lab:"option" doc:"How many bytes, of frames as they are without a checksum, they are to count. Any number if unset."`
	Wait     string            `json:"wait,omitempty" lab:"option" default:"1s" doc:"How long ovs-vswitchd may need to count a packet: other_config:max-revalidator, 500 ms, and then some. The look begins that long after the task, so that what came before is not in it, and goes on that long after the triggers, unless enough is counted."`
	Watch
	NPackets int      `json:"n_packets" lab:"computed" doc:"Packets that they counted in the last try."`
	NBytes   int      `json:"n_bytes" lab:"computed" doc:"Bytes that they counted."`
	Flows    []string `json:"flows,omitempty" lab:"computed" doc:"The flows with what each counted, the first 20 of them."`
}

func (s *FlowStats) validate() error {
	if s.Start && !s.Stop && (s.Packets != "" || s.Bytes != "") {
		return argf("packets", "what is expected belongs to the task that stops the look")
	}
	_, _, err := s.amounts()
	if err == nil {
		_, err = duration("wait", s.Wait, 0)
	}
	f := s.flow()
	if err = firstFault(err, s.Watch.validate()); err == nil && s.Bridge != "" {
		err = f.validate()
	}
	s.Cookie = f.Cookie
	return err
}

func (s *FlowStats) complete() error {
	switch {
	case !s.Stop && s.Bridge == "":
		return argf("bridge", "is needed")
	case s.Stop && (s.Bridge != "" || s.Version != "" || s.Table != nil || s.Priority != nil || s.Match != nil || s.Cookie != ""):
		return argf("stop", "which flows to look at belongs to the task that starts the look")
	}
	return nil
}

// flow is one that has all that the flows are to have.
func (s *FlowStats) flow() OVSFlow {
	return OVSFlow{Bridge: s.Bridge, Version: s.Version, Table: s.Table, Priority: s.Priority, Match: s.Match, Cookie: s.Cookie}
}

func (s *FlowStats) amounts() (packets, bytes amount, err error) {
	unset := ">=1"
	if s.Bytes != "" {
		unset = ">=0"
	}
	if packets, err = parseAmount("packets", s.Packets, unset); err == nil {
		bytes, err = parseAmount("bytes", s.Bytes, ">=0")
	}
	return packets, bytes, err
}

// openFlowStats is a look under way: how to read the counters, and what they were last.
type openFlowStats struct {
	read   func() (map[host.OVSFlowKey]host.OVSCount, error)
	what   string
	counts map[host.OVSFlowKey]host.OVSCount
}

func (*openFlowStats) Close() error { return nil }

func (s *FlowStats) open(ctx context.Context, h host.Host) (io.Closer, error) {
	f := s.flow()
	bridge, _, err := s.row(ctx, h, "Bridge", s.Bridge)
	if err == nil && bridge == nil {
		err = &host.Error{Op: "read flows of", Object: s.Bridge, Kind: host.ErrNotExist, Err: errNoOVSBridge}
	}
	if err == nil {
		err = f.speak(bridge)
	}
	if err == nil {
		err = f.make(ctx, h, bridge)
	}
	if err != nil {
		return nil, err
	}
	filter := s.filter(f.made[0].Match)
	o := &openFlowStats{what: strings.TrimSpace(s.Bridge + " " + f.named(filter))}
	if s.Priority != nil {
		o.what += fmt.Sprintf(" of priority %d", *s.Priority)
	}
	o.read = func() (map[host.OVSFlowKey]host.OVSCount, error) {
		out, err := h.OVS().FlowCounts(ctx, s.Bridge, f.Version, filter)
		for k := range out {
			if s.Priority != nil && k.Priority != *s.Priority { // dump-flows takes none
				delete(out, k)
			}
		}
		return out, err
	}
	sleep(ctx, s.lag())
	o.counts, err = o.read()
	return o, err
}

// filter is what dump-flows is asked for.
func (s *FlowStats) filter(match string) string {
	var words []string
	if s.Table != nil {
		words = append(words, fmt.Sprintf("table=%d", *s.Table))
	}
	if s.Cookie != "" {
		words = append(words, "cookie="+s.Cookie+"/-1")
	}
	if match != "" {
		words = append(words, match)
	}
	return strings.Join(words, ",")
}

// lag is how long ovs-vswitchd may take to count.
func (s *FlowStats) lag() time.Duration {
	d, _ := duration("", s.Wait, time.Second) // validated
	return d
}

func probeFlowStats(ctx context.Context, h host.Host, want *FlowStats) (*FlowStats, error) {
	out := *want
	packets, bytes, _ := want.amounts() // validated
	err := want.watch(ctx, h, "flow_stats "+want.Name, func(host.Net) (io.Closer, error) { return want.open(ctx, h) }, func(c io.Closer) (verdict, broken error) {
		o := c.(*openFlowStats)
		for end := time.Now().Add(want.lag()); ; sleep(ctx, 50*time.Millisecond) {
			now, err := o.read()
			if err != nil {
				return nil, err
			}
			out.count(o.counts, now)
			enough := len(now) > 0 && packets.open() && bytes.open() && packets.holds(out.NPackets) && bytes.holds(out.NBytes)
			if enough || !time.Now().Before(end) || ctx.Err() != nil {
				if want.Start {
					o.counts = now
				}
				return out.judge(o.what, len(now), packets, bytes), nil
			}
		}
	}, func() bool { return out.NPackets > packets.high || out.NBytes > bytes.high })
	return &out, err
}

// count sums up what came between two readings. A counter that is less than it was began anew.
func (s *FlowStats) count(was, now map[host.OVSFlowKey]host.OVSCount) {
	s.NPackets, s.NBytes, s.Flows = 0, 0, nil
	keys := make([]host.OVSFlowKey, 0, len(now))
	for k := range now {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, host.OVSFlowKey.Compare)
	for _, k := range keys {
		n, from := now[k], was[k]
		if n.Packets < from.Packets || n.Bytes < from.Bytes {
			from = host.OVSCount{}
		}
		s.NPackets += n.Packets - from.Packets
		s.NBytes += n.Bytes - from.Bytes
		if len(s.Flows) < 20 {
			s.Flows = append(s.Flows, fmt.Sprintf("%s n_packets=%d n_bytes=%d", k, n.Packets-from.Packets, n.Bytes-from.Bytes))
		}
	}
}

// judge says what is not as expected of the flows.
func (s *FlowStats) judge(what string, flows int, packets, bytes amount) error {
	switch {
	case flows == 0:
		return fmt.Errorf("flows of %s: there is none", what)
	case !packets.holds(s.NPackets):
		return fmt.Errorf("flows of %s: expected %s packets, but %d were counted: %s", what, cmp.Or(s.Packets, ">=1"), s.NPackets, strings.Join(s.Flows[:min(flows, 5)], "; "))
	case !bytes.holds(s.NBytes):
		return fmt.Errorf("flows of %s: expected %s bytes, but %d were counted: %s", what, s.Bytes, s.NBytes, strings.Join(s.Flows[:min(flows, 5)], "; "))
	}
	return nil
}
