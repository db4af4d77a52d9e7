package modules

func init() {
	registerDevice("ifb", Spec[IFB]{
		Name:    "ifb",
		Doc:     "Manages an intermediate functional block device: where filters send packets that arrive, to be queued and shaped.",
		Example: `ifb "ifb0" { txqueuelen = 1000 }`,
	})
}

// IFB is an intermediate functional block device.
type IFB struct{ virtual }
