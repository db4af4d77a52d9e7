package host

import "context"

// Family is an address family of iptables.
type Family int

// The families, as iptables and ip6tables serve them.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Table is one table of iptables in canonical form: exactly the words that iptables-save prints.
type Table struct {
	Name   string  `json:"name"` // filter, nat, mangle, raw, security
	Chains []Chain `json:"chains"`
}

// Chain is one chain. Policy is "ACCEPT" or "DROP" for built-in chains, "-" for user-defined ones.
type Chain struct {
	Name   string   `json:"name"`
	Policy string   `json:"policy"`
	Rules  []string `json:"rules,omitempty"` // without "-A CHAIN ", counters left out
}

// Netfilter reads and changes the iptables of one namespace.
type Netfilter interface {
	// Table returns a table in canonical form; a table that is not there yet has only its built-in chains, policy ACCEPT.
	Table(ctx context.Context, f Family, table string) (Table, error)
	// Canonical rewrites rules, given as iptables arguments without "-A CHAIN", into the form that iptables-save prints. The
	// tool of the host decides, in a scratch namespace. One rule can become several (-s a,b). An error names the rule's index.
	Canonical(ctx context.Context, f Family, table, chain string, rules []string) ([][]string, error)
	// Commit changes the table from have to want, both canonical, in one atomic iptables-restore that leaves untouched rules
	// and their counters alone. Chains that want lacks are deleted; ErrBusy when another chain still jumps to them.
	Commit(ctx context.Context, f Family, have, want Table) error
}
