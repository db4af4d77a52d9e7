package modules

func init() {
	registerDevice("macvlan", Spec[Macvlan]{
		Name: "macvlan",
		Doc:  "Manages a macvlan device: another MAC address, with a stack of its own, on a device that is there.",
		Example: `macvlan "mv0" {
  dev  = "eth1"
  mode = "bridge"
}`,
		Validate: (*Macvlan).validate, Fixed: fixedMacvlan,
	})
}

// Macvlan is a macvlan device.
type Macvlan struct {
	virtual
	Dev        string  `json:"dev,omitempty" lab:"required,immutable" doc:"Device below."`
	Mode       *string `json:"mode,omitempty" enum:"private,vepa,bridge,passthru,source" default:"bridge" doc:"How devices on one dev reach each other."`
	NoPromisc  *bool   `json:"nopromisc,omitempty" doc:"For passthru: whether dev stays out of promiscuous mode; false if unset at creation."`
	NoDst      *bool   `json:"nodst,omitempty" doc:"For source: whether other frames go no further than to the devices that their source is allowed on."`
	BcQueueLen *int    `json:"bcqueuelen,omitempty" doc:"Most frames that wait to be copied to all devices; the kernel's default is 1000."`
}

func (m *Macvlan) validate() error {
	if m.Mode == nil {
		m.Mode = ptr("bridge")
	}
	return nil
}

// fixedMacvlan: passthru has the device below for itself, from the beginning (macvlan_changelink, drivers/net/macvlan.c).
func fixedMacvlan(have, want *Macvlan) []string {
	if have.Mode != nil && (*have.Mode == "passthru") != (*want.Mode == "passthru") {
		return []string{"mode"}
	}
	return nil
}
