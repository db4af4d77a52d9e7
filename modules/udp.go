package modules

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"labctl/modules/host"
)

func init() {
	Register(Spec[UDP]{
		Name: "udp",
		Doc:  "Sends a datagram and checks what comes back. That a port is open can be known only from a server that answers what it is sent.",
		Example: `udp "192.168.50.4:7" {
  payload  = "hello"
  contains = "hello"
}
udp "192.168.50.4:9" { expect = "refused" }
`,
		Validate: (*UDP).validate, Probe: probeUDP,
	})
}

// UDP is a check by one datagram.
type UDP struct {
	Address  string `json:"address" lab:"key" doc:"HOST:PORT; IPv6 addresses in brackets."`
	Expect   string `json:"expect,omitempty" enum:"answer,none,refused,unreachable,fail" default:"answer" doc:"answer: a datagram comes back. none: nothing does, and nobody says why. refused: nobody listens on the port. unreachable: the kernel (no route) or a router says that there is no way. fail: any but answer."`
	Payload  string `json:"payload,omitempty" lab:"option" doc:"What is sent; an empty datagram if unset."`
	Contains string `json:"contains,omitempty" doc:"What the answer has to contain."`
	Wait     string `json:"wait,omitempty" lab:"option" default:"1s" doc:"How long to wait for an answer in each try; with expect = unreachable 4s by default, as Linux takes 3s to hear that a neighbour does not answer ARP."`
	Source   string `json:"source,omitempty" lab:"option" doc:"Address or interface to send from; the kernel chooses if unset."`
	InNetNS
	Deadline
	Answer string `json:"answer,omitempty" lab:"computed" doc:"What came back in the last try."`
	Seen   string `json:"seen,omitempty" lab:"computed" doc:"What the last try came to, in the words of expect."`
}

func (u *UDP) validate() error {
	u.Expect = cmp.Or(u.Expect, "answer")
	if u.Contains != "" && u.Expect != "answer" {
		return argf("contains", "goes with expect = \"answer\" only")
	}
	_, err := duration("wait", u.Wait, 0)
	_, err2 := duration("deadline", u.Deadline.Deadline, 0)
	return firstFault(validHostPort("address", u.Address), err, err2)
}

func probeUDP(ctx context.Context, h host.Host, want *UDP) (*UDP, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	o := host.PingOptions{Source: want.Source, Timeout: time.Second}
	if want.Expect == "unreachable" {
		o.Timeout = 4 * time.Second // longer than mcast_solicit * retrans_time (arp(7))
	}
	o.Timeout, _ = duration("", want.Wait, o.Timeout) // validated
	out := *want
	var broken error
	err = want.until(ctx, func() error {
		var answer []byte
		var r host.PingResult
		if answer, r, broken = n.Probes().UDP(ctx, want.Address, []byte(want.Payload), o); broken != nil {
			return broken
		}
		var why string
		out.Seen, why = datagram(answer, r)
		out.Answer = strings.ToValidUTF8(string(answer), string(utf8.RuneError))
		switch {
		case out.Seen == "answer" && !bytes.Contains(answer, []byte(want.Contains)):
			why = fmt.Sprintf("%.200q, which does not contain %q, comes back", answer, want.Contains)
		case out.Seen == want.Expect || want.Expect == "fail" && out.Seen != "answer":
			return nil
		}
		what := "send to " + want.Address
		if want.NetNS != "" {
			what += " from netns " + want.NetNS
		}
		return fmt.Errorf("%s: expected %s, but %s", what, want.Expect, why)
	}, func(error) bool { return broken != nil })
	return &out, err
}

// datagram names what came of one, and says it in a sentence.
func datagram(answer []byte, r host.PingResult) (seen, why string) {
	switch {
	case answer != nil:
		return "answer", fmt.Sprintf("%.200q comes back", answer)
	case strings.HasPrefix(r.Unreachable, "port unreachable"):
		return "refused", r.Unreachable
	case r.Unreachable != "":
		return "unreachable", r.Unreachable
	}
	return "none", "nothing comes back" + note(r.Note)
}

func note(text string) string {
	if text != "" {
		text = " (" + text + ")"
	}
	return text
}
