package adopt

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func (w *writer) sets() {
	for _, ns := range w.namesOf() {
		for _, s := range w.s.NetNS[ns].IPSets {
			t := in(ns, task{module: "ipset", label: s.Name, args: map[string]any{"type": s.Type}})
			t.merge(w.read(t))
			t.args["type"] = s.Type
			delete(t.args, "entries")
			if len(s.Entries) > 0 {
				t.args["entries"] = s.Entries
			}
			w.add(t)
		}
	}
}

// firewall writes iptables, and the tables of nftables that are not its.
func (w *writer) firewall() {
	for _, ns := range w.namesOf() {
		state := w.s.NetNS[ns]
		for _, family := range slices.Sorted(maps.Keys(state.Netfilter)) {
			for _, t := range state.Netfilter[family] {
				w.table(ns, family, t)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(state.NFTables)) {
			if ofIPTables(state, name) {
				continue
			}
			t := in(ns, task{module: "nftables", label: name})
			t.merge(w.read(t))
			w.add(t)
		}
	}
}

// ofIPTables reports whether a table is what iptables has made: its nf_tables back end keeps its tables there.
func ofIPTables(state *host.NetState, name string) bool {
	family, table, _ := strings.Cut(name, " ")
	tables := state.Netfilter[map[string]string{"ip": "ipv4", "ip6": "ipv6"}[family]]
	return slices.ContainsFunc(tables, func(t host.Table) bool { return t.Name == table })
}

// table writes the chains that hold anything, those that users made first: a jump needs its chain.
func (w *writer) table(ns, family string, t host.Table) {
	chains := slices.Clone(t.Chains)
	slices.SortStableFunc(chains, func(a, b host.Chain) int { return builtin(a) - builtin(b) })
	for _, c := range jumpsLast(chains) {
		args, first := map[string]any{}, []string{}
		if t.Name != "filter" {
			args["table"], first = t.Name, append(first, "table")
		}
		if family != "ipv4" {
			args["family"], first = family, append(first, "family")
		}
		if c.Policy == "DROP" {
			args["policy"], first = c.Policy, append(first, "policy")
		}
		if len(c.Rules) > 0 {
			args["exclusive"], first = true, append(first, "exclusive")
			var rules []any
			for _, text := range c.Rules {
				rules = append(rules, ruleArgs(text, c.Name, t.Name, family))
			}
			args["rule"] = rules
		}
		if len(c.Rules) > 0 || c.Policy != "ACCEPT" {
			w.add(in(ns, task{module: "iptables_chain", label: c.Name, args: args, first: first}))
		}
	}
}

func builtin(c host.Chain) int {
	if c.Policy == "-" {
		return 0
	}
	return 1
}

// jumpsLast orders chains such that one comes after those that its rules jump to.
func jumpsLast(chains []host.Chain) []host.Chain {
	var out []host.Chain
	seen := map[string]bool{}
	var visit func(c host.Chain)
	visit = func(c host.Chain) {
		if seen[c.Name] {
			return
		}
		seen[c.Name] = true
		for _, r := range c.Rules {
			words := strings.Fields(r)
			for i, word := range words[:max(len(words)-1, 0)] {
				if word != "-j" && word != "-g" {
					continue
				}
				if at := slices.IndexFunc(chains, func(o host.Chain) bool { return o.Name == words[i+1] }); at >= 0 {
					visit(chains[at])
				}
			}
		}
		out = append(out, c)
	}
	for _, c := range chains {
		visit(c)
	}
	return out
}

func atoi(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil
}
