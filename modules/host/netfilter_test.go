package host

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRuleWords(t *testing.T) {
	for in, want := range map[string][]string{
		``:                            nil,
		`-j ACCEPT`:                   {"-j", "ACCEPT"},
		`--comment "a b"  -j X`:       {"--comment", "a b", "-j", "X"},
		`--comment "q\"\\\' " -g Y`:   {"--comment", `q"\' `, "-g", "Y"},
		`--comment "" -j Z`:           {"--comment", "", "-j", "Z"},
		`--log-prefix "-j ACCEPT" -j`: {"--log-prefix", "-j ACCEPT", "-j"},
	} {
		if got := RuleWords(in); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	for _, w := range []string{"", "plain", "a b", `"`, `\`, `'`, `a"b\c'd`, "é", "-x", "!"} {
		if got := RuleWords("x " + QuoteWord(w) + " y"); !slices.Equal(got, []string{"x", w, "y"}) {
			t.Errorf("%q comes back as %q", w, got)
		}
	}
}

func TestJumpsTo(t *testing.T) {
	for rule, want := range map[string]string{
		"-j ACCEPT": "", "-j DOCKER-USER": "DOCKER-USER", "-s 10.0.0.1/32 -g lower": "lower", "-m comment --comment x": "",
		`-m comment --comment "-j NO" -j LOG --log-prefix "x "`: "",
	} {
		if got := JumpsTo(rule); got != want {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
}

// A ring counts only where packets can come into it.
func TestCheckJumpsRefusesRings(t *testing.T) {
	table := func(chains ...Chain) Table { return Table{Name: "filter", Chains: chains}.Complete() }
	a, b := Chain{Name: "A", Policy: "-"}, Chain{Name: "B", Policy: "-"}
	ab, ba, aa := a, b, a
	ab.Rules, ba.Rules, aa.Rules = []string{"-j B"}, []string{"-p tcp -g A"}, []string{"-j A"}
	input := Chain{Name: "INPUT", Policy: "ACCEPT", Rules: []string{"-j B"}}
	for _, c := range []struct {
		name        string
		before, now Table
		refused     bool
	}{
		{"in use, then closed", table(ab, b, input), table(ab, ba, input), true},
		{"closed", table(ab, b), table(ab, ba), false},
		{"closed, then used", table(ab, ba), table(ab, ba, input), true},
		{"to itself", table(a), table(aa), false},
		{"no ring", table(a, b), table(ab, b, input), false},
		{"was there before", table(ab, ba, input), table(ab, ba, input), false},
	} {
		if err := c.now.CheckJumps(c.before); (err != nil) != c.refused {
			t.Errorf("%s: %v, want refused = %t", c.name, err, c.refused)
		}
	}
}

func TestCheckJumps(t *testing.T) {
	have := Table{Name: "filter", Chains: []Chain{{Name: "X", Policy: "-"}, {Name: "FORWARD", Policy: "ACCEPT", Rules: []string{"-j X"}}}}
	gone := Table{Name: "filter", Chains: have.Chains[1:]}
	if err := gone.CheckJumps(have); !errors.Is(err, ErrBusy) {
		t.Errorf("chain in use: %v", err)
	}
	more := Table{Name: "filter", Chains: []Chain{have.Chains[0], {Name: "FORWARD", Policy: "ACCEPT", Rules: []string{"-j X", "-j Y"}}}}
	if err := more.CheckJumps(have); !errors.Is(err, ErrNotExist) {
		t.Errorf("no such chain: %v", err)
	}
	if err := have.CheckJumps(more); err != nil {
		t.Error(err)
	}
}

// The pairs are equal, ascending, and as many as the textbook's table says.
func TestCommonRules(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		var a, b []string
		for range rnd.IntN(9) {
			a = append(a, string("abcde"[rnd.IntN(5)]))
		}
		for range rnd.IntN(9) {
			b = append(b, string("abcde"[rnd.IntN(5)]))
		}
		pairs := CommonRules(a, b)
		for k, p := range pairs {
			if a[p[0]] != b[p[1]] || k > 0 && (p[0] <= pairs[k-1][0] || p[1] <= pairs[k-1][1]) {
				t.Fatalf("%q %q: %v", a, b, pairs)
			}
		}
		if len(pairs) != lcs(a, b) {
			t.Fatalf("%q %q: %v, longest is %d", a, b, pairs, lcs(a, b))
		}
	}
}

func lcs(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	if a[0] == b[0] {
		return 1 + lcs(a[1:], b[1:])
	}
	return max(lcs(a[1:], b), lcs(a, b[1:]))
}
