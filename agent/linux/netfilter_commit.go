package linux

import (
	"context"
	"fmt"
	"strings"

	"labctl/modules/host"
)

// Commit restores the difference between have and want. What is written is computed by index, so it first makes sure that
// the table is still have: an index into another table would hit somebody else's rule. Then it reads what has come of it.
func (t *iptables) Commit(ctx context.Context, have, want host.Table) error {
	if err := want.CheckJumps(have); err != nil {
		return err
	}
	script := restoreScript(have, want)
	if script == "" {
		return nil
	}
	if err := t.expect(ctx, have); err != nil {
		return err
	}
	t.n.h.writes.Add(1)
	// -w makes it wait for the lock of legacy iptables, which any other program may hold for a moment.
	_, err := t.n.run(ctx, t.tools.restore, script, "--noflush", "-w", "60")
	t.n.h.netfilterChanged()
	if err != nil {
		return fmt.Errorf("change table %s: %w", want.Name, atLine(err, script))
	}
	return t.expect(ctx, want)
}

// expect reads anew and returns ErrChanged if a table is not what it should be.
func (t *iptables) expect(ctx context.Context, want host.Table) error {
	d, err := t.read(ctx, true)
	if err != nil {
		return err
	}
	now, err := d.table(want.Name)
	if err != nil || now.Equal(want) {
		return err
	}
	t.n.h.netfilterChanged()
	what := strings.ReplaceAll(restoreScript(want, now), "\n", "; ")
	if len(what) > 300 {
		what = what[:300] + "…"
	}
	return fmt.Errorf("change table %s: %w: %s", want.Name, host.ErrChanged, what)
}

// atLine adds the line of the script that the tool complains about.
func atLine(err error, script string) error {
	n := lineNumber(err)
	lines := strings.Split(script, "\n")
	if n < 1 || n > len(lines) {
		return err
	}
	return fmt.Errorf("%s: %w", lines[n-1], err)
}

// restoreScript returns the input of iptables-restore --noflush that goes from have to want, "" when they are equal.
func restoreScript(have, want host.Table) string {
	var b strings.Builder
	for _, c := range want.Chains {
		before := have.Chain(c.Name)
		switch {
		case before == nil:
			fmt.Fprintf(&b, ":%s - [0:0]\n", c.Name)
		case c.Policy != before.Policy:
			fmt.Fprintf(&b, "-P %s %s\n", c.Name, c.Policy)
		}
	}
	for _, c := range want.Chains {
		var before []string
		if h := have.Chain(c.Name); h != nil {
			before = h.Rules
		}
		writeChain(&b, c.Name, before, c.Rules)
	}
	var gone []string
	for _, c := range have.Chains {
		if want.Chain(c.Name) == nil {
			fmt.Fprintf(&b, "-F %s\n", c.Name) // all of them first: they may jump to each other
			gone = append(gone, c.Name)
		}
	}
	for _, name := range gone {
		fmt.Fprintf(&b, "-X %s\n", name)
	}
	if b.Len() == 0 {
		return ""
	}
	return "*" + want.Name + "\n" + b.String() + "COMMIT\n"
}

// writeChain writes the deletions and insertions that turn one list of rules into another and leave the longest common
// subsequence, with its counters, alone.
func writeChain(b *strings.Builder, chain string, have, want []string) {
	kept := host.CommonRules(have, want)
	if len(kept) == 0 && len(have) > 0 {
		fmt.Fprintf(b, "-F %s\n", chain)
		have = nil
	}
	pos, k := 1, 0 // pos: 1-based index of have[i] in the chain as it is by now
	i, j := 0, 0
	for i < len(have) || j < len(want) {
		nextI, nextJ := len(have), len(want)
		if k < len(kept) {
			nextI, nextJ = kept[k][0], kept[k][1]
		}
		for ; i < nextI; i++ {
			fmt.Fprintf(b, "-D %s %d\n", chain, pos)
		}
		for ; j < nextJ; j++ {
			if k == len(kept) { // nothing is kept behind
				fmt.Fprintf(b, "-A %s %s\n", chain, want[j])
			} else {
				fmt.Fprintf(b, "-I %s %d %s\n", chain, pos, want[j])
			}
			pos++
		}
		if k < len(kept) {
			i, j, pos, k = i+1, j+1, pos+1, k+1
		}
	}
}
