package memory

import "labctl/modules/host"

// netfilter is the iptables state of one namespace.
type netfilter struct{}

// Netfilter returns the iptables of the namespace.
func (n *Net) Netfilter() host.Netfilter { return nil }
