package modules

import (
	"bytes"
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
	Register(Spec[WaitFor]{
		Name: "wait_for", Slow: true,
		Doc: "Waits until a TCP port is open or closed or has no connection left, or until a file is there, says something, or is gone.",
		Example: `wait_for "the web server" { port = 8080 }
wait_for "the end of its last connection" {
  port    = 8080
  state   = "drained"
  timeout = "1m"
}
wait_for "the first lease" {
  path = "/var/lib/misc/dnsmasq.leases"
  text = "192.168.50."
}
`,
		Validate: (*WaitFor).validate, Complete: (*WaitFor).complete, Probe: probeWaitFor,
	})
}

// WaitFor is something that is to happen.
type WaitFor struct {
	Name    string `json:"name" lab:"key" doc:"What is waited for."`
	Port    *int   `json:"port,omitempty" doc:"TCP port."`
	Address string `json:"address,omitempty" default:"127.0.0.1" doc:"Address or name that the port is on."`
	Path    string `json:"path,omitempty" doc:"Absolute path, in place of a port."`
	Text    string `json:"text,omitempty" lab:"option" doc:"Text that the file at path contains; any if unset."`
	State   string `json:"state,omitempty" lab:"option" enum:"started,present,stopped,absent,drained" default:"started" doc:"started or present: the port is open, the file is there and contains the text. stopped or absent: it is not so. drained: nobody is connected to the port of this host, and no connection is being made or closed."`
	Timeout string `json:"timeout,omitempty" lab:"option" default:"5m" doc:"How long to wait."`
	Delay   string `json:"delay,omitempty" lab:"option" doc:"How long to wait before looking for the first time."`
	InNetNS
	Elapsed *float64 `json:"elapsed,omitempty" lab:"computed" doc:"Seconds that it took."`
}

func (w *WaitFor) validate() error {
	w.State = cmp.Or(w.State, "started")
	switch {
	case w.Port != nil && w.Path != "":
		return argf("path", "cannot be together with port")
	case w.Path == "" && w.Text != "":
		return argf("text", "is what a file contains: path is missing")
	case w.Path != "" && (w.State == "drained" || w.Address != "" || w.NetNS != ""):
		return argf("path", "a file has no address, no namespace and no connections")
	case w.State == "drained" && w.Address != "":
		return argf("address", "connections are seen on the host that has them: leave address out")
	case strings.ContainsAny(w.Address, " /\x00"):
		return argf("address", "%q is not an address or a name", w.Address)
	}
	if w.Path != "" {
		if err := absolute("path", w.Path); err != nil {
			return err
		}
	}
	for name, s := range map[string]string{"timeout": w.Timeout, "delay": w.Delay} {
		if _, err := duration(name, s, 0); err != nil {
			return err
		}
	}
	return inRange("port", w.Port, 1, 65535)
}

func (w *WaitFor) complete() error {
	if w.Port == nil && w.Path == "" {
		return argf("port", "port or path is missing: what is waited for?")
	}
	return nil
}

func probeWaitFor(ctx context.Context, h host.Host, want *WaitFor) (*WaitFor, error) {
	start := time.Now()
	n, err := want.net(ctx, h)
	if err != nil {
		return want, err
	}
	delay, err := duration("delay", want.Delay, 0)
	if err != nil {
		return want, err
	}
	sleep(ctx, delay)
	look := func() error { return want.file(ctx, h.Files()) }
	switch {
	case want.State == "drained":
		look = func() error { return want.drained(ctx, n.Probes()) }
	case want.Port != nil:
		look = func() error { return want.port(ctx, n.Probes()) }
	}
	err = Deadline{cmp.Or(want.Timeout, "5m")}.until(ctx, look, func(err error) bool { return !errors.Is(err, errNotYet) })
	out := *want
	out.Elapsed = ptr(time.Since(start).Round(time.Millisecond).Seconds())
	return &out, err
}

// errNotYet is what waiting may mend.
var errNotYet = errors.New("not yet")

// notYet says what is still otherwise.
type notYet string

func (e notYet) Error() string        { return string(e) }
func (e notYet) Is(target error) bool { return target == errNotYet }

func (w *WaitFor) wantsIt() bool { return w.State == "started" || w.State == "present" }

func (w *WaitFor) port(ctx context.Context, p host.Probes) error {
	address := cmp.Or(w.Address, "127.0.0.1")
	if strings.Contains(address, ":") {
		address = "[" + strings.Trim(address, "[]") + "]"
	}
	address += ":" + strconv.Itoa(*w.Port)
	err := p.TCP(ctx, address, host.PingOptions{Timeout: 3 * time.Second})
	seen := connection(err)
	switch {
	case seen == "": // it could not be tried
		return err
	case (seen == "open") == w.wantsIt():
		return nil
	case err == nil:
		return notYet("port " + address + " is open")
	}
	return notYet(fmt.Sprintf("port %s is not open: %s", address, seen))
}

// maxSearched bounds how much of a file is searched for a text, in bytes.
const maxSearched = 64 << 20

func (w *WaitFor) file(ctx context.Context, files host.Files) error {
	there := false
	_, err := files.Stat(ctx, w.Path, false)
	switch {
	case err == nil && w.Text != "":
		var content []byte
		content, err = files.Read(ctx, w.Path, maxSearched)
		there = bytes.Contains(content, []byte(w.Text))
	case err == nil:
		there = true
	}
	if err != nil && !errors.Is(err, host.ErrNotExist) {
		return err
	}
	switch {
	case there == w.wantsIt():
		return nil
	case there:
		return notYet(w.Path + " is there")
	case err == nil:
		return notYet(fmt.Sprintf("%s does not contain %q", w.Path, w.Text))
	}
	return notYet(w.Path + " is not there")
}

// busy are the states of connections that are not at their end, of both sides, in /proc/net/tcp (include/net/tcp_states.h):
// ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING, NEW_SYN_RECV.
var busy = []string{"01", "02", "03", "04", "05", "06", "08", "09", "0B", "0C"}

func (w *WaitFor) drained(ctx context.Context, p host.Probes) error {
	n := 0
	for _, file := range []string{"tcp", "tcp6"} {
		text, err := p.Proc(ctx, file)
		if err != nil {
			return err
		}
		for _, state := range busy {
			n += len(listening(text, strconv.Itoa(*w.Port), state))
		}
	}
	if n == 0 {
		return nil
	}
	return notYet(fmt.Sprintf("port %d has %d connections", *w.Port, n))
}
