package linux

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// Canonical asks the tool only for what nobody knows yet: a rule that stands in its chain is canonical, and so is one of a
// shape that the tool has printed unchanged before.
func (t *iptables) Canonical(ctx context.Context, rules []host.ChainRule, sets ...string) ([][]string, error) {
	d, err := t.read(ctx, false)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(rules))
	var ask []int
	asked := map[host.ChainRule]bool{}
	for i, r := range rules {
		if out[i] = t.known(d, r); out[i] == nil {
			if s := shape(r); !asked[s] {
				ask = append(ask, i)
				asked[s] = true
			}
		}
	}
	if err := t.ask(ctx, rules, ask, sets, out); err != nil {
		return nil, err
	}
	ask = ask[:0]
	for i, r := range rules { // those whose like was asked for, and came out changed
		if out[i] == nil {
			if out[i] = t.known(d, r); out[i] == nil {
				ask = append(ask, i)
			}
		}
	}
	return out, t.ask(ctx, rules, ask, sets, out)
}

// known returns the canonical form of r where it takes no asking, else nil.
func (t *iptables) known(d *dump, r host.ChainRule) []string {
	if d.stands(r) {
		return []string{r.Rule}
	}
	x := &t.n.h.nf
	x.mu.Lock()
	defer x.mu.Unlock()
	if lines := x.canon[t.canonKey(r)]; lines != nil {
		return lines
	}
	if x.shapes[t.canonKey(shape(r))] {
		return []string{r.Rule}
	}
	return nil
}

func (t *iptables) canonKey(r host.ChainRule) canonKey {
	return canonKey{t.key.family, t.key.backend, r}
}

// ask canonicalises rules[i] for every i of ask, into out[i].
func (t *iptables) ask(ctx context.Context, rules []host.ChainRule, ask []int, sets []string, out [][]string) error {
	if len(ask) == 0 {
		return nil
	}
	some := make([]host.ChainRule, len(ask))
	for k, i := range ask {
		some[k] = rules[i]
	}
	lines, err := t.inScratch(ctx, some, sets)
	if err != nil {
		var re *host.RuleError
		if errors.As(err, &re) {
			re.Index = ask[re.Index]
		}
		return err
	}
	x := &t.n.h.nf
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.canon == nil {
		x.canon, x.shapes = map[canonKey][]string{}, map[canonKey]bool{}
	}
	for k, i := range ask {
		out[i] = lines[k]
		x.canon[t.canonKey(rules[i])] = lines[k]
		if len(lines[k]) == 1 && lines[k][0] == rules[i].Rule {
			x.shapes[t.canonKey(shape(rules[i]))] = true
		}
	}
	return nil
}

// inScratch restores the rules in a fresh namespace and reads what they have become.
func (t *iptables) inScratch(ctx context.Context, rules []host.ChainRule, sets []string) (out [][]string, err error) {
	script, err := t.namedSets(ctx, rules, sets)
	if err != nil {
		return nil, err
	}
	err = inFreshNetNS(func() error {
		if script != "" {
			if _, err := runTool(ctx, t.n.h.lookTool("ipset"), script, "restore"); err != nil {
				return err
			}
		}
		if out, err = t.roundTrip(ctx, rules, false); err == nil && out == nil {
			out, err = t.roundTrip(ctx, rules, true)
		}
		return err
	})
	return out, err
}

// namedSets returns the commands of ipset that make the sets that rules name, empty, as far as the namespace has them or they
// are planned: that they are not there the tool says itself.
func (t *iptables) namedSets(ctx context.Context, rules []host.ChainRule, planned []string) (string, error) {
	var named []string
	for _, r := range rules {
		named = append(named, host.SetsOf(r.Rule)...)
	}
	if slices.Sort(named); len(named) == 0 || t.n.h.lookTool("ipset") == "" {
		return "", nil
	}
	names, err := ipsets{t.n}.in(ctx, "list IP sets", "", "", "list", "-name")
	if err != nil {
		return "", ignoreUnsupported(err)
	}
	there := append(strings.Fields(names), planned...)
	named = slices.DeleteFunc(slices.Compact(named), func(s string) bool { return !slices.Contains(there, s) })
	return emptySets(named), nil
}

// roundTrip restores and saves. Without fences it returns nil if some rule became several: the tool does not tell which.
func (t *iptables) roundTrip(ctx context.Context, rules []host.ChainRule, fences bool) ([][]string, error) {
	script, lineOf := scratchScript(rules, fences)
	if _, err := runTool(ctx, t.tools.restore, script, "-w", "60"); err != nil {
		return nil, t.blame(ctx, rules, lineOf, err)
	}
	saved, err := runTool(ctx, t.tools.save, "")
	if err != nil {
		return nil, fmt.Errorf("canonicalise rules: %w", err)
	}
	d, err := parseSave(saved)
	if err != nil {
		return nil, fmt.Errorf("canonicalise rules: %w", err)
	}
	if fences {
		return collectFenced(d, rules)
	}
	return collect(d, rules)
}

