package modules

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[KMsg]{
		Name: "kmsg",
		Doc: "Checks which lines the kernel logs, and in which order, such as those of LOG rules of iptables: what is logged from network " +
			"namespaces needs the sysctl net.netfilter.nf_log_all_netns = 1. Root is needed.",
		Example: `kmsg "forwarded and not answered" {
  trigger {
    netns = "boxA"
    ping  = "172.16.200.5"
  }
  prefix   = ["boxA:", "router:", "boxB:"]
  contains = "PROTO=ICMP"
  lines = [
    "boxA:OUTPUT:filter:*TTL=64",
    "router:FORWARD:filter:*TTL=63",
    "boxB:PREROUTING:raw:",
  ]
}
`,
		Validate: (*KMsg).validate, Probe: probeKMsg,
	})
}

// KMsg is what the kernel logs while something happens.
type KMsg struct {
	Name     string   `json:"name" lab:"key" doc:"What the look is called. One that stops has the name of one that has started, in the same session."`
	Prefix   []string `json:"prefix,omitempty" lab:"option" doc:"Only lines that begin with one of these count; all if unset."`
	Contains string   `json:"contains,omitempty" lab:"option" doc:"Only lines that contain this count."`
	Lines    []string `json:"lines,omitempty" doc:"How the lines that count begin, in order, each once and no others; * stands for any text. [] for none."`
	Among    bool     `json:"among,omitempty" lab:"option" doc:"Others may stand before, between and behind the lines."`
	Wait     string   `json:"wait,omitempty" lab:"option" default:"200ms" doc:"How long to wait after the triggers. What is still missing then is waited for until the deadline; without start and stop the triggers are made again."`
	Watch
	Seen []string `json:"seen,omitempty" lab:"computed" doc:"The lines that counted in the last try, the first 100 of them."`
}

func (k *KMsg) validate() error {
	if k.Start && !k.Stop && k.Lines != nil {
		return argf("lines", "what is expected belongs to the task that stops")
	}
	_, err := duration("wait", k.Wait, 0)
	return firstFault(err, k.Watch.validate())
}

// openKMsg is the log from some point on, and what came of it.
type openKMsg struct {
	host.KernelLog
	lines []string
}

func probeKMsg(ctx context.Context, h host.Host, want *KMsg) (*KMsg, error) {
	out, exceeded := *want, false
	wait, _ := duration("", want.Wait, 200*time.Millisecond) // validated
	err := want.watch(ctx, h, "kmsg "+want.Name, func(n host.Net) (io.Closer, error) {
		l, err := n.Probes().KernelLog(ctx)
		return &openKMsg{KernelLog: l}, err
	}, func(c io.Closer) (verdict, broken error) {
		o := c.(*openKMsg)
		sleep(ctx, wait)
		lines, err := o.Read()
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if want.counts(l) {
				o.lines = append(o.lines, l)
			}
		}
		out.Seen = o.lines[:min(len(o.lines), 100)]
		if want.Start {
			defer func() { o.lines = nil }()
		}
		exceeded = !want.Among && len(o.lines) > len(want.Lines)
		if why := want.judge(o.lines); why != "" {
			verdict = fmt.Errorf("kernel log: %s", why)
		}
		return verdict, nil
	}, func() bool { return exceeded })
	return &out, err
}

func (k *KMsg) counts(line string) bool {
	for _, p := range k.Prefix {
		if strings.HasPrefix(line, p) {
			return strings.Contains(line, k.Contains)
		}
	}
	return k.Prefix == nil && strings.Contains(line, k.Contains)
}

// begins reports whether a line begins with a pattern, in which * stands for any text.
func begins(line, pattern string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(line, parts[0])
	for _, p := range parts[1:] {
		if ok {
			_, rest, ok = strings.Cut(rest, p)
		}
	}
	return ok
}

// judge says where the lines are not those that are expected.
func (k *KMsg) judge(have []string) string {
	next := 0 // of Lines
	for i, l := range have {
		switch {
		case k.Lines == nil || k.Among && (next == len(k.Lines) || !begins(l, k.Lines[next])):
			continue
		case next == len(k.Lines):
			return fmt.Sprintf("expected %d lines, but there are %d: the first too many is %q", next, len(have), l)
		case !begins(l, k.Lines[next]):
			return fmt.Sprintf("expected as line %d %q, but it is %q", i+1, k.Lines[next], l)
		}
		next++
	}
	if next < len(k.Lines) {
		return fmt.Sprintf("line %d of %d is missing: %q, after %d that are there", next+1, len(k.Lines), k.Lines[next], next)
	}
	return ""
}
