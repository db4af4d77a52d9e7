package linux

import "labctl/modules/host"

// Netfilter is not there yet.
func (n *Net) Netfilter() host.Netfilter { return nil }
