package modules

import (
	"context"
	"fmt"
	"reflect"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
	"labctl/modules/schema"
)

func init() {
	Register(Spec[BridgePort]{
		Name: "bridge_port",
		Doc:  "Manages how a bridge treats one of its ports, as bridge(8) link. With ensure = \"absent\" it is treated as a new port is, but for the cost.",
		Example: `bridge_port "veth0" {
  learning = false
  flood    = false
  isolated = true
}`,
		Validate: (*BridgePort).validate, Read: readBridgePort, ReadAbsent: readChangedPort, Apply: applyBridgePort,
	})
}

// BridgePort is a port of a bridge. The state of the spanning tree is not in it: without the protocol the kernel opens a
// port again with whatever else changes of the device (br_port_carrier_check, net/bridge/br_if.c), and with it that decides.
type BridgePort struct {
	InNetNS
	Dev            string  `json:"dev" lab:"key" doc:"Device that is a port."`
	Learning       *bool   `json:"learning,omitempty" doc:"Whether source addresses are learned from what arrives."`
	Flood          *bool   `json:"flood,omitempty" doc:"Whether frames to addresses not known leave here."`
	McastFlood     *bool   `json:"mcast_flood,omitempty" doc:"Whether multicast frames of groups not known leave here."`
	BcastFlood     *bool   `json:"bcast_flood,omitempty" doc:"Whether broadcast frames leave here."`
	McastToUnicast *bool   `json:"mcast_to_unicast,omitempty" doc:"Whether multicast frames leave as one frame for each member."`
	McastRouter    *int    `json:"mcast_router,omitempty" doc:"Whether there is a multicast router: 0 no, 1 as learned, 2 yes."`
	Hairpin        *bool   `json:"hairpin,omitempty" doc:"Whether frames can leave by the port they came by."`
	Guard          *bool   `json:"guard,omitempty" doc:"Whether a spanning tree packet that arrives disables the port."`
	RootBlock      *bool   `json:"root_block,omitempty" doc:"Whether the port may not lead to the root of the spanning tree."`
	FastLeave      *bool   `json:"fast_leave,omitempty" doc:"Whether a group is left at once when a member says so."`
	Isolated       *bool   `json:"isolated,omitempty" doc:"Whether frames go to ports that are not isolated only."`
	NeighSuppress  *bool   `json:"neigh_suppress,omitempty" doc:"Whether ARP and neighbour discovery are answered in place of the hosts elsewhere."`
	ProxyARP       *bool   `json:"proxy_arp,omitempty" doc:"Whether ARP is answered for the hosts at other ports."`
	ProxyARPWifi   *bool   `json:"proxy_arp_wifi,omitempty" doc:"The same, as IEEE 802.11 and Hotspot 2.0 want it."`
	VLANTunnel     *bool   `json:"vlan_tunnel,omitempty" doc:"Whether VLANs become identifiers of a tunnel."`
	Locked         *bool   `json:"locked,omitempty" doc:"Whether only hosts in the forwarding database may send."`
	BackupPort     *string `json:"backup_port,omitempty" doc:"Port that stands in while this one has no carrier, \"\" for none."`
	GroupFwdMask   *int    `json:"group_fwd_mask,omitempty" doc:"Bits of the last byte of the link-local groups 01:80:c2:00:00:0X that are forwarded."`
	Cost           *int    `json:"cost,omitempty" lab:"made_up" doc:"Cost of the way over this port in the spanning tree, 1 to 65535."`
	Priority       *int    `json:"priority,omitempty" doc:"Priority in the spanning tree, 0 to 63."`
}

var bridgePortBlock = schema.Later(reflect.TypeFor[BridgePort]())

func (p *BridgePort) validate() error {
	if m := p.GroupFwdMask; m != nil && *m&7 != 0 {
		return argf("group_fwd_mask", "%#x has a bit of 0x7: spanning tree, flow control and LACP are never forwarded", *m)
	}
	return firstFault(validDevice("dev", p.Dev), validAttrs(kinds.Port("bridge"), bridgePortBlock(), fieldsOf(p)))
}

// port returns the device if it is a port of a bridge.
func (p *BridgePort) port(ctx context.Context, h host.Host) (*host.Link, error) {
	l, err := p.findDevice(ctx, h, p.Dev, "")
	if err != nil || l == nil || l.Port == nil {
		return nil, err
	}
	return l, nil
}

func readBridgePort(ctx context.Context, h host.Host, want *BridgePort) (*BridgePort, error) {
	l, err := want.port(ctx, h)
	if err != nil || l == nil {
		return nil, err
	}
	have := &BridgePort{InNetNS: want.InNetNS, Dev: want.Dev}
	readAttrs(kinds.Port("bridge"), l.Port, bridgePortBlock(), fieldsOf(have))
	return have, nil
}

// readChangedPort: a port of which nothing was changed is as good as absent.
func readChangedPort(ctx context.Context, h host.Host, want *BridgePort) (*BridgePort, error) {
	l, err := want.port(ctx, h)
	if err != nil || l == nil || len(changedPort(l.Port)) == 0 {
		return nil, err
	}
	return readBridgePort(ctx, h, want)
}

// changedPort is what resets the attributes of a port that are not those of a new one.
func changedPort(have host.Attrs) host.Attrs {
	out := host.Attrs{}
	for name := range have {
		if a := kinds.Port("bridge").Find(name); a.Default != nil {
			out[name] = a.Default
		}
	}
	return out
}

func applyBridgePort(ctx context.Context, h host.Host, have, want *BridgePort, d Diff) error {
	if have == nil {
		return fmt.Errorf("device %s: %w: it is not a port of a bridge; attach it first, with ports of the bridge or master of the device", want.Dev, host.ErrNotExist)
	}
	n, err := have.net(ctx, h)
	if err != nil {
		return err
	}
	out := host.Link{Name: have.Dev}
	if want != nil {
		out.Port = attrsOf(kinds.Port("bridge"), bridgePortBlock(), fieldsOf(want), &d)
		return n.Links().Set(ctx, out)
	}
	l, err := n.Links().Get(ctx, have.Dev)
	if err != nil {
		return err
	}
	out.Port = changedPort(l.Port)
	return n.Links().Set(ctx, out)
}
