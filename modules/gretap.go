package modules

func init() {
	registerDevice("gretap", Spec[GRETap]{
		Name: "gretap",
		Doc:  "Manages a GRE tunnel of Ethernet frames over IPv4: a device that a bridge can have as a port.",
		Example: `gretap "gt1" {
  remote = "192.168.50.5"
  key    = 7
  master = "myBridge"
}`,
		Validate: (*GRETap).validate,
	})
}

// GRETap is a GRE tunnel device (RFC 2784).
type GRETap struct {
	virtual
	tunnel4
	grePacket
	IgnoreDF *bool `json:"ignore_df,omitempty" doc:"Whether inner packets are fragmented even if they forbid that; needs pmtudisc = false."`
}

func (g *GRETap) validate() error {
	if g.IgnoreDF != nil && *g.IgnoreDF && (g.PMTUDisc == nil || *g.PMTUDisc) {
		return argf("ignore_df", "needs pmtudisc = false")
	}
	return firstFault(g.grePacket.validate())
}
