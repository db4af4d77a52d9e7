package modules

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"labctl/modules/host"
	"labctl/modules/pcapfilter"
)

func init() {
	Register(Spec[ARP]{
		Name: "arp",
		Doc:  "Asks by ARP who has an IPv4 address, as arping(8): a neighbour that drops all IP answers, too.",
		Example: `arp "192.168.50.5" {
  dev    = "enp0s8"
  lladdr = "02:00:00:00:00:05"
}
arp "192.168.70.6" {
  dev    = "enp0s8.100"
  expect = "none"
}
`,
		Validate: (*ARP).validate, Probe: probeARP,
	})
}

// ARP is a question to everybody on a link.
type ARP struct {
	Address string `json:"address" lab:"key" doc:"IPv4 address that is asked for."`
	Dev     string `json:"dev" lab:"required" doc:"Device to ask on."`
	Expect  string `json:"expect,omitempty" enum:"answer,none" default:"answer" doc:"answer: one station has the address. none: nobody on the link has."`
	LLAddr  string `json:"lladdr,omitempty" doc:"MAC address that it has; any if unset."`
	Source  string `json:"source,omitempty" lab:"option" doc:"Address that is asked from; if unset that of the device in the same network, else its first, else 0.0.0.0 as for duplicate address detection."`
	VLAN    *int   `json:"vlan,omitempty" lab:"option" doc:"VLAN to ask in on a trunk: the frame gets a tag."`
	Wait    string `json:"wait,omitempty" lab:"option" default:"1s" doc:"How long to wait for an answer in each try."`
	InNetNS
	Deadline
	Answers []string `json:"answers,omitempty" lab:"computed" doc:"MAC addresses that answered in the last try."`
}

func (a *ARP) validate() error {
	a.Expect = cmp.Or(a.Expect, "answer")
	for path, text := range map[string]string{"address": a.Address, "source": cmp.Or(a.Source, "0.0.0.0")} {
		if ip, err := netip.ParseAddr(text); err != nil || !ip.Is4() {
			return argf(path, "%q is not an IPv4 address", text)
		}
	}
	_, err := duration("wait", a.Wait, 0)
	_, err2 := duration("deadline", a.Deadline.Deadline, 0)
	return firstFault(err, err2, validDevice("dev", a.Dev), validLLAddr("lladdr", &a.LLAddr), inRange("vlan", a.VLAN, 0, 4094))
}

func probeARP(ctx context.Context, h host.Host, want *ARP) (*ARP, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	out := *want
	broken := false
	err = want.until(ctx, func() error {
		var err error
		out.Answers, err = want.ask(ctx, n)
		if broken = err != nil; broken {
			return err
		}
		return want.judge(out.Answers)
	}, func(error) bool { return broken })
	return &out, err
}

func (a *ARP) judge(answers []string) error {
	what := fmt.Sprintf("arp for %s on %s", a.Address, a.Dev)
	if a.NetNS != "" {
		what += " in netns " + a.NetNS
	}
	switch {
	case a.Expect == "none" && len(answers) > 0:
		return fmt.Errorf("%s: expected no answer, but %s has it", what, strings.Join(answers, " and "))
	case a.Expect == "none":
		return nil
	case len(answers) == 0:
		return fmt.Errorf("%s: nobody answers", what)
	case len(answers) > 1:
		return fmt.Errorf("%s: more than one station has the address: %s", what, strings.Join(answers, ", "))
	case a.LLAddr != "" && answers[0] != a.LLAddr:
		return fmt.Errorf("%s: expected %s, but %s has it", what, a.LLAddr, answers[0])
	}
	return nil
}

// ask sends one request and returns the MAC addresses that answer. After the first it waits a little for another.
func (a *ARP) ask(ctx context.Context, n host.Net) (answers []string, err error) {
	request, err := a.request(ctx, n)
	if err != nil {
		return nil, err
	}
	text := "arp src host " + a.Address
	if a.VLAN != nil {
		text = fmt.Sprintf("vlan %d and %s", *a.VLAN, text)
	}
	f, err := pcapfilter.Parse(text)
	if err != nil {
		return nil, err
	}
	c, err := n.Probes().Capture(ctx, host.CaptureOptions{Dev: a.Dev, Ethernet: f.Ethernet(), Plain: f.Plain()})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Send(request); err != nil {
		return nil, err
	}
	wait, _ := duration("", a.Wait, time.Second) // validated
	for end := time.Now().Add(wait); ; {
		frame, err := c.Next(ctx, time.Until(end))
		if frame == nil || err != nil {
			return answers, err
		}
		at := len(request) - 42 // of tags
		if b := frame.Data; len(b) >= at+42 && binary.BigEndian.Uint16(b[at+20:]) == 2 && !slices.Contains(answers, host.MAC(b[at+22:at+28])) {
			answers = append(answers, host.MAC(b[at+22:at+28]))
			end = time.Now().Add(min(time.Until(end), 100*time.Millisecond))
		}
	}
}

// request is a frame as RFC 826 has it.
func (a *ARP) request(ctx context.Context, n host.Net) ([]byte, error) {
	l, err := n.Links().Get(ctx, a.Dev)
	if err != nil {
		return nil, err
	}
	var mac []byte
	if l.Address != nil {
		mac, _ = host.ParseMAC(*l.Address)
	}
	if len(mac) != 6 {
		return nil, fmt.Errorf("arp on %s: the device has no MAC address, so there is no ARP on it", a.Dev)
	}
	src, err := a.source(ctx, n)
	if err != nil {
		return nil, err
	}
	b := append([]byte{255, 255, 255, 255, 255, 255}, mac...)
	if a.VLAN != nil {
		b = append(b, 0x81, 0, byte(*a.VLAN>>8), byte(*a.VLAN))
	}
	b = append(append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1), mac...)
	b = append(append(append(b, src.AsSlice()...), 0, 0, 0, 0, 0, 0), netip.MustParseAddr(a.Address).AsSlice()...)
	return b, nil
}

func (a *ARP) source(ctx context.Context, n host.Net) (netip.Addr, error) {
	if a.Source != "" {
		return netip.ParseAddr(a.Source)
	}
	addrs, err := n.Addrs().List(ctx, a.Dev)
	src, target := netip.IPv4Unspecified(), netip.MustParseAddr(a.Address)
	for _, addr := range addrs {
		p, err := netip.ParsePrefix(addr.CIDR)
		if err == nil && p.Addr().Is4() && (src.IsUnspecified() || p.Contains(target)) {
			src = p.Addr()
		}
	}
	return src, err
}
