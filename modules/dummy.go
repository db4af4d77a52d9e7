package modules

func init() {
	registerDevice("dummy", Spec[Dummy]{
		Name:    "dummy",
		Doc:     "Manages a dummy device, which drops whatever is sent: a place for addresses that must always be there.",
		Example: `dummy "dummy0" { mtu = 9000 }`,
	})
}

// Dummy is a dummy device.
type Dummy struct{ virtual }
