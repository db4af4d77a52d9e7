package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Macvlan]{
		Name: "macvlan",
		Doc:  "Manages a macvlan device: another MAC address, with a stack of its own, on a device that is there.",
		Example: `macvlan "mv0" {
  dev  = "eth1"
  mode = "bridge"
}`,
		Validate: (*Macvlan).validate, Read: readMacvlan, Apply: applyMacvlan,
	})
}

// Macvlan is a macvlan device.
type Macvlan struct {
	InNetNS
	Name string `json:"name" lab:"key" doc:"Device name."`
	madeUp
	device
	portOf
	Dev  string  `json:"dev,omitempty" lab:"required,immutable" doc:"Device below."`
	Mode *string `json:"mode,omitempty" enum:"private,vepa,bridge,passthru,source" default:"bridge" doc:"How devices on one dev reach each other."`
}

func (m *Macvlan) validate() error {
	m.madeUp.validate()
	if m.Mode == nil {
		m.Mode = ptr("bridge")
	}
	if m.Dev != "" {
		if err := validDevice("dev", m.Dev); err != nil {
			return err
		}
	}
	return firstFault(validDevice("name", m.Name), m.device.validate(), m.portOf.validate())
}

func readMacvlan(ctx context.Context, h host.Host, want *Macvlan) (*Macvlan, error) {
	l, err := want.findDevice(ctx, h, want.Name, "macvlan")
	if err != nil || l == nil {
		return nil, err
	}
	have := &Macvlan{InNetNS: want.InNetNS, Name: want.Name, madeUp: madeUp{l.Up}, device: readDevice(*l), portOf: portOf{l.Master}, Mode: l.Macvlan.Mode}
	if l.Parent != nil {
		have.Dev = l.Parent.Name
	}
	return have, nil
}

func applyMacvlan(ctx context.Context, h host.Host, have, want *Macvlan, d Diff) error {
	if want == nil {
		return have.deleteDevice(ctx, h, have.Name)
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	only := &d
	l := host.Link{Name: want.Name, Kind: "macvlan"}
	if have == nil {
		only, l.Parent = nil, &host.LinkRef{Name: want.Dev}
	}
	want.device.into(&l, only)
	want.madeUp.into(&l, only)
	want.portOf.into(&l, only)
	if only == nil || d.Has("mode") {
		l.Macvlan = &host.Macvlan{Mode: want.Mode}
	}
	if have == nil {
		return n.Links().Create(ctx, l)
	}
	return setDevice(ctx, n, l)
}
