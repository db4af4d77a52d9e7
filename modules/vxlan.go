package modules

import (
	"fmt"
	"net/netip"
	"strings"
)

func init() {
	registerDevice("vxlan", Spec[VXLAN]{
		Name: "vxlan",
		Doc:  "Manages a VXLAN tunnel device: to one remote address, to a multicast group, or to what the forwarding database tells.",
		Example: `vxlan "vxlan0" {
  vni    = 100
  remote = "192.168.50.5"
  dev    = "enp0s8"
}`,
		Validate: (*VXLAN).validate, Warn: (*VXLAN).warn, Complete: (*VXLAN).complete, Fixed: fixedVXLAN,
	})
}

// VXLAN is a VXLAN tunnel device (RFC 7348).
type VXLAN struct {
	virtual
	VNI            *int    `json:"vni,omitempty" lab:"immutable" doc:"VXLAN network identifier, 0 to 16777215; needed without external."`
	Remote         *string `json:"remote,omitempty" doc:"Unicast address of the other end, where frames of unknown destination go."`
	Group          *string `json:"group,omitempty" lab:"immutable" doc:"Multicast address where frames of unknown destination go; needs dev."`
	Local          *string `json:"local,omitempty" doc:"Source address of the outer packets; chosen by the route if unset."`
	Dev            *string `json:"dev,omitempty" lab:"immutable" doc:"Device that the outer packets leave by; chosen by the route if unset."`
	DstPort        *int    `json:"dstport,omitempty" lab:"immutable" default:"4789" doc:"UDP port of the other end."`
	TTL            *int    `json:"ttl,omitempty" doc:"Time to live of the outer packets, 1 to 255; 0 lets the kernel choose, which is 1 for a group."`
	TTLInherit     *bool   `json:"ttl_inherit,omitempty" lab:"immutable" doc:"Whether that of the inner packet is taken."`
	TOS            *int    `json:"tos,omitempty" doc:"Type of service of the outer packets; 1 copies that of the inner ones."`
	DF             *string `json:"df,omitempty" enum:"unset,set,inherit" doc:"Whether outer packets must not be fragmented."`
	FlowLabel      *int    `json:"flowlabel,omitempty" doc:"Flow label of outer IPv6 packets."`
	Learning       *bool   `json:"learning,omitempty" doc:"Whether source addresses are learned from what arrives; the kernel's default is true."`
	Ageing         *int    `json:"ageing,omitempty" doc:"Seconds until a learned address is forgotten."`
	Limit          *int    `json:"limit,omitempty" lab:"immutable" doc:"Most addresses that are learned, 0 for any number."`
	Proxy          *bool   `json:"proxy,omitempty" lab:"immutable" doc:"Whether ARP and neighbour discovery are answered from the neighbour table."`
	RSC            *bool   `json:"rsc,omitempty" lab:"immutable" doc:"Whether frames to a router are sent to the destination itself (route short circuit)."`
	L2Miss         *bool   `json:"l2miss,omitempty" lab:"immutable" doc:"Whether netlink tells of MAC addresses that the forwarding database does not know."`
	L3Miss         *bool   `json:"l3miss,omitempty" lab:"immutable" doc:"Whether netlink tells of addresses that the neighbour table does not know."`
	External       *bool   `json:"external,omitempty" lab:"immutable" doc:"Whether routes and filters say for each packet where it goes and with which VNI; then vni, remote and group are not for the device to say."`
	GBP            *bool   `json:"gbp,omitempty" lab:"immutable" doc:"Group based policy: the packet's mark travels with it."`
	UDPCsum        *bool   `json:"udp_csum,omitempty" lab:"immutable" doc:"Checksums of UDP over IPv4; the kernel's default is true."`
	UDPZeroCsum6Tx *bool   `json:"udp_zero_csum6_tx,omitempty" lab:"immutable" doc:"Whether UDP over IPv6 leaves without checksums."`
	UDPZeroCsum6Rx *bool   `json:"udp_zero_csum6_rx,omitempty" lab:"immutable" doc:"Whether UDP over IPv6 is taken without checksums."`
	SrcPortMin     *int    `json:"srcport_min,omitempty" lab:"immutable" doc:"Lowest UDP source port; needs srcport_max."`
	SrcPortMax     *int    `json:"srcport_max,omitempty" lab:"immutable" doc:"Highest UDP source port; needs srcport_min."`
}

func (v *VXLAN) validate() error {
	if v.DstPort == nil {
		v.DstPort = ptr(4789)
	}
	external := v.External != nil && *v.External
	switch {
	case v.Remote != nil && v.Group != nil:
		return argf("group", "remote and group exclude each other: the kernel has one address for both")
	case external && (v.VNI != nil || v.Remote != nil || v.Group != nil):
		return argf("external", "with external, vni, remote and group are said by routes and filters")
	case (v.SrcPortMin == nil) != (v.SrcPortMax == nil):
		return argf("srcport_min", "srcport_min and srcport_max go together")
	case v.SrcPortMin != nil && *v.SrcPortMin > *v.SrcPortMax:
		return argf("srcport_max", "%d is less than srcport_min", *v.SrcPortMax)
	case v.Group != nil && v.Dev == nil:
		return argf("dev", "a group needs dev, the device to send to it and to join it on")
	}
	return nil
}

func (v *VXLAN) complete() error {
	if v.VNI == nil && (v.External == nil || !*v.External) {
		return argf("vni", "the VXLAN network identifier is missing")
	}
	return nil
}

// validAddr parses an address without a prefix length or a zone.
func validAddr(path, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}, argf(path, "%q is not an IPv4 or IPv6 address", text)
	}
	return a, nil
}

func (v *VXLAN) warn() []string {
	if v.Group != nil && v.TTL == nil {
		return []string{fmt.Sprintf("vxlan %q sends to a group without ttl: the kernel sends multicast with a TTL of 1, so it ends at the first router; set ttl.", v.Name)}
	}
	return nil
}

// fixedVXLAN: a tunnel is made for one address family, IPv4 where nothing tells, and keeps it (vxlan_nl2conf,
// drivers/net/vxlan/vxlan_core.c).
func fixedVXLAN(have, want *VXLAN) []string {
	for _, a := range []*string{want.Remote, want.Group, want.Local} {
		if a != nil && strings.Contains(*a, ":") != have.over6() {
			return []string{"remote", "group", "local"}
		}
	}
	return nil
}

func (v *VXLAN) over6() bool {
	for _, a := range []*string{v.Remote, v.Group, v.Local} {
		if a != nil {
			return strings.Contains(*a, ":")
		}
	}
	return false
}
