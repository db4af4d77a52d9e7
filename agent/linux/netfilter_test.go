package linux

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"labctl/modules/host"
)

// netfilterHost is a fresh host whose legacy iptables uses a lock file of the test's own.
func netfilterHost(t testing.TB) *Host {
	t.Helper()
	for _, tool := range []string{"iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save"} {
		if lookTool(tool) == "" {
			if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
				t.Fatalf("needs %s: install the package iptables", tool)
			}
			t.Skipf("needs %s: install the package iptables", tool)
		}
	}
	h := freshHost(t)
	if tt, ok := t.(interface{ Setenv(k, v string) }); ok {
		tt.Setenv("XTABLES_LOCKFILE", filepath.Join(t.TempDir(), "xtables.lock"))
	}
	return h
}

// everyVariant runs fn for both back ends and both families, each in a namespace of its own.
func everyVariant(t *testing.T, fn func(t *testing.T, h *Host, x host.IPTables, f host.Family)) {
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		for _, f := range []host.Family{host.IPv4, host.IPv6} {
			t.Run(backend+" "+f.String(), func(t *testing.T) {
				h := netfilterHost(t)
				fn(t, h, openTables(t, h, f, backend), f)
			})
		}
	}
}

func openTables(t testing.TB, h *Host, f host.Family, backend string) host.IPTables {
	t.Helper()
	x, err := mustNet(t, h, "").Netfilter().IPTables(ctxOf(t), f, backend)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func mustTable(t testing.TB, x host.IPTables, name string) host.Table {
	t.Helper()
	tab, err := x.Table(ctxOf(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// commitRules sets the rules of chains, given by name, in a table.
func commitRules(t testing.TB, x host.IPTables, table string, chains map[string][]string) {
	t.Helper()
	have := mustTable(t, x, table)
	want := have.Clone()
	for name, rules := range chains {
		if want.Chain(name) == nil {
			want.Chains = append(want.Chains, host.Chain{Name: name, Policy: "-"})
		}
		want.Chain(name).Rules = rules
	}
	if err := x.Commit(ctxOf(t), have, want); err != nil {
		t.Fatal(err)
	}
}

func lookTool(name string) string { return new(Host).lookTool(name) }

// tool runs one of the host's own programs and returns its output.
func tool(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

func TestTableOfAnEmptyNamespace(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		for _, name := range []string{"filter", "nat", "mangle", "raw", "security"} {
			tab := mustTable(t, x, name)
			for _, c := range tab.Chains {
				if c.Policy != "ACCEPT" || len(c.Rules) > 0 || !slices.Contains(host.BuiltinChains(name), c.Name) {
					t.Errorf("%s: %+v", name, c)
				}
			}
			if len(tab.Chains) != len(host.BuiltinChains(name)) {
				t.Errorf("%s has chains %+v", name, tab.Chains)
			}
		}
	})
}

func TestCommitEditsInPlace(t *testing.T) {
	lists := [][]string{
		{},
		{"-i a1 -j ACCEPT", "-i a2 -j ACCEPT", "-i a3 -j ACCEPT"},
		{"-i a3 -j ACCEPT", "-i a1 -j ACCEPT"},
		{"-i a9 -j DROP", "-i a3 -j ACCEPT", "-j DROP", "-j DROP", "-i a2 -j ACCEPT"},
		{"-j DROP"},
		{"-j USER", "-i a2 -j ACCEPT", "-g USER"},
	}
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		have := mustTable(t, x, "filter")
		for i := range 40 {
			rules := lists[(i*7+i/6)%len(lists)]
			want := host.Table{Name: "filter"}.Complete()
			want.Chain("FORWARD").Rules = rules
			want.Chain("INPUT").Policy = []string{"ACCEPT", "DROP"}[i%2]
			if i%3 == 0 || slices.Contains(rules, "-j USER") {
				want.Chains = append(want.Chains, host.Chain{Name: "USER", Policy: "-", Rules: lists[i%2]})
			}
			if err := x.Commit(ctxOf(t), have, want); err != nil {
				t.Fatalf("step %d: %v\n%s", i, err, restoreScript(have, want))
			}
			have = mustTable(t, x, "filter")
			if !have.Equal(want) {
				t.Fatalf("step %d: have %+v\nwant %+v", i, have, want)
			}
		}
	})
}

func TestCommitLeavesTheRestAlone(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		lo := "127.0.0.1"
		if f == host.IPv6 {
			lo = "::1"
		}
		tool(t, "ip", "link", "set", "lo", "up")
		commitRules(t, x, "filter", map[string][]string{
			"OUTPUT":      {"-m comment --comment foreign", "-m comment --comment gone", "-j DOCKER-USER"},
			"DOCKER-USER": {"-j RETURN"},
		})
		tool(t, "ping", "-n", "-c", "3", "-i", "0.05", lo)
		before := counted(t, f, x.Backend())
		if !strings.HasPrefix(before["OUTPUT -m comment --comment foreign"], "[6:") {
			t.Fatalf("counters before: %v", before)
		}
		have := mustTable(t, x, "filter")
		want := have.Clone()
		want.Chain("OUTPUT").Rules = []string{"-m comment --comment new", have.Chain("OUTPUT").Rules[0], have.Chain("OUTPUT").Rules[2], "-m comment --comment end"}
		want.Chain("INPUT").Policy = "DROP"
		if err := x.Commit(ctxOf(t), have, want); err != nil {
			t.Fatal(err)
		}
		after := counted(t, f, x.Backend())
		for _, rule := range []string{"OUTPUT -m comment --comment foreign", "OUTPUT -j DOCKER-USER", "DOCKER-USER -j RETURN"} {
			if after[rule] != before[rule] {
				t.Errorf("counters of %q: %s, before %s", rule, after[rule], before[rule])
			}
		}
	})
}

