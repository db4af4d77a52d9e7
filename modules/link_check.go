package modules

import (
	"context"
	"errors"

	"labctl/modules/host"
)

func init() {
	Register(Spec[LinkCheck]{
		Name: "link_check",
		Doc:  "Checks what a network device is like, and changes nothing.",
		Example: `link_check "enp0s8" {
  up      = true
  promisc = true
  master  = "myBridge"
}
link_check "vboxnet0" { expect = "absent" }
`,
		Validate: (*LinkCheck).validate, Probe: probeLink,
	})
}

// LinkCheck is what a device is expected to be.
type LinkCheck struct {
	Name    string  `json:"name" lab:"key" doc:"Name of the device."`
	Kind    *string `json:"kind,omitempty" doc:"Kind as ip-link(8) type names it; \"\" for a device without one."`
	Up      *bool   `json:"up,omitempty" doc:"Administrative state."`
	MTU     *int    `json:"mtu,omitempty" doc:"Maximum transmission unit in bytes."`
	Address *string `json:"address,omitempty" doc:"MAC address."`
	Promisc *bool   `json:"promisc,omitempty" doc:"The PROMISC flag as a user sets it: a bridge makes its ports promiscuous without it."`
	Master  *string `json:"master,omitempty" doc:"Bridge or other device that it is a port of, \"\" for none."`
	Parent  *string `json:"parent,omitempty" doc:"Device that it is stacked on, or the other end of a veth pair."`
	Alias   *string `json:"alias,omitempty" doc:"Description of the device (ifalias)."`
	Presence
}

func (l *LinkCheck) validate() error {
	return firstFault(l.Presence.validate(), validDevice("name", l.Name), validLLAddr("address", l.Address))
}

func probeLink(ctx context.Context, h host.Host, want *LinkCheck) (*LinkCheck, error) {
	near, err := want.find(ctx, "device "+want.Name, want, func() (found []any, why string, err error) {
		n, err := want.net(ctx, h)
		if err != nil {
			return nil, "", err
		}
		l, err := n.Links().Get(ctx, want.Name)
		if errors.Is(err, host.ErrNotExist) {
			return nil, "", nil
		}
		return []any{&LinkCheck{Name: l.Name, Kind: &l.Kind, Up: l.Up, MTU: l.MTU, Address: l.Address, Promisc: l.Promisc, Master: l.Master,
			Parent: under(l), Alias: l.Alias, Presence: want.Presence}}, "", err
	})
	return near.(*LinkCheck), err
}

// under names what a device is stacked on or tied to.
func under(l host.Link) *string {
	for _, ref := range []*host.LinkRef{l.Parent, l.Peer} {
		if ref != nil {
			return &ref.Name
		}
	}
	return ptr("")
}
