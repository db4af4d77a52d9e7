package memory

// netfilter is the iptables state of one namespace.
type netfilter struct{}
