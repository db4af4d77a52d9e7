package modules

import (
	"context"
	"errors"
	"fmt"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Veth]{
		Name: "veth",
		Doc:  "Manages a pair of virtual Ethernet devices, each end in a namespace of its own if need be.",
		Example: `veth "veth0" {
  netns      = "boxA"
  peer       = "veth1"
  peer_netns = "router"
}`,
		Validate: (*Veth).validate, Read: readVeth, Apply: applyVeth,
	})
}

// Veth is a pair of virtual Ethernet devices (veth(4)).
type Veth struct {
	InNetNS
	Name string `json:"name" lab:"key" doc:"Device name of this end."`
	madeUp
	device
	portOf
	Peer        string  `json:"peer,omitempty" lab:"required,immutable" doc:"Device name of the other end."`
	PeerNetNS   *string `json:"peer_netns,omitempty" doc:"Network namespace of the other end, as netns; where this end is if unset at creation."`
	PeerUp      *bool   `json:"peer_up,omitempty" default:"true" doc:"Administrative state of the other end."`
	PeerMTU     *int    `json:"peer_mtu,omitempty" doc:"MTU of the other end; that of this end if unset."`
	PeerAddress *string `json:"peer_address,omitempty" lab:"made_up" doc:"MAC address of the other end; left alone if unset."`
	PeerMaster  *string `json:"peer_master,omitempty" doc:"Bridge that the other end is attached to, \"\" for none; left alone if unset."`
}

func (v *Veth) validate() error {
	v.madeUp.validate()
	if v.PeerUp == nil {
		v.PeerUp = ptr(true)
	}
	if v.PeerMTU == nil {
		v.PeerMTU = v.MTU
	}
	if v.PeerNetNS != nil && *v.PeerNetNS == "" {
		v.PeerNetNS = ptr(host.OwnNetNS) // "" is the host's own, wherever this end is
	}
	if v.Peer != "" {
		if err := validDevice("peer", v.Peer); err != nil {
			return err
		}
	}
	if v.Peer == v.Name && (v.PeerNetNS == nil || *v.PeerNetNS == v.NetNS) {
		return argf("peer", "both ends cannot be called %q in one namespace", v.Peer)
	}
	if v.PeerMaster != nil && *v.PeerMaster != "" {
		if err := validDevice("peer_master", *v.PeerMaster); err != nil {
			return err
		}
	}
	if v.PeerAddress != nil {
		mac, err := validMAC("peer_address", *v.PeerAddress)
		if err != nil {
			return err
		}
		v.PeerAddress = &mac
	}
	return firstFault(validDevice("name", v.Name), v.device.validate(), v.portOf.validate(), inRange("peer_mtu", v.PeerMTU, 68, 65535))
}

// peerNet returns the namespace where the other end belongs.
func (v *Veth) peerNet(ctx context.Context, h host.Host) (host.Net, error) {
	if v.PeerNetNS == nil {
		return v.net(ctx, h)
	}
	return h.Net(ctx, *v.PeerNetNS)
}

func readVeth(ctx context.Context, h host.Host, want *Veth) (*Veth, error) {
	l, err := want.findDevice(ctx, h, want.Name, "veth")
	if err != nil || l == nil {
		return nil, err
	}
	have := &Veth{InNetNS: want.InNetNS, Name: want.Name, madeUp: madeUp{l.Up}, device: readDevice(*l), portOf: portOf{l.Master}}
	peer, err := want.findPeer(ctx, h, *l)
	if err != nil {
		return nil, err
	}
	if peer != nil { // where it should be
		have.Peer, have.PeerNetNS = want.Peer, want.PeerNetNS
	} else if peer, err = have.followPeer(ctx, h, l.Peer, want.NetNS); err != nil {
		return nil, err
	}
	if peer != nil {
		have.PeerUp, have.PeerMTU, have.PeerAddress, have.PeerMaster = peer.Up, peer.MTU, peer.Address, peer.Master
	}
	return have, nil
}

// findPeer looks for the other end where it should be: its namespace may have no name that l could refer to it by.
func (v *Veth) findPeer(ctx context.Context, h host.Host, l host.Link) (*host.Link, error) {
	if v.Peer == "" || l.Peer == nil || l.Peer.Name != "" && l.Peer.Name != v.Peer || v.PeerNetNS == nil && l.Peer.NetNS != "" {
		return nil, nil
	}
	n, err := v.peerNet(ctx, h)
	if errors.Is(err, host.ErrNoNetNS) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := n.Links().Get(ctx, v.Peer)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	if err != nil || p.Kind != "veth" || p.Peer == nil || p.Peer.Name != "" && p.Peer.Name != v.Name {
		return nil, err
	}
	if ours, err := v.refersHere(ctx, h, n, *p.Peer); err != nil || !ours {
		return nil, err
	}
	return &p, nil
}

