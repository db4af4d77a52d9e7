package host

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// builtin are the chains that the kernel makes with each table, in the order of the hooks (include/uapi/linux/netfilter.h).
var builtin = map[string][]string{
	"filter":   {"INPUT", "FORWARD", "OUTPUT"},
	"nat":      {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
	"mangle":   {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
	"raw":      {"PREROUTING", "OUTPUT"},
	"security": {"INPUT", "FORWARD", "OUTPUT"},
}

// BuiltinChains returns the names of the chains that a table always has; nil for a table that iptables does not know.
func BuiltinChains(table string) []string { return slices.Clone(builtin[table]) }

// extensions are the targets of iptables-extensions(8) and xtables-addons(8), in both families. iptables refuses a chain of
// such a name, so any other target is a chain.
var extensions = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`ACCEPT DROP RETURN QUEUE AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNAT
		DNPT DSCP ECN HL HMARK IDLETIMER LED LOG MARK MASQUERADE MIRROR NETMAP NFLOG NFQUEUE NOTRACK RATEEST REDIRECT REJECT
		SAME SECMARK SET SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG
		ACCOUNT CHAOS DELUDE DHCPMAC ECHO IPMARK LOGMARK NATTYPE PROTO SYSRQ TARPIT XOR`) {
		m[n] = true
	}
	return m
}()

// Extension reports whether a target is built in or an extension, and so not the name of a chain.
func Extension(target string) bool { return extensions[target] }

// JumpsTo returns the user-defined chain that a rule jumps or goes to, "" when its target is none.
func JumpsTo(rule string) string {
	words := RuleWords(rule)
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "-g", "--goto":
			return words[i+1]
		case "-j", "--jump":
			if Extension(words[i+1]) {
				return ""
			}
			return words[i+1]
		}
	}
	return ""
}

// RuleWords splits a rule into words as iptables-restore does (add_param_to_argv in xshared.c): blanks separate, double
// quotes group, and a backslash between them takes the next character as it is.
func RuleWords(rule string) []string {
	var out []string
	var b strings.Builder
	quoted, escaped, word := false, false, false
	for _, r := range rule {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted, word = !quoted, true
		case !quoted && (r == ' ' || r == '\t' || r == '\n'):
			if word {
				out = append(out, b.String())
			}
			b.Reset()
			word = false
		default:
			b.WriteRune(r)
			word = true
		}
	}
	if word {
		out = append(out, b.String())
	}
	return out
}

// QuoteWord writes a word so that RuleWords reads it back, in the way of iptables-save (xtables_save_string in xtables.c).
func QuoteWord(w string) string {
	plain := func(r rune) bool {
		return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, `'`, `\'`).Replace(w) + `"`
}

// Chain returns the chain called name, or nil.
func (t *Table) Chain(name string) *Chain {
	for i := range t.Chains {
		if t.Chains[i].Name == name {
			return &t.Chains[i]
		}
	}
	return nil
}

// Clone returns a copy that shares nothing with t.
func (t Table) Clone() Table {
	t.Chains = slices.Clone(t.Chains)
	for i := range t.Chains {
		t.Chains[i].Rules = slices.Clone(t.Chains[i].Rules)
	}
	return t
}

// Equal reports whether both tables hold the same chains, policies and rules. The order of chains means nothing.
func (t Table) Equal(u Table) bool {
	if t.Name != u.Name || len(t.Chains) != len(u.Chains) {
		return false
	}
	for _, c := range t.Chains {
		d := u.Chain(c.Name)
		if d == nil || c.Policy != d.Policy || !slices.Equal(c.Rules, d.Rules) {
			return false
		}
	}
	return true
}

// Complete adds the built-in chains that are missing, with policy ACCEPT: nf_tables makes them one by one when needed.
func (t Table) Complete() Table {
	var missing []Chain
	for _, name := range builtin[t.Name] {
		if t.Chain(name) == nil {
			missing = append(missing, Chain{Name: name, Policy: "ACCEPT"})
		}
	}
	t.Chains = append(missing, t.Chains...)
	return t
}

// CheckJumps refuses a table in which a rule jumps to a chain that it lacks: ErrBusy when before still had that chain (it
// is in use), ErrNotExist otherwise; and one in which chains that are in use jump in a ring. Rules that before had at the same place are looked at only if a chain is gone.
func (t Table) CheckJumps(before Table) error {
	chains := map[string]bool{}
	for _, c := range t.Chains {
		chains[c.Name] = true
	}
	gone := slices.ContainsFunc(before.Chains, func(c Chain) bool { return !chains[c.Name] })
	for _, c := range t.Chains {
		rules := c.Rules
		if b := before.Chain(c.Name); b != nil && !gone {
			rules = between(b.Rules, c.Rules)
		}
		for _, r := range rules {
			if to := JumpsTo(r); to != "" && !chains[to] {
				return noChain(t.Name, to, c.Name, r, before.Chain(to) != nil)
			}
		}
	}
	return t.checkRings(before)
}

// checkRings refuses a table in which a built-in chain leads, by jumps, into a ring: the kernel would go round for ever
// (EMLINK of nf_tables, ELOOP of x_tables). A ring that is led to by nothing is allowed. Only jumps that before did not have
// can close a ring, so those are where the search begins.
func (t Table) checkRings(before Table) error {
	search := func(chain string) []string { return t.ringFrom(chain, nil, map[string]bool{}) }
	for _, c := range t.Chains {
		var had []string
		if b := before.Chain(c.Name); b != nil {
			had = b.Rules
		}
		for _, r := range between(had, c.Rules) {
			to := JumpsTo(r)
			if to == "" || search(to) == nil {
				continue
			}
			for _, base := range builtin[t.Name] {
				if ring := search(base); ring != nil {
					return &Error{Op: "jump to chain", Object: t.Name + " " + to, Err: errors.New("too many links"),
						Ack: "chains jump in a ring: " + strings.Join(ring, ", ")}
				}
			}
		}
	}
	return nil
}

// ringFrom follows jumps from a chain and returns the first ring that it comes to, nil for none. Path is how it came there, done are the chains that
// lead to no ring.
func (t Table) ringFrom(chain string, path []string, done map[string]bool) []string {
	if at := slices.Index(path, chain); at >= 0 {
		return append(slices.Clone(path[at:]), chain)
	}
	c := t.Chain(chain)
	if c == nil || done[chain] {
		return nil
	}
	path = append(path, chain)
	for _, r := range c.Rules {
		if to := JumpsTo(r); to != "" {
			if ring := t.ringFrom(to, path, done); ring != nil {
				return ring
			}
		}
	}
	done[chain] = true
	return nil
}

// between returns b without what it begins and ends with in common with a.
func between(a, b []string) []string {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return b
}

func noChain(table, to, from, rule string, existed bool) error {
	if existed {
		return &Error{Op: "delete chain", Object: table + " " + to, Kind: ErrBusy, Err: fmt.Errorf("%w: -A %s %s jumps to it", ErrBusy, from, rule)}
	}
	return &Error{Op: "jump to chain", Object: table + " " + to, Kind: ErrNotExist, Err: fmt.Errorf("%w: -A %s %s needs it", ErrNotExist, from, rule)}
}
