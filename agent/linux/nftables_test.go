package linux

import (
	"strconv"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/modulestest"
)

// TestNFTablesKeepsElements changes a rule beside a set that somebody has put an element in, and one beside a set that changes.
func TestNFTablesKeepsElements(t *testing.T) {
	h := freshHost(t)
	needKind(t, "nftables")
	n := mustNet(t, h, "")
	const set = `set banned { type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 1h }; }` + "\n"
	apply := func(content string, want modules.Action) {
		t.Helper()
		c := modulestest.State("nftables", `{"table":"inet f","content":`+strconv.Quote(content)+`}`)
		m, _ := modules.Default.Lookup("nftables")
		res, err := m.Apply(ctxOf(t), h, c)
		if err != nil || res.Diff.Action != want {
			t.Fatalf("apply %s: %v, %v; want %s", content, res.Diff, err, want)
		}
	}
	elements := func() []string {
		t.Helper()
		text, err := n.NFTables().Table(ctxOf(t), "inet f")
		if err != nil {
			t.Fatal(err)
		}
		_, sets := host.StableNFTable(text)
		return sets["banned"].Elements
	}
	apply(set+"chain a { ip saddr @banned drop; }", modules.Create)
	if _, err := n.NFTables().(nftables).in(ctxOf(t), "ban", "", "add element inet f banned { 10.9.9.9 timeout 30m comment \"a, } b\" }\n", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	apply(set+"chain a { ip saddr @banned drop; }", modules.None)
	apply(set+"chain a { ip saddr @banned accept; }", modules.Update)
	if got := strings.Join(elements(), "; "); got != `10.0.0.1 timeout 1h; 10.9.9.9 timeout 30m comment "a, } b"` {
		t.Errorf("elements after a rule has changed: %s", got)
	}
	apply("set banned { type ipv6_addr; flags timeout; }\nchain a { accept; }", modules.Update)
	if got := elements(); len(got) != 0 {
		t.Errorf("elements after the set has changed: %s", got)
	}
}

func TestNFTablesRefusals(t *testing.T) {
	h := freshHost(t)
	needKind(t, "nftables")
	m, _ := modules.Default.Lookup("nftables")
	for content, want := range map[string]string{
		"table inet f { }\ntable ip g { }":       "the content makes table ip g, too",
		"table ip g { }":                         "the content makes table ip g, too",
		"chain a {\n tcp dport 99999 drop\n}":    "line 2: tcp dport 99999 drop",
		"chain a {\n iif nothing drop\n}":        "Interface does not exist: line 2",
		"chain fwd { }":                          "syntax error",
		"define x = 1":                           "",
		"delete table inet f\ntable inet f {\n}": "No such file or directory: line 1: delete table inet f",
	} {
		_, err := m.Diff(ctxOf(t), h, modulestest.State("nftables", `{"table":"inet f","content":`+strconv.Quote(content)+`}`))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
	if h.Writes() != 0 {
		t.Errorf("wrote %d times", h.Writes())
	}
}
