package linux

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Qdiscs returns the queueing disciplines of the namespace.
func (n *Net) Qdiscs() host.Qdiscs { return qdiscs{n} }

type qdiscs struct{ *Net }

const (
	tcaKind, tcaOptions = 1, 2       // linux/rtnetlink.h
	handleRoot          = 0xFFFFFFFF // TC_H_ROOT
	handleIngress       = 0xFFFFFFF1 // TC_H_INGRESS, TC_H_CLSACT
)

// qdiscOption is a number in TCA_OPTIONS: width bytes at an offset of an attribute of size bytes. Attribute 0 is the struct that
// comes before all others. One without a name is always written, with the value fixed.
type qdiscOption struct {
	name            string
	attr            uint16
	size, at, width int
	fixed           byte
}

// qdiscOptions are those of linux/pkt_sched.h. The link layer of rates is Ethernet (1), so that the kernel needs no table of
// transmission times (psched_ratecfg_precompute).
var qdiscOptions = map[string][]qdiscOption{
	"netem": {{"limit", 0, 24, 4, 4, 0}, {"loss", 0, 24, 8, 4, 0}, {"gap", 0, 24, 12, 4, 0}, {"duplicate", 0, 24, 16, 4, 0}, // tc_netem_qopt
		{"reorder", 3, 8, 0, 4, 0}, {"corrupt", 4, 8, 0, 4, 0}, {"rate", 6, 16, 0, 4, 0}, {"delay", 10, 8, 0, 8, 0}, {"jitter", 11, 8, 0, 8, 0}},
	"tbf":      {{"", 1, 36, 1, 1, 1}, {"rate", 1, 36, 8, 4, 0}, {"limit", 1, 36, 24, 4, 0}, {"buffer", 1, 36, 28, 4, 0}}, // tc_tbf_qopt
	"htb":      {{"", 2, 20, 0, 1, 3}, {"r2q", 2, 20, 4, 4, 0}, {"default", 2, 20, 8, 4, 0}},                              // tc_htb_glob, version 3
	"fq_codel": {{"target", 1, 4, 0, 4, 0}, {"limit", 2, 4, 0, 4, 0}, {"interval", 3, 4, 0, 4, 0}, {"ecn", 4, 4, 0, 4, 0}, {"flows", 5, 4, 0, 4, 0}},
	"class": {{"", 1, 44, 1, 1, 1}, {"", 1, 44, 13, 1, 1}, {"rate", 1, 44, 8, 4, 0}, {"ceil", 1, 44, 20, 4, 0}, {"buffer", 1, 44, 24, 4, 0}, // tc_htb_opt
		{"cbuffer", 1, 44, 28, 4, 0}, {"quantum", 1, 44, 32, 4, 0}, {"prio", 1, 44, 40, 4, 0}},
}

// encode appends the options that are set, each attribute once.
func encodeOptions(m *rtnl.Message, kind string, values map[string]int64) {
	bufs := map[uint16][]byte{}
	var order []uint16
	for _, o := range qdiscOptions[kind] {
		v, ok := values[o.name]
		if o.name == "" {
			v, ok = int64(o.fixed), true
		}
		if !ok {
			continue
		}
		if kind == "fq_codel" && (o.name == "target" || o.name == "interval") && host.Codel(v) != v {
			v++ // what comes back as v
		}
		if bufs[o.attr] == nil {
			bufs[o.attr] = make([]byte, o.size)
			order = append(order, o.attr)
		}
		putOption(bufs[o.attr][o.at:o.at+o.width], uint64(v))
	}
	slices.Sort(order)
	for _, attr := range order {
		if attr == 0 {
			m.Raw(bufs[attr])
		} else {
			m.Attr(attr, bufs[attr])
		}
	}
}

func putOption(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 4:
		rtnl.Put32(b, uint32(v))
	default:
		rtnl.Put64(b, v)
	}
}

