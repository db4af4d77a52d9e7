package modules

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Qdisc]{
		Name: "qdisc",
		Doc: "Manages a queueing discipline of a device, as tc(8): what delays, loses, shapes and queues its packets. With ensure = \"absent\" the " +
			"device gets back what it has by itself (noqueue, pfifo_fast, or what net.core.default_qdisc says).",
		Example: `qdisc "eth1" {
  kind   = "netem"
  delay  = "100ms"
  jitter = "10ms"
  loss   = "0.5%"
}
qdisc "eth2" {
  kind    = "tbf"
  rate    = "10mbit"
  burst   = "32kb"
  latency = "50ms"
}
qdisc "eth3" {
  kind    = "htb"
  default = "20"
  class {
    classid = "1:10"
    rate    = "6mbit"
    ceil    = "10mbit"
  }
  class {
    classid = "1:20"
    rate    = "4mbit"
    prio    = 1
  }
}
qdisc "eth3" {
  parent   = "1:20"
  kind     = "fq_codel"
  target   = "5ms"
  interval = "100ms"
}`,
		Validate: (*Qdisc).validate, Complete: (*Qdisc).complete, Read: readQdisc, Apply: applyQdisc,
	})
}

// Qdisc is a queueing discipline at one place of a device.
type Qdisc struct {
	InNetNS
	Dev    string `json:"dev" lab:"key" doc:"Device name."`
	Parent string `json:"parent,omitempty" lab:"option" default:"root" doc:"What it serves: root, or a class such as 1:10 (of netem and tbf the one with number 1). Of clsact and ingress always the ingress side."`
	Kind   string `json:"kind,omitempty" lab:"required,immutable" enum:"netem,tbf,htb,fq_codel,fq,pfifo_fast,ingress,clsact" doc:"Kind of queueing discipline. With ensure = \"absent\" only told for clsact and ingress."`
	Handle string `json:"handle,omitempty" lab:"immutable" doc:"Its name for classes and filters, such as 1:, in hexadecimal; of htb with classes that of the classes. Chosen by the kernel if unset."`

	Delay     *string `json:"delay,omitempty" doc:"netem: how long packets are held back, such as 100ms."`
	Jitter    *string `json:"jitter,omitempty" doc:"netem: by how much the delay varies."`
	Loss      *string `json:"loss,omitempty" doc:"netem: share of packets that get lost, such as 0.5%."`
	Duplicate *string `json:"duplicate,omitempty" doc:"netem: share of packets that are sent twice."`
	Corrupt   *string `json:"corrupt,omitempty" doc:"netem: share of packets in which a bit is turned."`
	Reorder   *string `json:"reorder,omitempty" doc:"netem: share of packets that are sent at once, before those that are delayed; needs delay."`
	Rate      *string `json:"rate,omitempty" doc:"netem, tbf: rate such as 10mbit or, in bytes, 1mbps; 34 gbit at most."`
	Burst     *string `json:"burst,omitempty" doc:"tbf: bytes that may go at once, such as 32kb; at least the rate's share of a timer tick and one packet."`
	Latency   *string `json:"latency,omitempty" doc:"tbf: how long a packet may wait; another way to give limit."`
	Limit     *int    `json:"limit,omitempty" doc:"netem, fq_codel: packets that may wait; tbf: bytes."`
	Target    *string `json:"target,omitempty" doc:"fq_codel: acceptable standing delay, such as 5ms."`
	Interval  *string `json:"interval,omitempty" doc:"fq_codel: time in which the delay must come below target once."`
	Flows     *int    `json:"flows,omitempty" lab:"immutable" doc:"fq_codel: number of queues."`
	ECN       *bool   `json:"ecn,omitempty" doc:"fq_codel: whether packets are marked rather than dropped."`

	Default *string      `json:"default,omitempty" lab:"immutable" doc:"htb: number of the class for what no filter puts elsewhere, in hexadecimal; unset or 0: that goes unshaped."`
	Classes []QdiscClass `json:"class,omitempty" doc:"htb: all its classes; left alone if unset."`
}