// refersHere tells whether ref, found in the namespace n, leads to this end's namespace: there may be another pair of the
// same names. A reference to a namespace without a name is taken to.
func (v *Veth) refersHere(ctx context.Context, h host.Host, n host.Net, ref host.LinkRef) (bool, error) {
	if ref.Name == "" {
		return true, nil
	}
	own, err := v.net(ctx, h)
	if err != nil {
		return false, err
	}
	if ref.NetNS != "" {
		if n, err = h.Net(ctx, ref.NetNS); err != nil {
			return false, err
		}
	}
	return sameNet(n, own), nil
}

// sameNet reports whether two references led to one namespace.
func sameNet(a, b host.Net) bool {
	x, ok := a.(host.Identifier)
	y, ok2 := b.(host.Identifier)
	return !ok || !ok2 || x.ID() == y.ID()
}

// followPeer reads the other end where it is.
func (v *Veth) followPeer(ctx context.Context, h host.Host, ref *host.LinkRef, own string) (*host.Link, error) {
	if ref == nil || ref.Name == "" {
		return nil, nil
	}
	v.Peer, v.PeerNetNS = ref.Name, &ref.NetNS
	if ref.NetNS == "" {
		v.PeerNetNS = &own
		if own == "" {
			v.PeerNetNS = ptr(host.OwnNetNS)
		}
	}
	n, err := h.Net(ctx, *v.PeerNetNS)
	if err != nil {
		return nil, err
	}
	p, err := n.Links().Get(ctx, ref.Name)
	return &p, err
}

func applyVeth(ctx context.Context, h host.Host, have, want *Veth, d Diff) error {
	if want == nil {
		return have.deleteDevice(ctx, h, have.Name)
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	if have != nil {
		return want.update(ctx, h, n, have, d)
	}
	l := host.Link{Name: want.Name, Kind: "veth", Peer: &host.LinkRef{Name: want.Peer}}
	if want.PeerNetNS != nil {
		l.Peer.NetNS = *want.PeerNetNS
	}
	want.link(&l, nil)
	if err := n.Links().Create(ctx, l); err != nil {
		return err
	}
	return want.setPeer(ctx, h, nil)
}

func (v *Veth) link(l *host.Link, d *Diff) {
	v.device.into(l, d)
	v.madeUp.into(l, d)
	v.portOf.into(l, d)
}

func (v *Veth) update(ctx context.Context, h host.Host, n host.Net, have *Veth, d Diff) error {
	if d.Has("peer_netns") {
		if have.PeerNetNS == nil {
			return fmt.Errorf("move %s: the other end is in a namespace without a name", v.Peer)
		}
		from, err := h.Net(ctx, *have.PeerNetNS)
		if err != nil {
			return err
		}
		if err := from.Links().Move(ctx, v.Peer, *v.PeerNetNS); err != nil {
			return err
		}
		if err := v.setPeer(ctx, h, nil); err != nil { // moved, it is down and without a master
			return err
		}
	} else if err := v.withPeerOf(have).setPeer(ctx, h, &d); err != nil {
		return err
	}
	l := host.Link{Name: v.Name}
	v.link(&l, &d)
	if err := keepReachable(ctx, h, n, v.NetNS, l); err != nil {
		return err
	}
	return setDevice(ctx, n, l)
}

// withPeerOf returns v with the other end where it is, if v does not say where it should be.
func (v *Veth) withPeerOf(have *Veth) *Veth {
	out := *v
	if out.PeerNetNS == nil {
		out.PeerNetNS = have.PeerNetNS
	}
	return &out
}

// setPeer sets on the other end what differs; d == nil: all that is set.
func (v *Veth) setPeer(ctx context.Context, h host.Host, d *Diff) error {
	n, err := v.peerNet(ctx, h)
	if err != nil {
		return err
	}
	differs := func(path string) bool { return d == nil || d.Has(path) }
	l := host.Link{Name: v.Peer}
	if differs("peer_up") {
		l.Up = v.PeerUp
	}
	if differs("peer_mtu") {
		l.MTU = v.PeerMTU
	}
	if differs("peer_address") {
		l.Address = v.PeerAddress
	}
	if differs("peer_master") {
		l.Master = v.PeerMaster
	}
	return setDevice(ctx, n, l)
}
