package linux

import "labctl/modules/host"

// Probes is not there yet.
func (n *Net) Probes() host.Probes { return nil }