func decodeOptions(kind string, b []byte) map[string]int64 {
	attrs := map[uint16][]byte{}
	for _, o := range qdiscOptions[kind] {
		if o.attr == 0 && attrs[0] == nil && len(b) >= o.size {
			attrs[0], b = b[:o.size], b[o.size:]
		}
	}
	for typ, v := range rtnl.Attrs(b) {
		attrs[typ] = v
	}
	var out map[string]int64
	for _, o := range qdiscOptions[kind] {
		v := attrs[o.attr]
		if o.name == "" || len(v) < o.at+o.width {
			continue
		}
		if out == nil {
			out = map[string]int64{}
		}
		if out[o.name] = int64(rtnl.U32(v[o.at:])); o.width == 8 {
			out[o.name] = int64(rtnl.U64(v[o.at:]))
		}
	}
	return out
}

// tcmsg is struct tcmsg.
func tcmsg(index int, handle, parent uint32) []byte {
	b := make([]byte, 20)
	rtnl.Put32(b[4:], uint32(index))
	rtnl.Put32(b[8:], handle)
	rtnl.Put32(b[12:], parent)
	return b
}

// handleText writes a handle or class as tc does: "1:", "1:10", in hexadecimal.
func handleText(h uint32) string {
	switch {
	case h == handleRoot:
		return "root"
	case h == handleIngress:
		return "ingress"
	case h&0xFFFF == 0:
		return fmt.Sprintf("%x:", h>>16)
	}
	return fmt.Sprintf("%x:%x", h>>16, h&0xFFFF)
}

// handleNumber reads what handleText writes; "" is 0.
func handleNumber(s string) (uint32, error) {
	switch s {
	case "":
		return 0, nil
	case "root":
		return handleRoot, nil
	case "ingress":
		return handleIngress, nil
	}
	major, minor, _ := strings.Cut(s, ":")
	a, err := strconv.ParseUint(major, 16, 16)
	b := uint64(0)
	if minor != "" && err == nil {
		b, err = strconv.ParseUint(minor, 16, 16)
	}
	if err != nil {
		return 0, fmt.Errorf("handle %q: %w", s, unix.EINVAL)
	}
	return uint32(a<<16 | b), nil
}

func (d *decoder) qdisc(b []byte) host.Qdisc {
	q := host.Qdisc{Link: d.name(rtnl.U32(b[4:])), Handle: handleText(rtnl.U32(b[8:])), Parent: handleText(rtnl.U32(b[12:]))}
	var options []byte
	for typ, v := range rtnl.Attrs(b[20:]) {
		switch typ {
		case tcaKind:
			q.Kind = rtnl.Str(v)
		case tcaOptions:
			options = v
		}
	}
	q.Options = decodeOptions(q.Kind, options)
	return q
}

