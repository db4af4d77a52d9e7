package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Rules returns the routing policy database of the namespace.
func (n *Net) Rules() host.Rules { return rules{n} }

type rules struct{ *Net }

const (
	sizeofRuleHdr = 12 // struct fib_rule_hdr, linux/fib_rules.h
	ruleInvert    = 2  // FIB_RULE_INVERT
)

var ruleActions = map[uint8]string{unix.FR_ACT_TO_TBL: "lookup", unix.FR_ACT_BLACKHOLE: "blackhole",
	unix.FR_ACT_UNREACHABLE: "unreachable", unix.FR_ACT_PROHIBIT: "prohibit", unix.FR_ACT_GOTO: "goto", unix.FR_ACT_NOP: "nop"}

func (r rules) List(ctx context.Context, family int) ([]host.Rule, error) {
	out := []host.Rule{}
	for _, f := range []int{4, 6} {
		if family != 0 && family != f {
			continue
		}
		header := make([]byte, sizeofRuleHdr)
		header[0] = afOf(f)
		replies, err := r.conn.Dump(ctx, rtnl.New(unix.RTM_GETRULE, 0, header))
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue
		}
		if err != nil {
			return nil, failed("list rules", "", err)
		}
		for _, reply := range replies {
			if reply.Data[0] == afOf(f) {
				out = append(out, decodeRule(f, reply.Data))
			}
		}
	}
	return out, nil
}

func decodeRule(family int, b []byte) host.Rule {
	out := host.Rule{Family: family, Table: int(b[4]), Action: number(ruleActions, b[7]), Not: rtnl.U32(b[8:])&ruleInvert != 0}
	for typ, v := range rtnl.Attrs(b[sizeofRuleHdr:]) {
		switch typ {
		case unix.FRA_PRIORITY:
			out.Priority = int(rtnl.U32(v))
		case unix.FRA_SRC:
			out.From = prefixText(v, b[2])
		case unix.FRA_DST:
			out.To = prefixText(v, b[1])
		case unix.FRA_IIFNAME:
			out.IIF = rtnl.Str(v)
		case unix.FRA_OIFNAME:
			out.OIF = rtnl.Str(v)
		case unix.FRA_FWMARK:
			out.FwMark = rtnl.U32(v)
		case unix.FRA_FWMASK:
			out.FwMask = rtnl.U32(v)
		case unix.FRA_IP_PROTO:
			out.IPProto = int(rtnl.U8(v))
		case unix.FRA_SPORT_RANGE:
			out.SPort = portsText(v)
		case unix.FRA_DPORT_RANGE:
			out.DPort = portsText(v)
		case unix.FRA_TABLE:
			out.Table = int(rtnl.U32(v))
		case unix.FRA_SUPPRESS_PREFIXLEN:
			if n := int32(rtnl.U32(v)); n >= 0 {
				out.SuppressPrefixLength = ptr(int(n))
			}
		}
	}
	if out.Action != "lookup" {
		out.Table = 0
	}
	if out.FwMask == 1<<32-1 {
		out.FwMask = 0 // all ones is what a mark without a mask means
	}
	return out
}

func prefixText(v []byte, bits uint8) string {
	a, ok := netip.AddrFromSlice(v)
	if !ok {
		return ""
	}
	return netip.PrefixFrom(a, int(bits)).String()
}

// portsText decodes struct fib_rule_port_range, in host order.
func portsText(v []byte) string {
	if len(v) < 4 {
		return ""
	}
	from, to := rtnl.U16(v), rtnl.U16(v[2:])
	if from == to {
		return strconv.Itoa(int(from))
	}
	return fmt.Sprintf("%d-%d", from, to)
}

// Add looks for the same rule itself: with NLM_F_EXCL the kernel takes any rule that is more specific for the same
// (rule_exists, net/core/fib_rules.c).
func (r rules) Add(ctx context.Context, want host.Rule) error {
	all, err := r.List(ctx, want.Family)
	if err != nil {
		return err
	}
	for _, have := range all {
		if reflect.DeepEqual(have, want) {
			return failed("add rule", strconv.Itoa(want.Priority), unix.EEXIST)
		}
	}
	return r.change("add rule", unix.RTM_NEWRULE, unix.NLM_F_CREATE, want)
}

func (r rules) Delete(_ context.Context, want host.Rule) error {
	return r.change("delete rule", unix.RTM_DELRULE, 0, want)
}

func (r rules) change(op string, typ, flags uint16, want host.Rule) error {
	m, err := ruleMessage(typ, flags, want)
	if err == nil {
		err = r.conn.Do(m)
	}
	return failed(op, strconv.Itoa(want.Priority), err)
}

func ruleMessage(typ, flags uint16, want host.Rule) (*rtnl.Message, error) {
	header := make([]byte, sizeofRuleHdr)
	header[0] = afOf(want.Family)
	var err error
	if header[7], err = byName(ruleActions, want.Action, unix.FR_ACT_TO_TBL); err != nil {
		return nil, fmt.Errorf("action %w", err)
	}
	if want.Not {
		rtnl.Put32(header[8:], ruleInvert)
	}
	m := rtnl.New(typ, flags, header)
	prefix := func(typ uint16, bits *byte, text string) {
		if text == "" || err != nil {
			return
		}
		p, e := netip.ParsePrefix(text)
		if e != nil {
			err = fmt.Errorf("prefix %q: %w", text, unix.EINVAL)
			return
		}
		*bits = byte(p.Bits())
		m.Attr(typ, p.Addr().AsSlice())
	}
	var dstLen, srcLen byte
	prefix(unix.FRA_DST, &dstLen, want.To)
	prefix(unix.FRA_SRC, &srcLen, want.From)
	m.Patch(1, dstLen)
	m.Patch(2, srcLen)
	if err != nil {
		return nil, err
	}
	m.U32(unix.FRA_PRIORITY, uint32(want.Priority))
	ruleMatches(m, want)
	for typ, text := range map[uint16]string{unix.FRA_SPORT_RANGE: want.SPort, unix.FRA_DPORT_RANGE: want.DPort} {
		if err := portRange(m, typ, text); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func ruleMatches(m *rtnl.Message, want host.Rule) {
	if want.IIF != "" {
		m.Str(unix.FRA_IIFNAME, want.IIF)
	}
	if want.OIF != "" {
		m.Str(unix.FRA_OIFNAME, want.OIF)
	}
	if want.FwMark != 0 || want.FwMask != 0 {
		m.U32(unix.FRA_FWMARK, want.FwMark)
	}
	if want.FwMask != 0 {
		m.U32(unix.FRA_FWMASK, want.FwMask)
	}
	if want.IPProto != 0 {
		m.U8(unix.FRA_IP_PROTO, uint8(want.IPProto))
	}
	if want.Table != 0 {
		m.U32(unix.FRA_TABLE, uint32(want.Table))
	}
	if want.SuppressPrefixLength != nil {
		m.U32(unix.FRA_SUPPRESS_PREFIXLEN, uint32(*want.SuppressPrefixLength))
	}
}

func portRange(m *rtnl.Message, typ uint16, text string) error {
	if text == "" {
		return nil
	}
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	from, err := strconv.ParseUint(low, 10, 16)
	to, err2 := strconv.ParseUint(high, 10, 16)
	if err != nil || err2 != nil {
		return fmt.Errorf("port %q: %w", text, unix.EINVAL)
	}
	m.Attr(typ, rtnl.Put16s(uint16(from), uint16(to)))
	return nil
}
