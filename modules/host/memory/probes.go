package memory

import "labctl/modules/host"

// Probes returns the probes of the namespace.
func (n *Net) Probes() host.Probes { return nil }