// QdiscClass is a class of htb.
type QdiscClass struct {
	ID     string  `json:"classid" lab:"required" doc:"Its name, such as 1:10, in hexadecimal."`
	Parent string  `json:"parent,omitempty" doc:"Class that it borrows from, if it is not at the top."`
	Rate   string  `json:"rate" lab:"required" doc:"Rate that it has for itself."`
	Ceil   string  `json:"ceil,omitempty" doc:"Rate that it may have when others do not need theirs; as rate if unset."`
	Burst  *string `json:"burst,omitempty" doc:"Bytes that may go at once at its ceil; 1600 if unset."`
	Prio   int     `json:"prio,omitempty" doc:"Who gets what is left: lower ones first, 0 to 7. Of classes without others below them."`
}

// qdiscNumber is an attribute that is a number of the kernel's.
type qdiscNumber struct {
	kind, name string
	unit       *unit
	text       **string
	number     **int
}

// numbers are the attributes that the kernel keeps as they are given, in its own units.
func (q *Qdisc) numbers() []qdiscNumber {
	return []qdiscNumber{
		{"netem", "delay", &durations, &q.Delay, nil}, {"netem", "jitter", &durations, &q.Jitter, nil}, {"netem", "loss", &shares, &q.Loss, nil},
		{"netem", "duplicate", &shares, &q.Duplicate, nil}, {"netem", "corrupt", &shares, &q.Corrupt, nil}, {"netem", "reorder", &shares, &q.Reorder, nil},
		{"netem tbf", "rate", &rates, &q.Rate, nil}, {"netem tbf fq_codel", "limit", nil, nil, &q.Limit}, {"fq_codel", "flows", nil, nil, &q.Flows},
		{"fq_codel", "target", &microtime, &q.Target, nil}, {"fq_codel", "interval", &microtime, &q.Interval, nil},
	}
}

func (q *Qdisc) validate() error {
	switch {
	case q.Kind == "ingress" || q.Kind == "clsact":
		if q.Parent != "" && q.Parent != "ingress" || q.Handle != "" {
			return argf("parent", "%s is always on the ingress side, and has the handle ffff:", q.Kind)
		}
		q.Parent = "ingress"
	case q.Parent == "":
		q.Parent = "root"
	case q.Parent != "root":
		if err := validHandle("parent", &q.Parent, false); err != nil {
			return err
		}
	}
	if q.Handle != "" {
		if err := validHandle("handle", &q.Handle, true); err != nil {
			return err
		}
	}
	if err := firstFault(validDevice("dev", q.Dev), q.validClasses()); err != nil {
		return err
	}
	if _, err := q.options(); err != nil || q.Kind == "" {
		return err
	}
	return firstFault(q.fit(), inRange("limit", q.Limit, 1, 1<<31-1), inRange("flows", q.Flows, 1, 65536))
}

// validHandle brings "1:" (qdisc) or "1:10" into tc's spelling.
func validHandle(path string, text *string, qdisc bool) error {
	major, minor, _ := strings.Cut(*text, ":")
	a, err := strconv.ParseUint(major, 16, 16)
	b, err2 := uint64(0), error(nil)
	if minor != "" {
		b, err2 = strconv.ParseUint(minor, 16, 16)
	}
	if err != nil || err2 != nil || a == 0 || a == 0xFFFF || (b == 0) != qdisc {
		return argf(path, "%q is not a handle such as \"1:\", or a class such as \"1:10\"", *text)
	}
	*text = strconv.FormatUint(a, 16) + ":"
	if !qdisc {
		*text += strconv.FormatUint(b, 16)
	}
	return nil
}