// counted returns the counters of each rule of table filter.
func counted(t *testing.T, f host.Family, backend string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(tool(t, toolPrefix(f)+"-"+shortBackend[backend]+"-save", "-c", "-t", "filter")) {
		if count, rule, ok := strings.Cut(strings.TrimSpace(line), " -A "); ok {
			out[rule] = count
		}
	}
	return out
}

func TestCommitIsAtomic(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		commitRules(t, x, "filter", map[string][]string{"FORWARD": {"-j ACCEPT"}})
		have := mustTable(t, x, "filter")
		want := have.Clone()
		want.Chain("FORWARD").Rules = []string{"-i good -j ACCEPT", "-m limit --limit nonsense -j ACCEPT", "-j ACCEPT"}
		want.Chain("INPUT").Policy = "DROP"
		err := x.Commit(ctxOf(t), have, want)
		if err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Fatalf("error is %v", err)
		}
		if now := mustTable(t, x, "filter"); !now.Equal(have) {
			t.Errorf("changed: %+v", now)
		}
	})
}

func TestCommitNoticesSomebodyElse(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		have := mustTable(t, x, "filter")
		tool(t, toolPrefix(f)+"-"+shortBackend[x.Backend()], "-A", "FORWARD", "-j", "DROP")
		want := have.Clone()
		want.Chain("FORWARD").Rules = []string{"-j ACCEPT"}
		err := x.Commit(ctxOf(t), have, want)
		if err == nil || !strings.Contains(err.Error(), host.ErrChanged.Error()) {
			t.Fatalf("error is %v", err)
		}
		now := mustTable(t, x, "filter")
		if got := now.Chain("FORWARD").Rules; !slices.Equal(got, []string{"-j DROP"}) {
			t.Errorf("FORWARD is %q", got)
		}
	})
}

func TestCanonicalNamesTheRefusedRule(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		for _, bad := range []string{"-m nosuchmatch -j ACCEPT", "-m set --match-set nosuchset src -j ACCEPT", "-j LOG --nosuchoption", "-s no.such.host -j ACCEPT", "-p tcp -m tcp --dport nosuchport"} {
			rules := []host.ChainRule{{Table: "filter", Chain: "FORWARD", Rule: "-j ACCEPT"}, {Table: "filter", Chain: "FORWARD", Rule: bad}, {Table: "mangle", Chain: "INPUT", Rule: "-j ACCEPT"}}
			_, err := x.Canonical(ctxOf(t), rules)
			re, ok := err.(*host.RuleError)
			if !ok || re.Index != 1 {
				t.Errorf("%s: %v", bad, err)
				continue
			}
			t.Log(err)
		}
	})
}

func TestCanonicalNamesTheRuleThatTheKernelRefuses(t *testing.T) {
	h := netfilterHost(t)
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		x := openTables(t, h, host.IPv4, backend)
		var rules []host.ChainRule
		for i := range 5 {
			rules = append(rules, host.ChainRule{Table: "filter", Chain: "FORWARD", Rule: fmt.Sprintf("-s 10.0.0.%d -j ACCEPT", i)})
		}
		rules[3].Rule = "-m owner --uid-owner 0 -j ACCEPT" // iptables takes it, the kernel knows no owner in FORWARD
		_, err := x.Canonical(ctxOf(t), rules)
		if re, ok := err.(*host.RuleError); !ok || re.Index != 3 {
			t.Errorf("%s: %v", backend, err)
		}
	}
}

// Of rules of one shape only the first needs the tool, but values that it rewrites are no part of any shape.
func TestShapesTrustNoValue(t *testing.T) {
	h := netfilterHost(t)
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		x := openTables(t, h, host.IPv4, backend)
		for _, c := range [][2]string{
			{"-s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT", "-s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT"},
			{"-s 10.0.0.2/32 -p tcp -m tcp --dport 81 -j ACCEPT", "-s 10.0.0.2/32 -p tcp -m tcp --dport 81 -j ACCEPT"},
			{"-s 0.0.0.0/0 -p tcp -m tcp --dport 80 -j ACCEPT", "-p tcp -m tcp --dport 80 -j ACCEPT"},
			{"-s 10.0.0.1/8 -p tcp -m tcp --dport 80 -j ACCEPT", "-s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j ACCEPT"},
			{"-s 10.0.0.1 -p tcp -m tcp --dport 80 -j ACCEPT", "-s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT"},
			{"-s 10.0.0.1/32 -p tcp -m tcp --dport 080 -j ACCEPT", "-s 10.0.0.1/32 -p tcp -m tcp --dport 64 -j ACCEPT"},
			{"-s 10.0.0.1/32 -p tcp -m tcp --dport http -j ACCEPT", "-s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT"},
			{"-i eth0 -j ACCEPT", "-i eth0 -j ACCEPT"},
			{"-i + -j ACCEPT", "-j ACCEPT"},
		} {
			got, err := x.Canonical(ctxOf(t), []host.ChainRule{{Table: "filter", Chain: "FORWARD", Rule: c[0]}})
			if strings.Contains(c[0], "080") && err != nil {
				continue // octal, and no port
			}
			if err != nil || !slices.Equal(got[0], []string{c[1]}) {
				t.Errorf("%s: %s: %q, %v", backend, c[0], got, err)
			}
		}
	}
}
