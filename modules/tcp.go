package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[TCP]{
		Name: "tcp",
		Doc:  "Checks whether a TCP port can be connected to.",
		Example: `tcp "192.168.50.4:22" {}
tcp "172.16.200.1:80" {
  netns  = "boxA"
  expect = "refused"
}
`,
		Validate: (*TCP).validate, Probe: probeTCP,
	})
}

// TCP is a check by a TCP connection, closed as soon as it stands.
type TCP struct {
	Address string `json:"address" lab:"key" doc:"HOST:PORT; IPv6 addresses in brackets."`
	Expect  string `json:"expect,omitempty" enum:"open,refused,timeout,unreachable,fail" default:"open" doc:"open: a connection stands. refused: the other end resets it. timeout: no answer. unreachable: the kernel (no route) or a router says that there is no way. fail: any but open."`
	Wait    string `json:"wait,omitempty" lab:"option" default:"3s" doc:"How long to wait for a connection in each try. That a neighbour does not answer ARP is known after 3s: it is a timeout up to there, unreachable after."`
	InNetNS
	Deadline
	Seen string `json:"seen,omitempty" lab:"computed" doc:"What the last try came to, in the words of expect."`
}

func (t *TCP) validate() error {
	t.Expect = cmp.Or(t.Expect, "open")
	if err := validHostPort("address", t.Address); err != nil {
		return err
	}
	for name, s := range map[string]string{"wait": t.Wait, "deadline": t.Deadline.Deadline} {
		if _, err := duration(name, s, 0); err != nil {
			return err
		}
	}
	return nil
}

func validHostPort(path, text string) error {
	i := strings.LastIndexByte(text, ':')
	if i < 1 || strings.Contains(text[:i], ":") && text[0] != '[' {
		return argf(path, "%q is not HOST:PORT; an IPv6 address needs brackets", text)
	}
	if n, err := strconv.Atoi(text[i+1:]); err != nil || n < 1 || n > 65535 {
		return argf(path, "%q is not HOST:PORT", text)
	}
	return nil
}

func probeTCP(ctx context.Context, h host.Host, want *TCP) (*TCP, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	wait, err := duration("wait", want.Wait, connectWait(want.Expect))
	if err != nil {
		return nil, err
	}
	out := *want
	err = want.until(ctx, func() error {
		err := n.Probes().TCP(ctx, want.Address, host.PingOptions{Timeout: wait})
		out.Seen = connection(err)
		if out.Seen == want.Expect || want.Expect == "fail" && out.Seen != "open" && out.Seen != "" {
			return nil
		}
		return unexpected("connect to "+want.Address, want.NetNS, want.Expect, err)
	}, func(error) bool { return out.Seen == "" })
	return &out, err
}

// connectWait is how long a connection is awaited by default: longer when it takes long to be told that there is no way.
func connectWait(expect string) time.Duration {
	if expect == "unreachable" {
		return 5 * time.Second
	}
	return 3 * time.Second
}

// connection names what came of a connection; "": it could not be tried.
func connection(err error) string {
	switch {
	case err == nil:
		return "open"
	case errors.Is(err, host.ErrRefused):
		return "refused"
	case errors.Is(err, host.ErrTimeout):
		return "timeout"
	case errors.Is(err, host.ErrUnreachable):
		return "unreachable"
	}
	return ""
}

// unexpected says where a probe ended, if not where it should.
func unexpected(what, netns, expect string, err error) error {
	if netns != "" {
		what += " from netns " + netns
	}
	if err == nil {
		return fmt.Errorf("%s: expected %s, but it answers", what, expect)
	}
	var e *host.Error
	if errors.As(err, &e) { // what and whither is said already
		if err = e.Err; err == nil {
			err = e.Kind
		}
	}
	return fmt.Errorf("%s: expected %s, but %w", what, expect, err)
}
