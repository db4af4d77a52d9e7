package modules

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

func split(s string) []string { return strings.Fields(s) }

func TestPlaceRule(t *testing.T) {
	for _, c := range []struct {
		position, texts, rules, want string
		index                        int
	}{
		{"", "a", "", "a", 1},
		{"", "a", "x y", "x y a", 3},
		{"", "a", "x a y", "x a y", 2},
		{"append", "a b", "b x", "x a b", 2},
		{"insert", "a", "x y", "a x y", 1},
		{"insert", "a", "x a", "x a", 2},
		{"first", "a", "x a y", "a x y", 1},
		{"first", "a", "a x a", "a x a", 1},
		{"last", "a", "a x", "x a", 2},
		{"last", "a", "a a y", "y a", 2},
		{"last", "a b", "a b x a b", "a b x a b", 4},
		{"2", "a", "x y", "x a y", 2},
		{"2", "a", "x a y", "x a y", 2},
		{"2", "a", "a x y", "x a y", 2},
		{"3", "a", "x y", "x y a", 3},
		{"1", "a b", "a x b", "a b x", 1},
	} {
		r := IPTablesRule{Position: c.position, texts: split(c.texts)}
		before := split(c.rules)
		rules := append(make([]string, 0, 10), before...)
		got, index, err := r.place(rules)
		if err != nil || !slices.Equal(got, split(c.want)) || index != c.index {
			t.Errorf("%s of %s in %q: %q at %d, %v; want %q at %d", c.position, c.texts, c.rules, got, index, err, c.want, c.index)
		}
		if !slices.Equal(rules, before) {
			t.Errorf("%s of %s in %q: changed what it was given", c.position, c.texts, c.rules)
		}
		if again, _, _ := r.place(got); !slices.Equal(again, got) {
			t.Errorf("%s of %s in %q: then %q, and again %q", c.position, c.texts, c.rules, got, again)
		}
	}
	r := IPTablesRule{Position: "4", texts: split("a")}
	if _, _, err := r.place(split("x y")); err == nil {
		t.Error("position 4 in a chain of 2 was accepted")
	}
}

// A rule that is several lines is where it should be only if they stand together.
func TestFindRule(t *testing.T) {
	for _, c := range []struct {
		position, texts, rules, want string
		index                        int
	}{
		{"", "a", "x a", "a", 2},
		{"", "a b", "x b", "b", 2},
		{"1", "a b", "a x b", "a", 1},
		{"2", "a b", "x a b", "a b", 2},
		{"first", "a", "x a", "a", 2},
		{"3", "a", "a x a", "a", 3},
	} {
		r := IPTablesRule{Position: c.position, texts: split(c.texts)}
		have, err := r.find(split(c.rules))
		if err != nil || !slices.Equal(have.texts, split(c.want)) || *have.Index != c.index {
			t.Errorf("%s of %s in %q: %+v, %v", c.position, c.texts, c.rules, have, err)
		}
	}
}

func TestMergeRules(t *testing.T) {
	for _, c := range []struct{ rules, texts, want string }{
		{"", "a b", "a b"},
		{"x y", "a b", "x y a b"},
		{"x a y", "a b", "x a b y"},
		{"x b y", "a b", "x a b y"},
		{"a x b", "a b", "a x b"},
		{"b x a", "a b", "x a b"},
		{"a x a b", "a b", "a x b"},
		{"a x c", "a b c", "a b x c"},
	} {
		got := merge(split(c.rules), split(c.texts))
		if !slices.Equal(got, split(c.want)) {
			t.Errorf("%q into %q: %q, want %q", c.texts, c.rules, got, c.want)
		}
	}
}

// However the rules of others stand around, merging keeps them in order and puts ours in ours, and then has nothing to do.
func TestMergeKeepsForeignRules(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		var rules, texts []string
		for range rnd.IntN(8) {
			rules = append(rules, string("xyzabcd"[rnd.IntN(7)]))
		}
		for range rnd.IntN(5) {
			texts = append(texts, string("abcd"[rnd.IntN(4)]))
		}
		got := merge(rules, texts)
		if !slices.Equal(within(got, texts), texts) || !slices.Equal(without(got, texts), without(rules, texts)) || !slices.Equal(merge(got, texts), got) {
			t.Fatalf("%q into %q: %q", texts, rules, got)
		}
	}
}

func iptablesCall(t *testing.T, h host.Host, module string, absent bool, params string) Result {
	t.Helper()
	m, err := Default.Lookup(module)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Apply(context.Background(), h, Call{Module: module, Params: json.RawMessage(params), Absent: absent})
	if err != nil {
		t.Fatalf("%s: %v", params, err)
	}
	return r
}

func docker() *host.Snapshot {
	return &host.Snapshot{NetNS: map[string]*host.NetState{"": {Netfilter: map[string][]host.Table{"ipv4": {{Name: "filter", Chains: []host.Chain{
		{Name: "INPUT", Policy: "ACCEPT"},
		{Name: "FORWARD", Policy: "DROP", Rules: []string{"-j DOCKER-USER", "-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"}},
		{Name: "OUTPUT", Policy: "ACCEPT"},
		{Name: "DOCKER-USER", Policy: "-", Rules: []string{"-j RETURN"}},
	}}}}}}}
}

