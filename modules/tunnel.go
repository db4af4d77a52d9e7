package modules

import "net/netip"

// tunnel is embedded by devices that carry packets in packets.
type tunnel struct {
	Local  *string `json:"local,omitempty" doc:"Source address of the outer packets, \"\" for that of the route."`
	Remote *string `json:"remote,omitempty" doc:"Address of the other end, \"\" for none in particular."`
	Dev    *string `json:"dev,omitempty" lab:"immutable" doc:"Device that the outer packets leave by; chosen by the route if unset."`
	TTL    *int    `json:"ttl,omitempty" doc:"Time to live of the outer packets, 0 to copy that of the inner ones; left alone if unset."`
	FWMark *int    `json:"fwmark,omitempty" doc:"Mark that routing sees with the outer packets."`
}

// tunnel4 is what those over IPv4 have beside that.
type tunnel4 struct {
	tunnel
	TOS      *int  `json:"tos,omitempty" doc:"Type of service of the outer packets; 1 copies that of the inner ones."`
	PMTUDisc *bool `json:"pmtudisc,omitempty" doc:"Whether outer packets must not be fragmented, so that senders learn what fits; true if unset at creation."`
}

// grePacket is what a GRE tunnel puts into its own header (RFC 2890).
type grePacket struct {
	Key   *int  `json:"key,omitempty" lab:"option" doc:"Both ikey and okey."`
	IKey  *int  `json:"ikey,omitempty" doc:"Key of packets that come, -1 for none."`
	OKey  *int  `json:"okey,omitempty" doc:"Key of packets that leave, -1 for none."`
	ICsum *bool `json:"icsum,omitempty" doc:"Whether packets that come must have a checksum."`
	OCsum *bool `json:"ocsum,omitempty" doc:"Whether packets leave with a checksum."`
	ISeq  *bool `json:"iseq,omitempty" doc:"Whether packets that come must be numbered, and in order."`
	OSeq  *bool `json:"oseq,omitempty" doc:"Whether packets leave numbered."`
}

func (g *grePacket) validate() error {
	if g.IKey == nil {
		g.IKey = g.Key
	}
	if g.OKey == nil {
		g.OKey = g.Key
	}
	return nil
}

// validTTL: with a TTL of their own, packets of ipip and sit are never fragmented (ipip_netlink_parms, net/ipv4/ipip.c).
func (t *tunnel4) validTTL() error {
	if t.TTL != nil && *t.TTL > 0 && t.PMTUDisc != nil && !*t.PMTUDisc {
		return argf("pmtudisc", "the kernel keeps it true with a ttl; set ttl = 0 or leave pmtudisc out")
	}
	return nil
}

// noMAC refuses what only devices with frames have.
func (v *virtual) noMAC() error {
	if v.Address != nil {
		return argf("address", "the device has no MAC address: it carries packets without frames")
	}
	return nil
}

// class is what a remote address makes of a tunnel without frames: point to point, broadcast, or neither. The kernel
// keeps it (ip_tunnel_changelink, net/ipv4/ip_tunnel.c).
func (t *tunnel) class() int {
	switch {
	case t.Remote == nil || *t.Remote == "":
		return 0
	case isMulticast(*t.Remote):
		return 1
	}
	return 2
}

// fixedClass: a tunnel keeps its class.
func (t *tunnel) fixedClass(want *tunnel) []string {
	if want.Remote != nil && t.class() != want.class() {
		return []string{"remote"}
	}
	return nil
}

func isMulticast(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.IsMulticast()
}
