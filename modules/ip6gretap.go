package modules

func init() {
	registerDevice("ip6gretap", Spec[IP6GRETap]{
		Name: "ip6gretap",
		Doc:  "Manages a GRE tunnel of Ethernet frames over IPv6.",
		Example: `ip6gretap "gt6" {
  local  = "fd00::4"
  remote = "fd00::5"
  master = "myBridge"
}`,
		Validate: (*IP6GRETap).validate,
	})
}

// IP6GRETap is a GRE tunnel device (RFC 2784).
type IP6GRETap struct {
	virtual
	tunnel
	grePacket
	EncapLimit *int `json:"encap_limit,omitempty" doc:"How often the packets can be put into further tunnels."`
	FlowInfo   *int `json:"flowinfo,omitempty" doc:"Traffic class and flow label of the outer packets."`
}

func (g *IP6GRETap) validate() error {
	return firstFault(g.grePacket.validate())
}
