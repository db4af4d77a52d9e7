package modules

func init() {
	registerDevice("ipvlan", Spec[IPVLAN]{
		Name: "ipvlan",
		Doc:  "Manages an ipvlan device: a stack of its own on a device that is there, with the MAC address of that.",
		Example: `ipvlan "iv0" {
  dev  = "eth1"
  mode = "l2"
}`,
		Validate: (*IPVLAN).validate,
	})
}

// IPVLAN is an ipvlan device.
type IPVLAN struct {
	virtual
	Dev   string  `json:"dev,omitempty" lab:"required,immutable" doc:"Device below."`
	Mode  *string `json:"mode,omitempty" enum:"l2,l3,l3s" default:"l3" doc:"Whether frames are switched (l2) or packets routed (l3, with iptables l3s). All devices on one dev have the same."`
	Flags *string `json:"flags,omitempty" enum:"bridge,private,vepa" doc:"How devices on one dev reach each other; all have the same. bridge if unset at creation."`
}

func (i *IPVLAN) validate() error {
	if i.Mode == nil {
		i.Mode = ptr("l3")
	}
	if i.Address != nil {
		return argf("address", "an ipvlan device has the MAC address of dev")
	}
	return nil
}
