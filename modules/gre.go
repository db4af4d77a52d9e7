package modules

func init() {
	registerDevice("gre", Spec[GRE]{
		Name: "gre",
		Doc:  "Manages a GRE tunnel of packets over IPv4.",
		Example: `gre "gre1" {
  local  = "192.168.50.4"
  remote = "192.168.50.5"
  key    = 7
}`,
		Validate: (*GRE).validate,
		Fixed:    func(have, want *GRE) []string { return have.fixedClass(&want.tunnel) },
	})
}

// GRE is a GRE tunnel device (RFC 2784).
type GRE struct {
	virtual
	tunnel4
	grePacket
	IgnoreDF *bool `json:"ignore_df,omitempty" doc:"Whether inner packets are fragmented even if they forbid that; needs pmtudisc = false."`
}

func (g *GRE) validate() error {
	if g.IgnoreDF != nil && *g.IgnoreDF && (g.PMTUDisc == nil || *g.PMTUDisc) {
		return argf("ignore_df", "needs pmtudisc = false")
	}
	return firstFault(g.grePacket.validate(), g.noMAC())
}
