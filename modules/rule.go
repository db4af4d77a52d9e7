package modules

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Rule]{
		Name: "rule",
		Doc:  "Manages a rule of the routing policy database. Its priority is its name: one rule of a family has it.",
		Example: `rule "100" {
  from  = "192.168.60.0/24"
  table = 100
}`,
		Validate: (*Rule).validate, Complete: (*Rule).complete, Read: readRule, Apply: applyRule,
	})
}

// Rule is an entry of the routing policy database (ip-rule(8)). A rule is a whole: what is unset matches everything.
type Rule struct {
	InNetNS
	Priority             string `json:"priority" lab:"key" doc:"Priority, 1 to 2147483647; lower ones are asked first."`
	Family               string `json:"family,omitempty" lab:"option" enum:"inet,inet6" doc:"Family of a rule that has no address to tell it; inet if unset."`
	Not                  bool   `json:"not,omitempty" lab:"exact" default:"false" doc:"Whether the rule applies to what does not match."`
	From                 string `json:"from,omitempty" lab:"exact" doc:"Source network; all if unset."`
	To                   string `json:"to,omitempty" lab:"exact" doc:"Destination network; all if unset."`
	IIF                  string `json:"iif,omitempty" lab:"exact" doc:"Device that the packet came in by, lo for the host's own packets."`
	OIF                  string `json:"oif,omitempty" lab:"exact" doc:"Device that the sending socket is bound to."`
	FwMark               string `json:"fwmark,omitempty" lab:"exact" doc:"Mark of the packet, and optionally a mask: 0x1/0xff."`
	IPProto              string `json:"ipproto,omitempty" lab:"exact" doc:"IP protocol: tcp, udp, icmp, ipv6-icmp, sctp or a number."`
	SPort                string `json:"sport,omitempty" lab:"exact" doc:"Source port or range such as 1000-2000; needs ipproto."`
	DPort                string `json:"dport,omitempty" lab:"exact" doc:"Destination port or range; needs ipproto."`
	Action               string `json:"action,omitempty" enum:"lookup,blackhole,unreachable,prohibit" default:"lookup" doc:"What happens to packets."`
	Table                int    `json:"table,omitempty" lab:"exact" doc:"Number of the routing table to look up; 254 is main."`
	SuppressPrefixLength *int   `json:"suppress_prefixlength,omitempty" lab:"exact" doc:"Ignore routes whose prefix is this long or shorter."`
}

