package modules

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Link]{
		Name: "link",
		Doc:  "Manages a network device that is there, of whatever kind: its state, its attributes, and the namespace it is in. With ensure = \"absent\" a virtual device is deleted.",
		Example: `link "enp0s8" {
  up      = true
  promisc = true
}

link "eth2" {
  netns = "router"
  from  = ""
  up    = true
}`,
		Validate: (*Link).validate, Read: readLink, Apply: applyLink,
	})
}

// Link is a network device of any kind.
type Link struct {
	NetNS string  `json:"netns,omitempty" doc:"Network namespace: a name under /run/netns, pid:N, container:NAME, or a path. The host's own if unset."`
	From  *string `json:"from,omitempty" lab:"option" doc:"Namespace that the device is moved from when it is not in netns yet, \"\" for the host's own."`
	Name  string  `json:"name" lab:"key" doc:"Device name."`
	Up    *bool   `json:"up,omitempty" doc:"Administrative state; left alone if unset."`
	device
	portOf
	ARP  *bool  `json:"arp,omitempty" doc:"Whether the device uses ARP; left alone if unset."`
	Kind string `json:"kind,omitempty" lab:"computed" doc:"What the device is: the kernel's name of its driver type, empty for hardware."`
}

func (l *Link) validate() error {
	if l.From != nil && l.NetNS == "" {
		l.NetNS = host.OwnNetNS // a value, so that it is compared
	}
	if l.From != nil && *l.From == l.NetNS {
		return argf("from", "the device cannot come from where it is to be")
	}
	return firstFault(validDevice("name", l.Name), l.device.validate(), l.portOf.validate())
}

func readLink(ctx context.Context, h host.Host, want *Link) (*Link, error) {
	have, err := readLinkIn(ctx, h, want, want.NetNS)
	if err != nil || have != nil || want.From == nil {
		return have, err
	}
	return readLinkIn(ctx, h, want, *want.From)
}

func readLinkIn(ctx context.Context, h host.Host, want *Link, netns string) (*Link, error) {
	l, err := InNetNS{netns}.findDevice(ctx, h, want.Name, "")
	if err != nil || l == nil {
		return nil, err
	}
	return &Link{NetNS: netns, From: want.From, Name: want.Name, Up: l.Up, device: readDevice(*l), portOf: portOf{l.Master}, ARP: l.ARP, Kind: l.Kind}, nil
}

func applyLink(ctx context.Context, h host.Host, have, want *Link, d Diff) error {
	if have == nil {
		return fmt.Errorf("device %s: %w: link manages devices that are there; make it with the module of its kind: veth, bridge, vlan, vxlan, ...", want.Name, host.ErrNotExist)
	}
	at, err := h.Net(ctx, have.NetNS)
	if err != nil {
		return err
	}
	if want == nil || d.Has("netns") {
		if err := keepSession(ctx, h, at, "take away device", have.NetNS, have.Name); err != nil {
			return err
		}
	}
	if want == nil {
		if have.Kind == "" {
			return fmt.Errorf("delete device %s: %w: it is hardware", have.Name, host.ErrUnsupported)
		}
		return at.Links().Delete(ctx, have.Name)
	}
	if d.Has("netns") {
		return moveLink(ctx, h, at, want)
	}
	l := host.Link{Name: want.Name}
	want.link(&l, &d)
	if err := keepReachable(ctx, h, at, have.NetNS, l); err != nil {
		return err
	}
	return setDevice(ctx, at, l)
}

// moveLink moves the device and sets all that is wanted: the kernel took the device down and off its bridge.
func moveLink(ctx context.Context, h host.Host, at host.Net, want *Link) error {
	if err := at.Links().Move(ctx, want.Name, want.NetNS); err != nil {
		return err
	}
	n, err := h.Net(ctx, want.NetNS)
	if err != nil {
		return err
	}
	l := host.Link{Name: want.Name}
	want.link(&l, nil)
	return setDevice(ctx, n, l)
}

func (l *Link) link(out *host.Link, d *Diff) {
	l.device.into(out, d)
	if d == nil || d.Has("up") {
		out.Up = l.Up
	}
	if d == nil || d.Has("arp") {
		out.ARP = l.ARP
	}
	l.portOf.into(out, d)
}
