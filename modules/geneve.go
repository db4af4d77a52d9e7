package modules

import "strings"

func init() {
	registerDevice("geneve", Spec[Geneve]{
		Name: "geneve",
		Doc:  "Manages a GENEVE tunnel device: Ethernet frames in UDP, to one remote address.",
		Example: `geneve "gnv0" {
  vni    = 100
  remote = "192.168.50.5"
}`,
		Complete: (*Geneve).complete, Fixed: fixedGeneve, Validate: (*Geneve).validate,
	})
}

// Geneve is a GENEVE tunnel device (RFC 8926).
type Geneve struct {
	virtual
	VNI            *int    `json:"vni,omitempty" lab:"immutable" doc:"Virtual network identifier, 0 to 16777215; needed without external."`
	Remote         *string `json:"remote,omitempty" doc:"Address of the other end; needed without external."`
	DstPort        *int    `json:"dstport,omitempty" lab:"immutable" default:"6081" doc:"UDP port of the other end."`
	TTL            *int    `json:"ttl,omitempty" doc:"Time to live of the outer packets, 0 lets the kernel choose; it ends ttl_inherit."`
	TTLInherit     *bool   `json:"ttl_inherit,omitempty" doc:"Whether that of the inner packet is taken; not beside ttl."`
	TOS            *int    `json:"tos,omitempty" doc:"Type of service of the outer packets; 1 copies that of the inner ones."`
	DF             *string `json:"df,omitempty" enum:"unset,set,inherit" doc:"Whether outer packets must not be fragmented."`
	FlowLabel      *int    `json:"flowlabel,omitempty" doc:"Flow label of outer IPv6 packets."`
	External       *bool   `json:"external,omitempty" lab:"immutable" doc:"Whether routes and filters say for each packet where it goes and with which VNI."`
	UDPCsum        *bool   `json:"udp_csum,omitempty" lab:"immutable" doc:"Checksums of UDP over IPv4; the kernel's default is false."`
	UDPZeroCsum6Tx *bool   `json:"udp_zero_csum6_tx,omitempty" lab:"immutable" doc:"Whether UDP over IPv6 leaves without checksums."`
	UDPZeroCsum6Rx *bool   `json:"udp_zero_csum6_rx,omitempty" lab:"immutable" doc:"Whether UDP over IPv6 is taken without checksums."`
}

func (g *Geneve) validate() error {
	if g.DstPort == nil {
		g.DstPort = ptr(6081)
	}
	if g.External != nil && *g.External && (g.VNI != nil || g.Remote != nil || g.TTL != nil || g.TOS != nil) {
		return argf("external", "with external, vni, remote, ttl and tos are said by routes and filters")
	}
	if g.TTL != nil {
		if g.TTLInherit != nil && *g.TTLInherit {
			return argf("ttl_inherit", "takes the time to live of the inner packet; leave ttl out")
		}
		g.TTLInherit = ptr(false)
	}
	over6 := g.Remote != nil && strings.Contains(*g.Remote, ":")
	for i, v := range []*bool{g.UDPZeroCsum6Tx, g.UDPZeroCsum6Rx} {
		if v != nil && !over6 {
			return argf([]string{"udp_zero_csum6_tx", "udp_zero_csum6_rx"}[i], "is for an IPv6 remote")
		}
	}
	if g.UDPCsum != nil && over6 {
		return argf("udp_csum", "is for an IPv4 remote; over IPv6 there is udp_zero_csum6_tx")
	}
	return nil
}

func (g *Geneve) complete() error {
	switch {
	case g.External != nil && *g.External:
		return nil
	case g.VNI == nil:
		return argf("vni", "the virtual network identifier is missing")
	case g.Remote == nil:
		return argf("remote", "the address of the other end is missing")
	}
	return nil
}

// fixedGeneve: a tunnel keeps its address family (geneve_changelink, drivers/net/geneve.c).
func fixedGeneve(have, want *Geneve) []string {
	if have.Remote != nil && want.Remote != nil && strings.Contains(*have.Remote, ":") != strings.Contains(*want.Remote, ":") {
		return []string{"remote"}
	}
	return nil
}
