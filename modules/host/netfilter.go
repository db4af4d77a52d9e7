package host

import (
	"context"
	"errors"
	"fmt"
)

// Family is an address family of iptables.
type Family int

// The families, as iptables and ip6tables serve them.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// String returns "ipv4" or "ipv6".
func (f Family) String() string { return fmt.Sprintf("ipv%d", int(f)) }

// The back ends of iptables, in the words of iptables -V. Both can hold rules in one namespace at the same time, and neither
// tool shows the other's.
const (
	BackendNFT    = "nf_tables"
	BackendLegacy = "legacy"
)

// ErrChanged says that a table is no longer what the caller read: someone else changed it meanwhile. Nothing was written.
var ErrChanged = errors.New("changed by someone else meanwhile")

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

// ChainRule is a rule at its place. Rule is iptables arguments without "-A CHAIN", quoted as iptables-restore reads them.
type ChainRule struct {
	Table, Chain, Rule string
}

// RuleError says which of several rules was refused, and why.
type RuleError struct {
	Index int
	Rule  ChainRule
	Err   error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("rule -A %s %s: %v", e.Rule.Chain, e.Rule.Rule, e.Err)
}

func (e *RuleError) Unwrap() error { return e.Err }

// Netfilter gives access to the iptables of one namespace.
type Netfilter interface {
	// IPTables returns the tables of a family as one back end has them: BackendNFT, BackendLegacy, or "" for the one in use.
	// ErrUnsupported when the host lacks the tool; an error that asks for a choice when "" and both back ends hold rules.
	IPTables(ctx context.Context, f Family, backend string) (IPTables, error)
}

// IPTables reads and changes the tables of one family through one back end.
type IPTables interface {
	// Backend returns BackendNFT or BackendLegacy.
	Backend() string
	// Tables returns all tables that exist, in canonical form.
	Tables(ctx context.Context) ([]Table, error)
	// Table returns one table; one that does not exist yet has only its built-in chains, policy ACCEPT. What it returns is
	// shared, as is what Tables returns: Clone it before changing anything.
	Table(ctx context.Context, name string) (Table, error)
	// Canonical rewrites rules into the form that iptables-save prints: result i stands for rules[i]. The tool of the host
	// decides, in a namespace made for it. One rule can become several (-s a,b). A refused rule is a *RuleError. Rules may
	// name the IP sets of the namespace, and those given, which are planned.
	Canonical(ctx context.Context, rules []ChainRule, sets ...string) ([][]string, error)
	// Commit changes a table from have to want, both canonical, in one atomic iptables-restore that leaves untouched rules
	// and their counters alone. ErrChanged when the table is not have any more. Chains that want lacks are deleted; ErrBusy
	// while another chain still jumps to them, ErrNotExist when a rule jumps to a chain that want lacks. Neither table may be
	// changed afterwards.
	Commit(ctx context.Context, have, want Table) error
}
