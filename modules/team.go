package modules

func init() {
	registerDevice("team", Spec[Team]{
		Name:     "team",
		Doc:      "Manages a team device and the set of its ports. How the team balances its ports is for teamd(8) to say.",
		Example:  `team "team0" { ports = ["enp0s8", "enp0s9"] }`,
		Validate: func(t *Team) error { return t.ports.validate(t.Name) },
	})
}

// Team is a team device.
type Team struct {
	virtual
	ports
}
