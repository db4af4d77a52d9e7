package modules

func init() {
	registerDevice("ipip", Spec[IPIP]{
		Name: "ipip",
		Doc:  "Manages a tunnel of IPv4 packets in IPv4.",
		Example: `ipip "tun1" {
  local  = "192.168.50.4"
  remote = "192.168.50.5"
}`,
		Validate: func(t *IPIP) error { return firstFault(t.noMAC(), t.validTTL()) },
		Fixed:    func(have, want *IPIP) []string { return have.fixedClass(&want.tunnel) },
	})
}

// IPIP is a tunnel over IPv4.
type IPIP struct {
	virtual
	tunnel4
	Mode *string `json:"mode,omitempty" lab:"immutable" enum:"ipip,mplsip,any" doc:"What is in the packets; ipip if unset at creation."`
}