func (n qdiscs) List(ctx context.Context, link string) ([]host.Qdisc, error) {
	replies, err := n.conn.Dump(ctx, rtnl.New(unix.RTM_GETQDISC, 0, tcmsg(0, 0, 0)))
	if err != nil {
		return nil, failed("list qdiscs", link, err)
	}
	d := n.newDecoder()
	out := []host.Qdisc{}
	for _, r := range replies {
		q := d.qdisc(r.Data)
		if q.Handle == "0:" || link != "" && q.Link != link {
			continue
		}
		if q, err = n.withClasses(ctx, q, rtnl.U32(r.Data[4:])); err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// Get asks for one. The kernel answers by the notification of a change, and says nothing of what it has attached by itself.
func (n qdiscs) Get(ctx context.Context, want host.Qdisc) (host.Qdisc, error) {
	index, _, parent, err := n.place(want)
	if err != nil {
		return want, failed("get qdisc", object(want), err)
	}
	replies, err := n.conn.Echo(rtnl.New(unix.RTM_GETQDISC, 0, tcmsg(index, 0, parent)))
	for _, r := range replies {
		if q := n.newDecoder().qdisc(r.Data); q.Handle != "0:" && q.Link == want.Link {
			q.Parent = want.Parent
			return n.withClasses(ctx, q, uint32(index))
		}
	}
	if err == nil {
		err = unix.ENOENT
	}
	return want, failed("get qdisc", object(want), err)
}

func object(q host.Qdisc) string { return "dev " + q.Link + " " + q.Parent }

func (n qdiscs) place(q host.Qdisc) (index int, handle, parent uint32, err error) {
	index, err = n.index(q.Link)
	handle, err2 := handleNumber(q.Handle)
	parent, err3 := handleNumber(q.Parent)
	return index, handle, parent, errors.Join(err, err2, err3)
}

// withClasses adds the classes of htb.
func (n qdiscs) withClasses(ctx context.Context, q host.Qdisc, index uint32) (host.Qdisc, error) {
	if q.Kind != "htb" {
		return q, nil
	}
	replies, err := n.conn.Dump(ctx, rtnl.New(unix.RTM_GETTCLASS, 0, tcmsg(int(index), 0, 0)))
	if err != nil {
		return q, failed("list classes", object(q), err)
	}
	host.Sort(replies, func(a, b rtnl.Reply) int { return int(rtnl.U32(a.Data[8:])) - int(rtnl.U32(b.Data[8:])) })
	for _, r := range replies {
		c := n.newDecoder().qdisc(r.Data)
		if !strings.HasPrefix(c.Handle, q.Handle) {
			continue
		}
		if c.Parent == "root" {
			c.Parent = q.Handle
		}
		for typ, v := range rtnl.Attrs(r.Data[20:]) {
			if typ == tcaOptions {
				c.Options = decodeOptions("class", v)
			}
		}
		q.Classes = append(q.Classes, host.QdiscClass{ID: c.Handle, Parent: c.Parent, Options: c.Options})
	}
	return q, nil
}

func (n qdiscs) Set(ctx context.Context, q host.Qdisc) error {
	index, handle, parent, err := n.place(q)
	if err == nil {
		options := q.Options
		if _, e := n.Get(ctx, q); errors.Is(e, host.ErrNotExist) {
			options = q.Complete(q.Kind, options)
		}
		if parent == handleIngress {
			handle = 0xFFFF0000
		}
		m := rtnl.New(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, tcmsg(index, handle, parent)).Str(tcaKind, q.Kind)
		if qdiscOptions[q.Kind] != nil {
			m.Nest(tcaOptions, func() { encodeOptions(m, q.Kind, options) })
		}
		err = n.conn.Do(m)
	}
	return failed("set qdisc", object(q), err)
}

func (n qdiscs) Delete(_ context.Context, q host.Qdisc) error {
	index, _, parent, err := n.place(q)
	if err == nil {
		err = n.conn.Do(rtnl.New(unix.RTM_DELQDISC, 0, tcmsg(index, 0, parent)))
	}
	return failed("delete qdisc", object(q), err)
}

func (n qdiscs) SetClasses(_ context.Context, q host.Qdisc, cs ...host.QdiscClass) error {
	return n.classes("set class", unix.RTM_NEWTCLASS, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, q, cs)
}

func (n qdiscs) DeleteClasses(_ context.Context, q host.Qdisc, cs ...host.QdiscClass) error {
	return n.classes("delete class", unix.RTM_DELTCLASS, 0, q, cs)
}

func (n qdiscs) classes(op string, typ, flags uint16, q host.Qdisc, cs []host.QdiscClass) error {
	var ms []*rtnl.Message
	for _, c := range cs {
		index, handle, parent, err := n.place(host.Qdisc{Link: q.Link, Handle: c.ID, Parent: c.Parent})
		if err != nil {
			return failed(op, c.ID+" dev "+q.Link, err)
		}
		m := rtnl.New(typ, flags, tcmsg(index, handle, parent)).Str(tcaKind, q.Kind)
		if typ == unix.RTM_NEWTCLASS {
			m.Nest(tcaOptions, func() { encodeOptions(m, "class", q.Complete("class", c.Options)) })
		}
		ms = append(ms, m)
	}
	if i, err := n.conn.DoAll(ms); err != nil {
		return failed(op, cs[i].ID+" dev "+q.Link, err)
	}
	return nil
}
