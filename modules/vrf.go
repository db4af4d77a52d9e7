package modules

func init() {
	registerDevice("vrf", Spec[VRF]{
		Name: "vrf",
		Doc:  "Manages a VRF: a device whose ports, and what is bound to it, have a routing table of their own.",
		Example: `vrf "red" {
  table = 10
  ports = ["enp0s8"]
}`,
		Validate: func(v *VRF) error { return v.ports.validate(v.Name) },
	})
}

// VRF is a device for virtual routing and forwarding.
type VRF struct {
	virtual
	ports
	Table *int `json:"table,omitempty" lab:"required,immutable" doc:"Routing table."`
}
