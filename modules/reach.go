package modules

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Reach]{
		Name: "reach",
		Doc:  "Checks whether packets get from one host to another and back. Both ends look at the wire, so that the verdict says how far they get: a block on the way there, one on the way back, a firewall at either end, and a dead service are told apart. Takes root at both ends.",
		Example: `reach "boxA to boxB" {
  from = "boxA"
  to   = "boxB"
}
reach "web" {
  from   = "boxA"
  to     = "boxB"
  proto  = "tcp"
  port   = 80
  expect = "blocked_there"
}
reach "hidden by the router" {
  from    = "boxA"
  to      = "boxB"
  proto   = "udp"
  port    = 5000
  seen_as = "172.16.200.1"
}
`,
		Validate: (*Reach).validate, Probe: knockReach, Listen: listenReach,
	})
}

// Reach is a check of the way between two hosts, looked at from both of its ends.
type Reach struct {
	Name string `json:"name" lab:"key" doc:"What the check is called."`
	Between
	Proto   string `json:"proto,omitempty" enum:"icmp,tcp,udp" default:"icmp" doc:"What is sent: echo requests, connections, or datagrams. For tcp and udp the far end listens itself, unless a service has the port: that one is used. Whether a service answers datagrams is not asked for: it is enough that they get there."`
	Port    *int   `json:"port,omitempty" doc:"Port of the far end, for tcp and udp."`
	Expect  string `json:"expect,omitempty" enum:"reachable,blocked,blocked_there,blocked_back,refused,unreachable,too_big,fail" default:"reachable" doc:"reachable: every request is answered. blocked_there: they do not arrive, by silence or since somebody on the way rejects them. blocked_back: they arrive, but no answer comes back. blocked: one of the two. refused: the far end itself refuses them. unreachable: the kernel (no route) or a router says that there is no way. too_big: they do not fit through. fail: any but reachable, with no answer at all."`
	SeenAs  string `json:"seen_as,omitempty" doc:"Address that the requests have to arrive from, to check for a translation on the way. Any if unset."`
	Service bool   `json:"service,omitempty" lab:"option" doc:"The far end does not listen: a service has to, or the port is refused."`
	Count   *int   `json:"count,omitempty" lab:"option" default:"3" doc:"Requests in a try."`
	Wait    string `json:"wait,omitempty" lab:"option" default:"1s" doc:"How long to wait for each answer; with expect = unreachable 4s by default, as Linux takes 3s to hear that a neighbour does not answer ARP."`
	Size    *int   `json:"size,omitempty" lab:"option" default:"56" doc:"Payload in bytes; not for tcp."`
	DF      bool   `json:"df,omitempty" lab:"option" doc:"Forbid fragmentation, to check the MTU of the path: the IP packet is size + 28 bytes, in IPv6 + 48. Not for tcp."`
	Source  string `json:"source,omitempty" lab:"option" doc:"Address or interface to send from; the kernel chooses if unset."`
	Deadline
	Seen        string   `json:"seen,omitempty" lab:"computed" doc:"What the last try came to, in the words of expect, or partial."`
	Served      bool     `json:"served,omitempty" lab:"computed" doc:"A service had the port."`
	Sent        int      `json:"sent,omitempty" lab:"computed" doc:"Requests of the last try."`
	Left        int      `json:"left,omitempty" lab:"computed" doc:"Those that left the near host, behind its firewall."`
	Arrived     int      `json:"arrived,omitempty" lab:"computed" doc:"Those that arrived at the far host, before its firewall."`
	Answered    int      `json:"answered,omitempty" lab:"computed" doc:"Answers that left the far host, behind its firewall."`
	Returned    int      `json:"returned,omitempty" lab:"computed" doc:"Answers that arrived at the near host, before its firewall."`
	Received    int      `json:"received,omitempty" lab:"computed" doc:"Answers that got through to who asked."`
	ArrivedFrom string   `json:"arrived_from,omitempty" lab:"computed" doc:"Address that requests arrived from."`
	ArrivedAt   string   `json:"arrived_at,omitempty" lab:"computed" doc:"Address that they arrived for; with a port, for tcp and udp."`
	LeftAs      string   `json:"left_as,omitempty" lab:"computed" doc:"Address that they left from."`
	Told        string   `json:"told,omitempty" lab:"computed" doc:"Who told the near host what."`
	ToldBack    string   `json:"told_back,omitempty" lab:"computed" doc:"Who told the far host what about its answers."`
	Reset       string   `json:"reset,omitempty" lab:"computed" doc:"Address that a connection was reset from."`
	FarReset    bool     `json:"refused_there,omitempty" lab:"computed" doc:"The far host itself has refused."`
	Marks       []string `json:"marks,omitempty" lab:"computed" doc:"What the requests of the last try bear, or their initial sequence numbers."`
	LocalNote   string   `json:"note,omitempty" lab:"computed" doc:"Why the near host may have sent nothing."`
}