// fit refuses attributes of other kinds.
func (q *Qdisc) fit() error {
	for _, n := range q.numbers() {
		if (n.text != nil && *n.text != nil || n.number != nil && *n.number != nil) && !slices.Contains(strings.Fields(n.kind), q.Kind) {
			return argf(n.name, "%s has no %s", q.Kind, n.name)
		}
	}
	switch {
	case q.Kind != "tbf" && q.Burst != nil:
		return argf("burst", "%s has no burst", q.Kind)
	case q.Kind != "tbf" && q.Latency != nil:
		return argf("latency", "%s has no latency", q.Kind)
	case q.Kind != "fq_codel" && q.ECN != nil:
		return argf("ecn", "%s has no ecn", q.Kind)
	case q.Kind != "htb" && q.Default != nil:
		return argf("default", "%s has no default", q.Kind)
	case q.Kind != "htb" && q.Classes != nil:
		return argf("class", "%s has no classes that are made", q.Kind)
	}
	return nil
}

func (q *Qdisc) complete() error {
	switch {
	case q.Kind == "tbf" && q.Rate == nil:
		return argf("rate", "tbf needs a rate")
	case q.Kind == "tbf" && q.Burst == nil:
		return argf("burst", "tbf needs a burst: as many bytes as go at once")
	case q.Kind == "tbf" && (q.Latency == nil) == (q.Limit == nil):
		return argf("latency", "tbf needs either latency or limit")
	case q.Kind == "netem" && q.Delay == nil && q.Reorder != nil && *q.Reorder != "0%":
		return argf("reorder", "without a delay nothing can be overtaken: set delay")
	}
	return nil
}

// options are the numbers that q sets, as the kernel gives them back.
func (q *Qdisc) options() (map[string]int64, error) {
	out := map[string]int64{}
	for _, n := range q.numbers() {
		switch {
		case n.number != nil && *n.number != nil:
			out[n.name] = int64(**n.number)
		case n.text != nil && *n.text != nil:
			v, err := n.unit.parse(n.name, **n.text)
			if err != nil {
				return nil, err
			}
			if out[n.name] = v; n.unit == &microtime {
				out[n.name] = host.Codel(v)
			}
			if n.unit != &durations && v > 1<<32-1 {
				return nil, argf(n.name, "%s is more than the kernel counts to", **n.text)
			}
		}
	}
	if q.ECN != nil {
		out["ecn"] = map[bool]int64{true: 1}[*q.ECN]
	}
	if q.Default != nil {
		v, err := strconv.ParseUint(*q.Default, 16, 16)
		if err != nil {
			return nil, argf("default", "%q is not the number of a class in hexadecimal", *q.Default)
		}
		out["default"] = int64(v)
	}
	if r := out["reorder"]; q.Reorder != nil {
		out["gap"] = min(r, 1) // netem reorders only where there is a gap, of 1 when tc is given none
	}
	return out, q.bucket(out)
}

// bucket adds what tbf makes of its rate.
func (q *Qdisc) bucket(out map[string]int64) error {
	rate := out["rate"]
	if q.Kind != "tbf" || q.Rate == nil || q.Burst == nil {
		return nil
	}
	burst, err := sizes.parse("burst", *q.Burst)
	switch {
	case err != nil:
		return err
	case rate == 0:
		return argf("rate", "a rate of 0 lets nothing pass")
	case burst == 0 || float64(burst) > 4.2*float64(rate):
		return argf("burst", "%s is none, or takes longer than 4.2 seconds at this rate, more than the kernel counts to", *q.Burst)
	}
	out["buffer"] = ticks(burst, rate)
	if q.Latency == nil {
		return nil
	}
	wait, err := durations.parse("latency", *q.Latency)
	out["limit"] = int64(float64(rate)*float64(wait)/1e9) + burst
	if err == nil && out["limit"] > 1<<31 {
		return argf("latency", "%s are more bytes at this rate than the kernel counts to", *q.Latency)
	}
	return err
}

