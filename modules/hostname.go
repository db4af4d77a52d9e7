package modules

import (
	"context"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Hostname]{
		Name: "hostname",
		Doc:  "Sets the name of the machine, now and in /etc/hostname (hostname(5)) for the next boot: what hostnamectl(1) sets too.",
		Example: `hostname "boxA" {}
`,
		Validate: (*Hostname).validate, Read: readHostname, ReadAbsent: readHostnameAbsent, Apply: applyHostname,
	})
}

// Hostname is the name of the machine. The kernel has it, and a file from which it gets it at boot.
type Hostname struct {
	Name   string `json:"name" lab:"key" doc:"Name, a single label or a fully qualified one."`
	Kernel string `json:"kernel,omitempty" lab:"derived" doc:"The name that the kernel has."`
	Static string `json:"static,omitempty" lab:"derived" doc:"The name in /etc/hostname."`
}

const (
	hostnameKey  = "kernel.hostname" // of the caller's UTS namespace (sysctl/kernel.rst)
	hostnameFile = "/etc/hostname"
)

// validate knows the limit of sethostname(2) and the letters of hostname(7).
func (n *Hostname) validate() error {
	if len(n.Name) > 64 {
		return argf("name", "%q is longer than 64 characters, the most that the kernel takes", n.Name)
	}
	for label := range strings.SplitSeq(n.Name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.IndexFunc(label, notInHostname) >= 0 {
			return argf("name", "%q is not a host name: letters, digits and hyphens, with dots between labels", n.Name)
		}
	}
	return nil
}

func notInHostname(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func readHostname(ctx context.Context, h host.Host, want *Hostname) (*Hostname, error) {
	n, err := h.Net(ctx, "")
	if err != nil {
		return nil, err
	}
	have := &Hostname{Name: want.Name}
	if have.Kernel, err = n.Sysctls().Get(ctx, hostnameKey); err != nil {
		return nil, err
	}
	lines, err := fileLines(ctx, h, hostnameFile)
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			have.Static = l
			break
		}
	}
	want.Kernel, want.Static = want.Name, want.Name
	return have, err
}

func readHostnameAbsent(context.Context, host.Host, *Hostname) (*Hostname, error) {
	return nil, argf("ensure", "a machine has always a name: set the one that it shall have")
}

func applyHostname(ctx context.Context, h host.Host, _, want *Hostname, d Diff) error {
	if d.Has("static") {
		if err := putLines(ctx, h, hostnameFile, []string{want.Name}, host.FileAttrs{}); err != nil {
			return err
		}
	}
	if !d.Has("kernel") {
		return nil
	}
	n, err := h.Net(ctx, "")
	if err != nil {
		return err
	}
	return n.Sysctls().Set(ctx, hostnameKey, want.Name)
}
