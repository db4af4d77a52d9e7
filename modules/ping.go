package modules

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Ping]{
		Name: "ping",
		Doc:  "Checks by ICMP echo whether an address can be reached. Told apart are loss and being told that there is no way.",
		Example: `ping "192.168.60.5" {}
ping "172.16.200.5" {
  netns  = "boxA"
  expect = "unreachable"
}
`,
		Validate: (*Ping).validate, Probe: probePing,
	})
}

// Ping is a check by ICMP or ICMPv6 echo. It needs no ping(8) on the host.
type Ping struct {
	Address string `json:"address" lab:"key" doc:"Address or name; IPv6 link-local with its interface, as fe80::1%eth0."`
	Expect  string `json:"expect,omitempty" enum:"reachable,loss,unreachable,fail" default:"reachable" doc:"reachable: every packet is answered. loss: none is, and nobody says why. unreachable: the kernel (no route) or a router says that there is no way. fail: loss or unreachable."`
	Count   *int   `json:"count,omitempty" lab:"option" default:"1" doc:"Packets in a try."`
	Every   string `json:"interval,omitempty" lab:"option" default:"1s" doc:"Time between two packets of a try."`
	Wait    string `json:"wait,omitempty" lab:"option" default:"1s" doc:"How long to wait for each answer. To hear that a neighbour does not answer ARP takes Linux 3s; with expect = unreachable the default is 4s."`
	Size    *int   `json:"size,omitempty" lab:"option" default:"56" doc:"Payload in bytes."`
	Loss    string `json:"loss,omitempty" lab:"option" doc:"Percentage of packets that may be lost where expect is reachable, as \"<=10\"; it can be demanded, too: \"20-40\". None if unset."`
	TTL     *int   `json:"ttl,omitempty" lab:"option" doc:"Time to live or hop limit; the host's own if unset."`
	Family  string `json:"family,omitempty" lab:"option" enum:"ipv4,ipv6" doc:"Of a name that has addresses of both; IPv4 first if unset."`
	Source  string `json:"source,omitempty" lab:"option" doc:"Address or interface to send from; the kernel chooses if unset."`
	DF      bool   `json:"dont_fragment,omitempty" lab:"option" doc:"Forbid fragmentation, to check the MTU of a path: the IP packet is size + 28 bytes, in IPv6 + 48."`
	InNetNS
	Deadline
	Sent     int      `json:"sent,omitempty" lab:"computed" doc:"Packets sent in the last try."`
	Received int      `json:"received,omitempty" lab:"computed" doc:"Answers received in the last try."`
	RTT      *float64 `json:"rtt_ms,omitempty" lab:"computed" doc:"Mean round trip time of the last try in milliseconds."`
	Reason   string   `json:"unreachable,omitempty" lab:"computed" doc:"Who said what when it is unreachable."`
}

func (p *Ping) validate() error {
	p.Expect = cmp.Or(p.Expect, "reachable")
	if strings.ContainsAny(p.Address, " /\x00") {
		return argf("address", "%q is not an address or a name", p.Address)
	}
	for name, s := range map[string]string{"interval": p.Every, "wait": p.Wait, "deadline": p.Deadline.Deadline} {
		if _, err := duration(name, s, 0); err != nil {
			return err
		}
	}
	_, err := parseAmount("loss", p.Loss, "0")
	if err == nil && p.Loss != "" && p.Expect != "reachable" {
		err = argf("loss", "goes with expect = \"reachable\" only")
	}
	return firstFault(err, inRange("count", p.Count, 1, 1000), inRange("size", p.Size, 0, 65507), inRange("ttl", p.TTL, 1, 255))
}

func (p *Ping) options() host.PingOptions {
	o := host.PingOptions{Count: 1, Size: 56, Source: p.Source, DF: p.DF}
	if p.Count != nil {
		o.Count = *p.Count
	}
	if p.Size != nil {
		o.Size = *p.Size
	}
	if p.TTL != nil {
		o.TTL = *p.TTL
	}
	if p.Family != "" {
		o.Family = int(p.Family[3] - '0')
	}
	wait := time.Second
	if p.Expect == "unreachable" {
		wait = 4 * time.Second // longer than mcast_solicit * retrans_time (arp(7))
	}
	o.Interval, _ = duration("", p.Every, time.Second) // validated
	o.Timeout, _ = duration("", p.Wait, wait)
	return o
}

func probePing(ctx context.Context, h host.Host, want *Ping) (*Ping, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	out := *want
	var broken error // the probe itself
	err = want.until(ctx, func() error {
		var r host.PingResult
		if r, broken = n.Probes().Ping(ctx, want.Address, want.options()); broken != nil {
			return broken
		}
		out.Sent, out.Received, out.Reason, out.RTT = r.Sent, r.Received, r.Unreachable, nil
		if r.Received > 0 {
			ms := float64(r.RTT.Microseconds()) / 1000
			out.RTT = &ms
		}
		return want.judge(r)
	}, func(error) bool { return broken != nil })
	return &out, err
}

// judge compares what was seen with what was expected.
func (p *Ping) judge(r host.PingResult) error {
	if p.Loss != "" {
		return p.judgeLoss(r)
	}
	seen := pingOutcome(r)
	if seen == p.Expect || p.Expect == "fail" && seen != "reachable" && r.Received == 0 {
		return nil
	}
	return fmt.Errorf("ping %s%s: expected %s, but %s", p.Address, p.from(), p.Expect, describePing(r))
}

func (p *Ping) judgeLoss(r host.PingResult) error {
	lost := 100 * (r.Sent - r.Received) / max(r.Sent, 1)
	if a, _ := parseAmount("", p.Loss, ""); a.holds(lost) {
		return nil
	}
	return fmt.Errorf("ping %s%s: expected a loss of %s percent, but it is %d: %s", p.Address, p.from(), p.Loss, lost, describePing(r))
}

func (p *Ping) from() string {
	out := ""
	if p.NetNS != "" {
		out = " from netns " + p.NetNS
	}
	if p.Source != "" {
		out += " from " + p.Source
	}
	return out
}

func pingOutcome(r host.PingResult) string {
	switch {
	case r.Unreachable != "":
		return "unreachable"
	case r.Received == 0:
		return "loss"
	case r.Received < r.Sent:
		return "partial loss"
	}
	return "reachable"
}

func describePing(r host.PingResult) string {
	out := ""
	switch pingOutcome(r) {
	case "unreachable":
		out = r.Unreachable
		if r.Received > 0 {
			out = fmt.Sprintf("%d of %d packets were answered, then: %s", r.Received, r.Sent, r.Unreachable)
		}
	case "reachable":
		out = "it answers"
	case "loss":
		out = fmt.Sprintf("no answer to %d packet(s), and no ICMP error either", r.Sent)
	default:
		out = fmt.Sprintf("only %d of %d packets were answered", r.Received, r.Sent)
	}
	if r.Note != "" {
		out += "; sending was " + r.Note
	}
	return out
}