func readQdisc(ctx context.Context, h host.Host, want *Qdisc) (*Qdisc, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	e, err := n.Qdiscs().Get(ctx, host.Qdisc{Link: want.Dev, Parent: want.Parent})
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil // without the device too; attaching says so
	}
	if err != nil {
		return nil, err
	}
	return want.as(e)
}

// as tells e in the words of q: where the kernel's number is the one that q makes, in the very same, else in its own.
func (q *Qdisc) as(e host.Qdisc) (*Qdisc, error) {
	have := &Qdisc{InNetNS: q.InNetNS, Dev: q.Dev, Parent: q.Parent, Kind: e.Kind, Handle: e.Handle}
	wanted, err := q.options()
	if err != nil {
		return nil, err
	}
	if len(e.Handle) == 5 && e.Handle >= "8000:" && e.Handle != q.Handle { // chosen by the kernel, which a plan cannot know (qdisc_alloc_handle)
		have.Handle = ""
	}
	theirs := q.numbers()
	for i, n := range have.numbers() {
		v, ok := e.Options[n.name]
		w, set := wanted[n.name]
		switch {
		case !ok || !set && v == 0: // not of this kind, or switched off
		case n.number != nil:
			*n.number = ptr(int(v))
		case set && v == w && *theirs[i].text != nil:
			*n.text = *theirs[i].text
		default:
			*n.text = ptr(n.unit.text(v))
		}
	}
	if v, ok := e.Options["ecn"]; ok {
		have.ECN = ptr(v != 0)
	}
	if v, ok := e.Options["default"]; ok {
		if have.Default = q.Default; q.Default == nil || wanted["default"] != v {
			have.Default = ptr(strconv.FormatInt(v, 16))
		}
	}
	have.ofBucket(q, e.Options, wanted)
	if e.Kind == "htb" {
		have.Classes = q.classesAs(e)
	}
	return have, nil
}

// ofBucket tells burst and latency of tbf.
func (q *Qdisc) ofBucket(want *Qdisc, have, wanted map[string]int64) {
	buffer, ok := have["buffer"]
	if !ok {
		return
	}
	burst := buffer * 64 * have["rate"] / 1e9
	if q.Burst = want.Burst; want.Burst == nil || buffer != wanted["buffer"] || have["rate"] != wanted["rate"] {
		q.Burst = ptr(sizes.text(burst))
	}
	if want.Latency == nil {
		return
	}
	if q.Limit, q.Latency = nil, want.Latency; have["limit"] != wanted["limit"] && have["rate"] > 0 {
		q.Latency = ptr(durations.text((have["limit"] - burst) * 1e6 / have["rate"] * 1e3))
	}
}

func applyQdisc(ctx context.Context, h host.Host, have, want *Qdisc, d Diff) error {
	q := want
	if want == nil {
		q = have
	}
	n, err := q.net(ctx, h)
	if err != nil {
		return err
	}
	at := host.Qdisc{Link: q.Dev, Parent: q.Parent}
	if want == nil {
		return n.Qdiscs().Delete(ctx, at)
	}
	at.Kind, at.Handle = q.Kind, q.Handle
	if at.Options, err = q.options(); err != nil {
		return err
	}
	if have != nil {
		delete(at.Options, "flows") // refused, even as they are (fq_codel_change)
	}
	if q.Kind == "netem" && have != nil { // one struct holds most of it: what is left alone is written as it is
		now, err := n.Qdiscs().Get(ctx, at)
		if err != nil {
			return err
		}
		for name, v := range now.Options {
			if _, set := at.Options[name]; !set {
				at.Options[name] = v
			}
		}
	}
	if rest := slices.DeleteFunc(slices.Clone(d.Changes), func(c Change) bool { return c.Path == "class" }); have == nil || len(rest) > 0 {
		if err := n.Qdiscs().Set(ctx, at); err != nil {
			return err
		}
	}
	if q.Classes == nil || have != nil && !d.Has("class") {
		return nil
	}
	return q.applyClasses(ctx, n)
}
