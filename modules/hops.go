package modules

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Hops]{
		Name: "hops",
		Doc:  "Lists the routers on the way to an address, as traceroute(8) does.",
		Example: `hops "192.168.60.4" { expect = [] }
hops "172.16.200.5" {
  netns  = "boxA"
  expect = ["172.16.100.1"]
}
`,
		Validate: (*Hops).validate, Probe: probeHops,
	})
}

// Hops is a check by packets whose time to live is over on the way.
type Hops struct {
	Address string   `json:"address" lab:"key" doc:"Address or name."`
	Expect  []string `json:"expect,omitempty" doc:"Addresses of the routers in order, \"*\" for one that does not answer; [] for none. Any if unset."`
	Max     *int     `json:"max,omitempty" lab:"option" default:"30" doc:"Most routers to look for."`
	Proto   string   `json:"proto,omitempty" lab:"option" enum:"icmp,udp" default:"icmp" doc:"What to send: ICMP echo, or UDP to a port where nobody listens."`
	Port    *int     `json:"port,omitempty" lab:"option" default:"33434" doc:"Port for UDP."`
	Wait    string   `json:"wait,omitempty" lab:"option" default:"1s" doc:"How long to wait for each answer."`
	Source  string   `json:"source,omitempty" lab:"option" doc:"Address or interface to send from; the kernel chooses if unset."`
	InNetNS
	Deadline
	Hops []string `json:"hops" lab:"computed" doc:"The routers that were found in the last try."`
}

func (p *Hops) validate() error {
	if strings.ContainsAny(p.Address, " /\x00") {
		return argf("address", "%q is not an address or a name", p.Address)
	}
	for i, e := range p.Expect {
		if e != "*" {
			if err := validIP(fmt.Sprintf("expect[%d]", i), &p.Expect[i]); err != nil {
				return err
			}
		}
	}
	_, err := duration("wait", p.Wait, 0)
	_, err2 := duration("deadline", p.Deadline.Deadline, 0)
	return firstFault(err, err2, inRange("max", p.Max, 0, 255), inRange("port", p.Port, 1, 65535))
}

func probeHops(ctx context.Context, h host.Host, want *Hops) (*Hops, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	out := *want
	broken := false
	err = want.until(ctx, func() error {
		why, err := out.walk(ctx, n.Probes())
		if broken = err != nil; broken {
			return err
		}
		way := strings.Join(out.Hops, ", ")
		what := "hops to " + want.Address
		if want.NetNS != "" {
			what += " from netns " + want.NetNS
		}
		switch {
		case why != "":
			return fmt.Errorf("%s: it is not reached: %s (so far: %s)", what, why, cmp.Or(way, "no router"))
		case want.Expect != nil && !slices.Equal(want.Expect, out.Hops):
			return fmt.Errorf("%s: expected %s, but it is %s", what, cmp.Or(strings.Join(want.Expect, ", "), "none in between"), cmp.Or(way, "none in between"))
		}
		return nil
	}, func(error) bool { return broken })
	return &out, err
}

// walk finds hop by hop, and returns why the last one is not reached.
func (p *Hops) walk(ctx context.Context, probes host.Probes) (why string, err error) {
	p.Hops = []string{}
	longest, silent := 30, 0
	if p.Max != nil {
		longest = *p.Max
	}
	for ttl := 1; ttl <= longest+1; ttl++ {
		r, reached, err := p.hop(ctx, probes, ttl)
		switch {
		case err != nil || reached:
			return "", err
		case r.Expired:
			p.Hops, silent = append(p.Hops, r.From), 0
		case r.Unreachable != "":
			return r.Unreachable, nil
		default:
			if silent++; silent == 4 { // a way goes on behind one or two that are silent
				p.Hops = p.Hops[:len(p.Hops)-3]
				return "nobody answers any more", nil
			}
			p.Hops = append(p.Hops, "*")
		}
	}
	return fmt.Sprintf("there are more than %d routers", longest), nil
}

// hop asks twice before it takes one for silent.
func (p *Hops) hop(ctx context.Context, probes host.Probes, ttl int) (r host.PingResult, reached bool, err error) {
	o := host.PingOptions{Size: 32, TTL: ttl, Source: p.Source}
	o.Timeout, _ = duration("", p.Wait, time.Second) // validated
	for range 2 {
		if p.Proto == "udp" {
			port := 33434
			if p.Port != nil {
				port = *p.Port
			}
			address := p.Address
			if strings.Contains(address, ":") {
				address = "[" + address + "]"
			}
			var answer []byte
			answer, r, err = probes.UDP(ctx, fmt.Sprintf("%s:%d", address, port), make([]byte, o.Size), o)
			reached = answer != nil || strings.HasPrefix(r.Unreachable, "port unreachable")
		} else {
			r, err = probes.Ping(ctx, p.Address, o)
			reached = r.Received > 0
		}
		if err != nil || reached || r.Unreachable != "" {
			break
		}
	}
	return r, reached, err
}
