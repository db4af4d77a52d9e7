package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[TunTap]{
		Name: "tuntap",
		Doc:  "Manages a persistent tun or tap device, as ip-tuntap(8).",
		Example: `tuntap "tap0" {
  mode   = "tap"
  master = "myBridge"
}`,
		Validate: (*TunTap).validate, Read: readTunTap, Apply: applyTunTap,
	})
}

// TunTap is a persistent tun (layer 3) or tap (layer 2) device.
type TunTap struct {
	InNetNS
	Name string `json:"name" lab:"key" doc:"Device name."`
	madeUp
	device
	portOf
	Mode       *string `json:"mode,omitempty" lab:"immutable" enum:"tun,tap" default:"tap" doc:"Layer 3 (tun) or layer 2 (tap)."`
	Owner      *int    `json:"owner,omitempty" lab:"immutable" doc:"User id that may attach to the device; root only if unset."`
	MultiQueue *bool   `json:"multi_queue,omitempty" lab:"immutable" doc:"Whether several processes can attach; false if unset at creation."`
}

func (t *TunTap) validate() error {
	t.madeUp.validate()
	if t.Mode == nil {
		t.Mode = ptr("tap")
	}
	if *t.Mode == "tun" && (t.Address != nil || t.Master != nil && *t.Master != "") {
		return argf("mode", "a tun device has no MAC address and cannot be attached to a bridge; a tap device can")
	}
	return firstFault(validDevice("name", t.Name), t.device.validate(), t.portOf.validate(), inRange("owner", t.Owner, 0, 1<<31-1))
}

func readTunTap(ctx context.Context, h host.Host, want *TunTap) (*TunTap, error) {
	l, err := want.findDevice(ctx, h, want.Name, "tun")
	if err != nil || l == nil {
		return nil, err
	}
	return &TunTap{InNetNS: want.InNetNS, Name: want.Name, madeUp: madeUp{l.Up}, device: readDevice(*l), portOf: portOf{l.Master},
		Mode: l.Tun.Mode, Owner: l.Tun.Owner, MultiQueue: l.Tun.MultiQueue}, nil
}

func applyTunTap(ctx context.Context, h host.Host, have, want *TunTap, d Diff) error {
	if want == nil {
		return have.deleteDevice(ctx, h, have.Name)
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	only := &d
	l := host.Link{Name: want.Name, Kind: "tun"}
	if have == nil {
		only, l.Tun = nil, &host.Tun{Mode: want.Mode, Owner: want.Owner, MultiQueue: want.MultiQueue}
	}
	want.device.into(&l, only)
	want.madeUp.into(&l, only)
	want.portOf.into(&l, only)
	if have == nil {
		return n.Links().Create(ctx, l)
	}
	return setDevice(ctx, n, l)
}