var ipProtocols = map[string]int{"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132}

func (r *Rule) validate() error {
	p, err := strconv.ParseUint(r.Priority, 10, 32)
	if err != nil || p == 0 || p > 1<<31-1 {
		return argf("priority", "%q is not a number between 1 and 2147483647", r.Priority)
	}
	r.Priority = strconv.FormatUint(p, 10)
	if r.Action == "" {
		r.Action = "lookup"
	}
	for _, a := range []struct {
		path string
		text *string
	}{{"from", &r.From}, {"to", &r.To}} {
		if err := r.validNetwork(a.path, a.text); err != nil {
			return err
		}
	}
	if r.Family == "" {
		r.Family = "inet"
	}
	for path, dev := range map[string]string{"iif": r.IIF, "oif": r.OIF} {
		if dev != "" {
			if err := validDevice(path, dev); err != nil {
				return err
			}
		}
	}
	return firstFault(r.validMark(), r.validProtocol(), r.validPorts("sport", &r.SPort), r.validPorts("dport", &r.DPort),
		inRange("table", &r.Table, 0, 1<<31-1), inRange("suppress_prefixlength", r.SuppressPrefixLength, 0, 128))
}

func (r *Rule) complete() error {
	if r.Action == "lookup" && r.Table == 0 {
		return argf("table", "required argument is missing: the number of the table to look up")
	}
	if r.Action != "lookup" && r.Table != 0 {
		return argf("table", "a rule with action %s looks up no table", r.Action)
	}
	return nil
}

// validNetwork writes a network as the kernel does, all as "", and settles the family.
func (r *Rule) validNetwork(path string, text *string) error {
	if *text == "" || *text == "all" {
		*text = ""
		return nil
	}
	p, err := netip.ParsePrefix(*text)
	if a, e := netip.ParseAddr(*text); err != nil && e == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil || p.Addr().Is4In6() {
		return argf(path, "%q is not a network such as 10.0.0.0/8", *text)
	}
	if p.Masked() != p {
		return argf(path, "%s has bits set beyond its prefix; did you mean %s?", p, p.Masked())
	}
	family := familyName(p.Addr())
	if r.Family != "" && r.Family != family {
		return argf(path, "%s is not of family %s", p, r.Family)
	}
	r.Family, *text = family, p.String()
	if p.Bits() == 0 {
		*text = ""
	}
	return nil
}

// validMark writes a mark as "0x1", with its mask when that is not all ones.
func (r *Rule) validMark() error {
	if r.FwMark == "" {
		return nil
	}
	text, maskText, masked := strings.Cut(r.FwMark, "/")
	mark, err := strconv.ParseUint(text, 0, 32)
	mask := uint64(1<<32 - 1)
	if err == nil && masked {
		mask, err = strconv.ParseUint(maskText, 0, 32)
	}
	if err != nil {
		return argf("fwmark", "%q is not a number of 32 bits, or two as mark/mask", r.FwMark)
	}
	r.FwMark = markText(uint32(mark), uint32(mask))
	return nil
}

func markText(mark, mask uint32) string {
	switch {
	case mark == 0 && mask == 0:
		return ""
	case mask == 0 || mask == 1<<32-1:
		return fmt.Sprintf("%#x", mark)
	}
	return fmt.Sprintf("%#x/%#x", mark, mask)
}

func (r *Rule) validProtocol() error {
	if r.IPProto == "" {
		return nil
	}
	n, known := ipProtocols[r.IPProto]
	if !known {
		v, err := strconv.ParseUint(r.IPProto, 10, 8)
		if err != nil || v == 0 {
			return argf("ipproto", "%q is not a protocol known here; give its number", r.IPProto)
		}
		n = int(v)
	}
	r.IPProto = protocolText(n)
	return nil
}

func protocolText(n int) string {
	for name, v := range ipProtocols {
		if v == n {
			return name
		}
	}
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (r *Rule) validPorts(path string, text *string) error {
	if *text == "" {
		return nil
	}
	if r.IPProto == "" {
		return argf(path, "a port needs ipproto")
	}
	low, high, isRange := strings.Cut(*text, "-")
	if !isRange {
		high = low
	}
	a, err := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if err != nil || err2 != nil || a == 0 || a > b {
		return argf(path, "%q is neither a port nor a range such as 1000-2000", *text)
	}
	if *text = strconv.FormatUint(a, 10); a != b {
		*text += "-" + strconv.FormatUint(b, 10)
	}
	return nil
}

func readRule(ctx context.Context, h host.Host, want *Rule) (*Rule, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	found, err := want.find(ctx, n)
	if err != nil || found == nil {
		return nil, err
	}
	f := *found
	return &Rule{InNetNS: want.InNetNS, Priority: want.Priority, Family: want.Family, Not: f.Not, From: f.From, To: f.To, IIF: f.IIF, OIF: f.OIF,
		FwMark: markText(f.FwMark, f.FwMask), IPProto: protocolText(f.IPProto), SPort: f.SPort, DPort: f.DPort, Action: f.Action, Table: f.Table,
		SuppressPrefixLength: f.SuppressPrefixLength}, nil
}

// find returns the rule of this priority. Several are not ours to choose from.
func (r *Rule) find(ctx context.Context, n host.Net) (*host.Rule, error) {
	all, err := n.Rules().List(ctx, familyNumber(r.Family))
	if err != nil {
		return nil, err
	}
	var found *host.Rule
	for _, f := range all {
		if strconv.Itoa(f.Priority) != r.Priority {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("rule %s: several rules have this priority; remove them or take another one", r.Priority)
		}
		found = &f
	}
	return found, nil
}

// applyRule adds the new rule before it removes the old one, so that no packet falls between.
func applyRule(ctx context.Context, h host.Host, have, want *Rule, _ Diff) error {
	one := want
	if want == nil {
		one = have
	}
	n, err := one.net(ctx, h)
	if err != nil {
		return err
	}
	if want != nil {
		if err := n.Rules().Add(ctx, want.rule()); err != nil {
			return err
		}
	}
	if have == nil {
		return nil
	}
	return n.Rules().Delete(ctx, have.rule())
}

// rule returns r as data. It is valid: numbers parse.
func (r *Rule) rule() host.Rule {
	out := host.Rule{Family: familyNumber(r.Family), Not: r.Not, From: r.From, To: r.To, IIF: r.IIF, OIF: r.OIF, SPort: r.SPort, DPort: r.DPort,
		Action: r.Action, Table: r.Table, SuppressPrefixLength: r.SuppressPrefixLength}
	out.Priority, _ = strconv.Atoi(r.Priority)
	text, mask, _ := strings.Cut(r.FwMark, "/")
	m, _ := strconv.ParseUint(text, 0, 32)
	k, _ := strconv.ParseUint(mask, 0, 32)
	out.FwMark, out.FwMask = uint32(m), uint32(k)
	if n, ok := ipProtocols[r.IPProto]; ok {
		out.IPProto = n
	} else {
		out.IPProto, _ = strconv.Atoi(r.IPProto)
	}
	return out
}