// blame finds the rule that made restore fail: by the line that the tool names, else by trying them one at a time, for
// legacy iptables names only the COMMIT when the kernel refuses a rule.
func (t *iptables) blame(ctx context.Context, rules []host.ChainRule, lineOf map[int]int, err error) error {
	var te *toolError
	if !errors.As(err, &te) {
		return fmt.Errorf("canonicalise rules: %w", err)
	}
	if i, ok := lineOf[lineNumber(err)]; ok {
		return &host.RuleError{Index: i, Rule: rules[i], Err: err}
	}
	if len(rules) == 1 {
		return &host.RuleError{Index: 0, Rule: rules[0], Err: err}
	}
	for i := range rules {
		script, _ := scratchScript(rules[i:i+1], false)
		if _, one := runTool(ctx, t.tools.restore, script, "-w", "60"); one != nil {
			return &host.RuleError{Index: i, Rule: rules[i], Err: one}
		}
	}
	return fmt.Errorf("canonicalise rules: %w", err)
}

// lineNumber picks the line out of "line 7 failed", "line: 7" or "line 7: RULE_APPEND failed", 0 if there is none.
func lineNumber(err error) int {
	var te *toolError
	if !errors.As(err, &te) {
		return 0
	}
	words := strings.Fields(te.stderr)
	for i := len(words) - 1; i > 0; i-- {
		if strings.TrimSuffix(words[i-1], ":") == "line" {
			if n, err := strconv.Atoi(strings.TrimSuffix(words[i], ":")); err == nil {
				return n
			}
		}
	}
	return 0
}

const fence = `-m comment --comment labctl-fence`

// scratchScript returns restore input with all the rules and the chains they need, and which rule is on which line.
func scratchScript(rules []host.ChainRule, fences bool) (string, map[int]int) {
	var b strings.Builder
	line, lineOf := 0, map[int]int{}
	add := func(s string) { b.WriteString(s + "\n"); line++ }
	for _, table := range tablesOf(rules) {
		add("*" + table)
		for _, c := range chainsNeeded(table, rules) {
			add(":" + c + " - [0:0]")
		}
		for i, r := range rules {
			if r.Table != table {
				continue
			}
			add("-A " + r.Chain + " " + r.Rule)
			lineOf[line] = i
			if fences {
				add("-A " + r.Chain + " " + fence)
			}
		}
		add("COMMIT")
	}
	return b.String(), lineOf
}

func tablesOf(rules []host.ChainRule) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range rules {
		if !seen[r.Table] {
			seen[r.Table] = true
			out = append(out, r.Table)
		}
	}
	return out
}

func chainsNeeded(table string, rules []host.ChainRule) []string {
	seen := map[string]bool{"": true}
	for _, c := range host.BuiltinChains(table) {
		seen[c] = true
	}
	var out []string
	for _, r := range rules {
		if r.Table != table {
			continue
		}
		for _, c := range []string{r.Chain, host.JumpsTo(r.Rule)} {
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}

type place struct{ table, chain string }

// saved returns the lines of every chain, in order.
func saved(d *dump) map[place][]string {
	out := map[place][]string{}
	for _, t := range d.tables {
		for _, c := range t.Chains {
			out[place{t.Name, c.Name}] = c.Rules
		}
	}
	return out
}

// collect gives each rule its line; nil when the numbers differ.
func collect(d *dump, rules []host.ChainRule) ([][]string, error) {
	lines := saved(d)
	out := make([][]string, len(rules))
	for i, r := range rules {
		p := place{r.Table, r.Chain}
		if len(lines[p]) == 0 {
			return nil, nil
		}
		out[i], lines[p] = lines[p][:1:1], lines[p][1:]
	}
	for _, rest := range lines {
		if len(rest) > 0 {
			return nil, nil
		}
	}
	return out, nil
}

// collectFenced gives each rule the lines up to the fence behind it.
func collectFenced(d *dump, rules []host.ChainRule) ([][]string, error) {
	lines := saved(d)
	out := make([][]string, len(rules))
	for i, r := range rules {
		p := place{r.Table, r.Chain}
		n := 0
		for n < len(lines[p]) && lines[p][n] != fence {
			n++
		}
		if n == 0 || n == len(lines[p]) {
			return nil, fmt.Errorf("canonicalise rules: rule -A %s %s is lost", r.Chain, r.Rule)
		}
		out[i], lines[p] = lines[p][:n:n], lines[p][n+1:]
	}
	return out, nil
}
