package modules

func init() {
	registerDevice("macvlan", Spec[Macvlan]{
		Name: "macvlan",
		Doc:  "Manages a macvlan device: another MAC address, with a stack of its own, on a device that is there.",
		Example: `macvlan "mv0" {
  dev  = "eth1"
  mode = "bridge"
}`,
		Validate: (*Macvlan).validate,
	})
}

// Macvlan is a macvlan device.
type Macvlan struct {
	virtual
	Dev  string  `json:"dev,omitempty" lab:"required,immutable" doc:"Device below."`
	Mode *string `json:"mode,omitempty" enum:"private,vepa,bridge,passthru,source" default:"bridge" doc:"How devices on one dev reach each other."`
}

func (m *Macvlan) validate() error {
	if m.Mode == nil {
		m.Mode = ptr("bridge")
	}
	if m.Dev != "" {
		if err := validDevice("dev", m.Dev); err != nil {
			return err
		}
	}
	return m.virtual.validate()
}
