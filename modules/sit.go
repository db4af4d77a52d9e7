package modules

func init() {
	registerDevice("sit", Spec[SIT]{
		Name: "sit",
		Doc:  "Manages a tunnel of IPv6 packets in IPv4.",
		Example: `sit "tun1" {
  local  = "192.168.50.4"
  remote = "192.168.50.5"
}`,
		Validate: func(t *SIT) error { return firstFault(t.noMAC(), t.validTTL()) },
		Fixed:    func(have, want *SIT) []string { return have.fixedClass(&want.tunnel) },
	})
}

// SIT is a tunnel over IPv4.
type SIT struct {
	virtual
	tunnel4
	Mode *string `json:"mode,omitempty" lab:"immutable" enum:"ip6ip,ipip,mplsip,any" doc:"What is in the packets; ip6ip if unset at creation."`
}