// A plan against a snapshot shows the rules as iptables-save will print them.
func TestIPTablesAgainstSnapshot(t *testing.T) {
	h := memory.FromSnapshot(docker())
	r := iptablesCall(t, h, "iptables_rule", false, `{"chain":"DOCKER-USER","position":"first","source":"! 10.0.0.0/8","jump":"DROP"}`)
	if r.Diff.Action != Create || r.Diff.Changes[0].Path != "rules" || r.Diff.Changes[0].After.([]any)[0] != "-A DOCKER-USER ! -s 10.0.0.0/8 -j DROP" {
		t.Errorf("%+v", r.Diff)
	}
	r = iptablesCall(t, h, "iptables_rule", false, `{"chain":"FORWARD","out_interface":"docker0","ctstate":["ESTABLISHED","RELATED"],"jump":"ACCEPT"}`)
	if r.Diff.Action != None {
		t.Errorf("a rule that is there: %+v", r.Diff)
	}
	r = iptablesCall(t, h, "iptables_rule", false, `{"chain":"FORWARD","position":"first","out_interface":"docker0","ctstate":["ESTABLISHED","RELATED"],"jump":"ACCEPT"}`)
	if r.Diff.Action != Update || r.Diff.Changes[0].Path != "index" || r.Diff.Changes[0].Before != 2.0 || r.Diff.Changes[0].After != 1.0 {
		t.Errorf("a rule that is elsewhere: %+v", r.Diff)
	}
	r = iptablesCall(t, h, "iptables_chain", false, `{"chain":"FORWARD","policy":"ACCEPT","rule":[{"in_interface":"veth1","jump":"ACCEPT"}]}`)
	if r.Diff.Action != Update || len(r.Diff.Changes) != 2 {
		t.Errorf("%+v", r.Diff)
	}
	iptablesCall(t, h, "iptables_chain", false, `{"chain":"DOCKER-USER","rule":[{"source":"! 10.0.0.0/8","jump":"DROP"},{"in_interface":"x","jump":"DROP"}]}`)
	iptablesCall(t, h, "iptables_chain", true, `{"chain":"FORWARD","policy":"ACCEPT","rule":[{"in_interface":"veth1","jump":"ACCEPT"}]}`)
	if r = iptablesCall(t, h, "iptables_chain", true, `{"chain":"FORWARD","policy":"ACCEPT","rule":[{"in_interface":"veth1","jump":"ACCEPT"}]}`); r.Diff.Action != None {
		t.Errorf("absent twice: %+v", r.Diff)
	}
	n, err := h.Net(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	x, err := n.Netfilter().IPTables(context.Background(), host.IPv4, "")
	if err != nil {
		t.Fatal(err)
	}
	tab, err := x.Table(context.Background(), "filter")
	if err != nil {
		t.Fatal(err)
	}
	if got := tab.Chain("FORWARD").Rules; len(got) != 2 || got[1] != "-j DOCKER-USER" {
		t.Errorf("Docker's rules are %q", got)
	}
	if got := tab.Chain("DOCKER-USER").Rules; !slices.Equal(got, []string{"! -s 10.0.0.0/8 -j DROP", "-i x -j DROP", "-j RETURN"}) {
		t.Errorf("DOCKER-USER is %q", got)
	}
}

// These are refused with the path of the argument, without a host.
func TestIPTablesArguments(t *testing.T) {
	for _, c := range []struct{ module, params, path string }{
		{"iptables_rule", `{"chain":"FORWARD","jump":"LOG","log_prefix":"123456789012345678901234567890"}`, "log_prefix"},
		{"iptables_rule", `{"chain":"FORWARD","jump":"ACCEPT","position":"0"}`, "position"},
		{"iptables_rule", `{"chain":"FORWARD","jump":"ACCEPT","position":"middle"}`, "position"},
		{"iptables_rule", `{"chain":"PREROUTING","jump":"ACCEPT"}`, "table"},
		{"iptables_rule", `{"chain":"LOG","jump":"ACCEPT"}`, "chain"},
		{"iptables_rule", `{"chain":"FORWARD","jump":"ACCEPT","table":"natt"}`, "table"},
		{"iptables_rule", `{"chain":"FORWARD","jump":"ACCEPT","family":"ipv6","source":"10.0.0.1"}`, "source"},
		{"iptables_rule", `{"chain":"FORWARD","jump":"ACCEPT","protocol":"tcp","tcp_flags":{"mask":["SYN"]}}`, "tcp_flags.comp"},
		{"iptables_chain", `{"chain":"FORWARD","policy":"REJECT"}`, "policy"},
		{"iptables_chain", `{"chain":"WEB","policy":"DROP"}`, "policy"},
		{"iptables_chain", `{"chain":"a-name-that-is-much-too-long-for-it"}`, "chain"},
		{"iptables_chain", `{"chain":"FORWARD","rule":[{"jump":"ACCEPT"},{"jump":"LOG","log_prefix":"123456789012345678901234567890"}]}`, "rule[1].log_prefix"},
	} {
		m, _ := Default.Lookup(c.module)
		var arg *ArgumentError
		if err := m.Check(Call{Module: c.module, Params: json.RawMessage(c.params)}); !errors.As(err, &arg) || arg.Path != c.path {
			t.Errorf("%s: %v, want a fault of %s", c.params, err, c.path)
		}
	}
}
