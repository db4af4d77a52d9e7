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
		Validate: (*VXLAN).validate, Warn: (*VXLAN).warn, Fixed: fixedVXLAN,
	})
}

// VXLAN is a VXLAN tunnel device (RFC 7348).
type VXLAN struct {
	virtual
	VNI        *int    `json:"vni,omitempty" lab:"required,immutable" doc:"VXLAN network identifier, 0 to 16777215."`
	Remote     *string `json:"remote,omitempty" doc:"Unicast address of the other end, where frames of unknown destination go."`
	Group      *string `json:"group,omitempty" lab:"immutable" doc:"Multicast address where frames of unknown destination go; needs dev."`
	Local      *string `json:"local,omitempty" doc:"Source address of the outer packets; chosen by the route if unset."`
	Dev        *string `json:"dev,omitempty" lab:"immutable" doc:"Device that the outer packets leave by; chosen by the route if unset."`
	DstPort    *int    `json:"dstport,omitempty" lab:"immutable" default:"4789" doc:"UDP port of the other end."`
	TTL        *int    `json:"ttl,omitempty" doc:"Time to live of the outer packets, 1 to 255; 0 lets the kernel choose, which is 1 for a group."`
	TOS        *int    `json:"tos,omitempty" doc:"Type of service of the outer packets; 1 copies that of the inner ones."`
	Learning   *bool   `json:"learning,omitempty" doc:"Whether source addresses are learned from what arrives; the kernel's default is true."`
	Ageing     *int    `json:"ageing,omitempty" doc:"Seconds until a learned address is forgotten."`
	SrcPortMin *int    `json:"srcport_min,omitempty" lab:"immutable" doc:"Lowest UDP source port; needs srcport_max."`
	SrcPortMax *int    `json:"srcport_max,omitempty" lab:"immutable" doc:"Highest UDP source port; needs srcport_min."`
}

func (v *VXLAN) validate() error {
	if v.DstPort == nil {
		v.DstPort = ptr(4789)
	}
	if v.Remote != nil && v.Group != nil {
		return argf("group", "remote and group exclude each other: the kernel has one address for both")
	}
	if (v.SrcPortMin == nil) != (v.SrcPortMax == nil) {
		return argf("srcport_min", "srcport_min and srcport_max go together")
	}
	if v.SrcPortMin != nil && *v.SrcPortMin > *v.SrcPortMax {
		return argf("srcport_max", "%d is less than srcport_min", *v.SrcPortMax)
	}
	return firstFault(v.virtual.validate(), v.validDev(), v.validAddresses(),
		inRange("vni", v.VNI, 0, 1<<24-1), inRange("dstport", v.DstPort, 1, 65535), inRange("ttl", v.TTL, 0, 255), inRange("tos", v.TOS, 0, 255),
		inRange("ageing", v.Ageing, 0, 1<<31-1), inRange("srcport_min", v.SrcPortMin, 0, 65535), inRange("srcport_max", v.SrcPortMax, 0, 65535))
}

func (v *VXLAN) validDev() error {
	if v.Dev != nil {
		return validDevice("dev", *v.Dev)
	}
	if v.Group != nil {
		return argf("dev", "a group needs dev, the device to send to it and to join it on")
	}
	return nil
}

// validAddresses brings the addresses into the kernel's spelling; all are of one family.
func (v *VXLAN) validAddresses() error {
	var first netip.Addr
	for _, a := range []struct {
		path      string
		text      *string
		multicast bool
	}{{"remote", v.Remote, false}, {"group", v.Group, true}, {"local", v.Local, false}} {
		if a.text == nil {
			continue
		}
		addr, err := validAddr(a.path, *a.text)
		if err != nil {
			return err
		}
		if addr.IsMulticast() != a.multicast {
			return argf(a.path, "%q is the wrong kind: remote and local take a unicast address, group a multicast one", *a.text)
		}
		if first.IsValid() && first.Is4() != addr.Is4() {
			return argf(a.path, "%q and %q are of different families", *a.text, first)
		}
		first, *a.text = addr, addr.String()
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