func (r *Reach) validate() error {
	r.Expect, r.Proto = cmp.Or(r.Expect, "reachable"), cmp.Or(r.Proto, "icmp")
	switch {
	case r.Proto == "icmp" && r.Port != nil:
		return argf("port", "goes with proto = \"tcp\" or \"udp\"")
	case r.Proto == "icmp" && r.Service:
		return argf("service", "goes with proto = \"tcp\" or \"udp\"")
	case r.Proto != "icmp" && r.Port == nil:
		return argf("port", "required with proto = %q", r.Proto)
	case r.Proto == "tcp" && (r.Size != nil || r.DF):
		return argf("proto", "size and df go with icmp and udp; a connection carries what fits")
	}
	if strings.ContainsAny(r.Address, " /\x00") {
		return argf("address", "%q is not an address or a name", r.Address)
	}
	_, err := duration("wait", r.Wait, 0)
	_, err2 := duration("deadline", r.Deadline.Deadline, 0)
	return firstFault(err, err2, validIP("seen_as", &r.SeenAs), inRange("port", r.Port, 1, 65535), inRange("count", r.Count, 1, 100), inRange("size", r.Size, 16, 65507))
}

func (r *Reach) count() int {
	if r.Count != nil {
		return *r.Count
	}
	return 3
}

// listenReach opens the far end.
func listenReach(ctx context.Context, h host.Host, want *Reach) (func(*Reach) (*Reach, error), error) {
	n, err := want.far(ctx, h)
	if err != nil {
		return nil, err
	}
	eye, err := openEyes(ctx, n, want.Proto)
	if err != nil {
		return nil, err
	}
	var ear io.Closer
	if want.Proto != "icmp" && !want.Service {
		answer := answerMarked
		if want.Proto == "tcp" {
			answer = nil
		}
		ear, err = n.Probes().Listen(ctx, want.Proto, *want.Port, answer)
		want.Served = errors.Is(err, host.ErrBusy)
		if err != nil && !want.Served {
			_ = eye.Close()
			return nil, err
		}
	}
	return func(r *Reach) (*Reach, error) {
		defer eye.Close()
		if ear != nil {
			defer ear.Close()
		}
		all, err := sightings(context.WithoutCancel(ctx), eye)
		if err != nil {
			return r, err
		}
		r.seenFar(all)
		return r, r.verdict()
	}, nil
}

// knockReach sends from the near end, until what it sees there is what is expected.
func knockReach(ctx context.Context, h host.Host, want *Reach) (*Reach, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	eye, err := openEyes(ctx, n, want.Proto)
	if err != nil {
		return nil, err
	}
	defer eye.Close()
	out := *want
	var broken error
	_ = want.until(ctx, func() error {
		out = *want
		mark := rand.Uint64() | 1<<63
		if broken = out.send(ctx, n.Probes(), mark); broken != nil {
			return broken
		}
		var all []sighting
		if all, broken = sightings(ctx, eye); broken != nil {
			return broken
		}
		out.seenNear(all, mark)
		if (want.Expect == "reachable") != out.complete() {
			return errors.New("not yet")
		}
		return nil
	}, func(error) bool { return broken != nil })
	return &out, broken
}

// complete reports whether the near end has nothing to complain about.
func (r *Reach) complete() bool {
	return r.Received == r.Sent || r.Served && r.Proto == "udp" && r.Told == ""
}

// target is where to: with the port, if any.
func (r *Reach) target() string {
	if r.Port == nil {
		return r.Address
	}
	if a, err := netip.ParseAddr(r.Address); err == nil && a.Is6() {
		return "[" + r.Address + "]:" + strconv.Itoa(*r.Port)
	}
	return r.Address + ":" + strconv.Itoa(*r.Port)
}

func (r *Reach) options() host.PingOptions {
	o := host.PingOptions{Count: r.count(), Interval: 100 * time.Millisecond, Size: 56, Source: r.Source, DF: r.DF}
	if r.Size != nil {
		o.Size = *r.Size
	}
	wait := time.Second
	if r.Expect == "unreachable" {
		wait = 4 * time.Second // longer than mcast_solicit * retrans_time (arp(7))
	}
	o.Timeout, _ = duration("", r.Wait, wait) // validated
	return o
}

// send makes one try.
func (r *Reach) send(ctx context.Context, p host.Probes, mark uint64) error {
	o := r.options()
	if r.Proto == "icmp" {
		o.Payload = marking(mark, 0, 0)
		res, err := p.Ping(ctx, r.Address, o)
		r.Received = res.Received
		return r.told(o.Count, res, err)
	}
	for i := range o.Count {
		var res host.PingResult
		var answer []byte
		var err error
		if r.Proto == "udp" {
			answer, res, err = p.UDP(ctx, r.target(), marking(mark, i, o.Size), o)
		} else if err = p.TCP(ctx, r.target(), o); err == nil {
			answer = []byte{}
		} else if connection(err) != "" {
			var e *host.Error
			if errors.Is(err, host.ErrUnreachable) && errors.As(err, &e) && e.Err != nil {
				res.Unreachable = e.Err.Error()
			}
			err = nil
		}
		if answer != nil {
			r.Received++
		}
		if err := r.told(i+1, res, err); err != nil {
			return err
		}
	}
	return nil
}

// told notes what the socket was told; who has told it is in there, unless it is this host.
func (r *Reach) told(sent int, res host.PingResult, err error) error {
	r.Sent, r.Told, r.LocalNote = sent, cmp.Or(res.Unreachable, r.Told), cmp.Or(res.Note, r.LocalNote)
	return err
}
