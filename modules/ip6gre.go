package modules

func init() {
	registerDevice("ip6gre", Spec[IP6GRE]{
		Name: "ip6gre",
		Doc:  "Manages a GRE tunnel of packets over IPv6.",
		Example: `ip6gre "gre6" {
  local  = "fd00::4"
  remote = "fd00::5"
}`,
		Validate: (*IP6GRE).validate,
	})
}

// IP6GRE is a GRE tunnel device (RFC 2784).
type IP6GRE struct {
	virtual
	tunnel
	grePacket
	EncapLimit *int `json:"encap_limit,omitempty" doc:"How often the packets can be put into further tunnels."`
	FlowInfo   *int `json:"flowinfo,omitempty" doc:"Traffic class and flow label of the outer packets."`
}

func (g *IP6GRE) validate() error {
	return firstFault(g.grePacket.validate(), g.noMAC())
}
