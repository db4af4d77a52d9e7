package modules

func init() {
	registerDevice("tun", Spec[TunTap]{
		Name: "tuntap",
		Doc:  "Manages a persistent tun or tap device, as ip-tuntap(8).",
		Example: `tuntap "tap0" {
  mode   = "tap"
  master = "myBridge"
}`,
		Validate: (*TunTap).validate,
	})
}

// TunTap is a persistent tun (layer 3) or tap (layer 2) device.
type TunTap struct {
	virtual
	Mode       *string `json:"mode,omitempty" lab:"immutable" enum:"tun,tap" default:"tap" doc:"Layer 3 (tun) or layer 2 (tap)."`
	Owner      *int    `json:"owner,omitempty" lab:"immutable" doc:"User id that may attach to the device; root only if unset."`
	MultiQueue *bool   `json:"multi_queue,omitempty" lab:"immutable" doc:"Whether several processes can attach; false if unset at creation."`
}

func (t *TunTap) validate() error {
	if t.Mode == nil {
		t.Mode = ptr("tap")
	}
	if *t.Mode == "tun" && (t.Address != nil || t.Master != nil && *t.Master != "") {
		return argf("mode", "a tun device has no MAC address and cannot be attached to a bridge; a tap device can")
	}
	return nil
}
