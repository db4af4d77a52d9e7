package modules

import (
	"context"
	"slices"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[NetNS]{
		Name: "netns",
		Doc:  "Manages a named network namespace, as ip-netns(8). Its loopback device is down at first.",
		Example: `netns "boxA" {}

link "lo" {
  netns = "boxA"
  up    = true
}`,
		Validate: (*NetNS).validate, Read: readNetNS, Apply: applyNetNS,
	})
}

// NetNS is a named network namespace.
type NetNS struct {
	Name string `json:"name" lab:"key" doc:"Name under /run/netns."`
}

func (n *NetNS) validate() error {
	if n.Name == "." || n.Name == ".." || len(n.Name) > 255 || strings.ContainsAny(n.Name, "/\x00") {
		return argf("name", "%q cannot be the name of a file under /run/netns", n.Name)
	}
	return nil
}

func readNetNS(ctx context.Context, h host.Host, want *NetNS) (*NetNS, error) {
	names, err := h.NetNS().List(ctx)
	if err != nil || !slices.Contains(names, want.Name) {
		return nil, err
	}
	return &NetNS{Name: want.Name}, nil
}

func applyNetNS(ctx context.Context, h host.Host, have, want *NetNS, _ Diff) error {
	if want == nil {
		return h.NetNS().Delete(ctx, have.Name)
	}
	return h.NetNS().Create(ctx, want.Name)
}
