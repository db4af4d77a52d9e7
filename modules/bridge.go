package modules

import (
	"context"
	"fmt"
	"slices"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Bridge]{
		Name: "bridge",
		Doc:  "Manages a Linux bridge and the set of its ports.",
		Example: `bridge "myBridge" {
  ports     = ["enp0s8", "enp0s9"]
  stp_state = false
}`,
		Validate: (*Bridge).validate, Read: readBridge, Apply: applyBridge,
	})
}

// Bridge is a Linux bridge.
type Bridge struct {
	InNetNS
	Name string `json:"name" lab:"key" doc:"Device name."`
	madeUp
	device
	Ports             []string `json:"ports,omitempty" lab:"set" doc:"Exact set of attached devices, [] for none; left alone if unset."`
	STP               *bool    `json:"stp_state,omitempty" doc:"Spanning tree protocol; left alone if unset."`
	ForwardDelay      *float64 `json:"forward_delay,omitempty" doc:"Forwarding delay in seconds, 2 to 30 while stp_state is true."`
	HelloTime         *float64 `json:"hello_time,omitempty" doc:"Time between hello packets in seconds, 1 to 10."`
	MaxAge            *float64 `json:"max_age,omitempty" doc:"Age in seconds at which spanning tree information is dropped, 6 to 40."`
	AgeingTime        *float64 `json:"ageing_time,omitempty" doc:"Seconds until a learned address is forgotten."`
	Priority          *int     `json:"priority,omitempty" doc:"Spanning tree priority, 0 to 65535."`
	VLANFiltering     *bool    `json:"vlan_filtering,omitempty" doc:"Whether VLAN tags decide where frames go."`
	MulticastSnooping *bool    `json:"mcast_snooping,omitempty" doc:"IGMP and MLD snooping."`
}

func (b *Bridge) validate() error {
	b.madeUp.validate()
	for i, p := range b.Ports {
		path := fmt.Sprintf("ports[%d]", i)
		if err := validDevice(path, p); err != nil {
			return err
		}
		if p == b.Name || slices.Contains(b.Ports[:i], p) {
			return argf(path, "%q is there twice", p)
		}
	}
	return firstFault(validDevice("name", b.Name), b.device.validate(), inRange("priority", b.Priority, 0, 65535),
		seconds("forward_delay", b.ForwardDelay, 0, 30), seconds("hello_time", b.HelloTime, 1, 10), seconds("max_age", b.MaxAge, 6, 40),
		seconds("ageing_time", b.AgeingTime, 0, 1e6))
}

// seconds checks a time and rounds it to the hundredths that the kernel keeps.
func seconds(path string, v *float64, low, high float64) error {
	if v == nil {
		return nil
	}
	if *v < low || *v > high {
		return argf(path, "%g is not between %g and %g seconds", *v, low, high)
	}
	*v = float64(int(*v*100+0.5)) / 100
	return nil
}

func readBridge(ctx context.Context, h host.Host, want *Bridge) (*Bridge, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	l, err := getDevice(ctx, n, want.Name, "bridge")
	if err != nil || l == nil {
		return nil, err
	}
	b := l.Bridge
	have := &Bridge{InNetNS: want.InNetNS, Name: want.Name, madeUp: madeUp{l.Up}, device: readDevice(*l), STP: b.STP, ForwardDelay: b.ForwardDelay,
		HelloTime: b.HelloTime, MaxAge: b.MaxAge, AgeingTime: b.AgeingTime, Priority: b.Priority, VLANFiltering: b.VLANFiltering,
		MulticastSnooping: b.MulticastSnooping}
	if want.Ports != nil { // costs a look at every device there is
		have.Ports, err = n.Links().Ports(ctx, want.Name)
	}
	return have, err
}

func applyBridge(ctx context.Context, h host.Host, have, want *Bridge, d Diff) error {
	if want == nil {
		return have.deleteDevice(ctx, h, have.Name)
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	l := host.Link{Name: want.Name, Kind: "bridge"}
	if have == nil {
		want.link(&l, nil)
		mtu := l.MTU
		l.MTU = nil // given at creation it would follow the ports all the same
		if err := n.Links().Create(ctx, l); err != nil {
			return err
		}
		l = host.Link{Name: want.Name, Kind: "bridge", MTU: mtu}
		have = &Bridge{}
	} else {
		want.link(&l, &d)
	}
	if err := setPorts(ctx, n, want, have.Ports); err != nil {
		return err
	}
	return setDevice(ctx, n, l)
}

// link fills l with what differs; d == nil: with all that is set.
func (b *Bridge) link(l *host.Link, d *Diff) {
	differs := func(path string) bool { return d == nil || d.Has(path) }
	b.device.into(l, d)
	b.madeUp.into(l, d)
	var own host.Bridge
	if differs("stp_state") {
		own.STP = b.STP
	}
	if differs("forward_delay") {
		own.ForwardDelay = b.ForwardDelay
	}
	if differs("hello_time") {
		own.HelloTime = b.HelloTime
	}
	if differs("max_age") {
		own.MaxAge = b.MaxAge
	}
	if differs("ageing_time") {
		own.AgeingTime = b.AgeingTime
	}
	if differs("priority") {
		own.Priority = b.Priority
	}
	if differs("vlan_filtering") {
		own.VLANFiltering = b.VLANFiltering
	}
	if differs("mcast_snooping") {
		own.MulticastSnooping = b.MulticastSnooping
	}
	if own != (host.Bridge{}) {
		l.Bridge = &own
	}
}

// setPorts attaches what is missing before it releases what is too much.
func setPorts(ctx context.Context, n host.Net, want *Bridge, have []string) error {
	if want.Ports == nil {
		return nil
	}
	for _, p := range want.Ports {
		if !slices.Contains(have, p) {
			if err := n.Links().Set(ctx, host.Link{Name: p, Master: &want.Name}); err != nil {
				return fmt.Errorf("attach port: %w", err)
			}
		}
	}
	for _, p := range have {
		if !slices.Contains(want.Ports, p) {
			if err := n.Links().Set(ctx, host.Link{Name: p, Master: ptr("")}); err != nil {
				return fmt.Errorf("release port: %w", err)
			}
		}
	}
	return nil
}
