package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// decode reads an inventory in plain HCL.
func decode(t testing.TB, text string, list ...string) (*Inventory, hcl.Diagnostics) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(text), "/lab/site.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	c, diags := f.Body.Content(&hcl.BodySchema{Blocks: BlockTypes})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return Decode(Input{Blocks: c.Blocks, List: list})
}

func good(t testing.TB, text string, list ...string) *Inventory {
	t.Helper()
	inv, diags := decode(t, text, list...)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return inv
}

const fleet = `
host "jump" {}
host "web[01:03].example.com" {}
host "db-[a:c]" {}
host "lonely" {}
group "web" {
  hosts = ["web[01:03].example.com"]
}
group "db" {
  hosts = ["db-c", "db-a", "db-b"]
}
group "prod" {
  children = ["web", "db"]
}
group "first" {
  hosts = ["web01.example.com", "db-a"]
}
group "empty" {}
`

func TestPatterns(t *testing.T) {
	inv := good(t, fleet)
	file := filepath.Join(t.TempDir(), "retry")
	if err := os.WriteFile(file, []byte("# failed\ndb-b\n\n!db-c\nweb[0]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"all":                    "jump web01 web02 web03 db-a db-b db-c lonely",
		"*":                      "jump web01 web02 web03 db-a db-b db-c lonely",
		"db":                     "db-c db-a db-b",
		"db:web":                 "db-c db-a db-b web01 web02 web03",
		"db, jump":               "db-c db-a db-b jump",
		"prod:!db":               "web01 web02 web03",
		"prod:&first":            "web01 db-a",
		"!db:prod":               "web01 web02 web03",
		"prod:&first:!db":        "web01",
		"!web":                   "jump db-a db-b db-c lonely",
		"&first":                 "web01 db-a",
		"db[0]":                  "db-c",
		"db[-1]":                 "db-b",
		"db[0:1]":                "db-c db-a",
		"db[1:]":                 "db-a db-b",
		"db[:1]":                 "db-c db-a",
		"db[-2:]":                "db-a db-b",
		"*.example.com":          "web01 web02 web03",
		"web0[12].*":             "web01 web02",
		"w?b":                    "web01 web02 web03",
		"~web0[13]":              "web01 web03",
		"~(?:web01|db-a)":        "web01 db-a",
		"~^db-:!db-a":            "db-b db-c",
		"ungrouped":              "jump lonely",
		"localhost":              "localhost",
		"jump,jump,first":        "jump web01 db-a",
		"@" + file:               "db-b web01",
		"all:!prod:!jump":        "lonely",
		"prod[0:100]":            "web01 web02 web03 db-c db-a db-b",
		"web:&~.*0[12]:!web01.*": "web02",
		"lonely:empty":           "lonely",
		"web01.example.com:jump": "web01 jump",
	} {
		hosts, err := inv.Match(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got := strings.ReplaceAll(names(hosts), ".example.com", ""); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

func names(hosts []*Host) string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	return strings.Join(out, " ")
}

func TestPatternFaults(t *testing.T) {
	inv := good(t, fleet)
	for pattern, want := range map[string]string{
		"":            "pattern is empty",
		" , ":         "pattern is empty",
		"wbe":         `Did you mean "web"?`,
		"all:!pord":   `Did you mean "prod"?`,
		"x*":          "no host matches",
		"db:!db":      "no host matches",
		"empty":       "no host matches",
		"db[7]":       "no host matches",
		"~(":          "missing closing )",
		"@/no/such/f": "no such file",
		"[a-":         "no host matches",
		"~(?!web)":    "all:!~expression",
		"fe80::1":     `"fe80::1" is neither`,
	} {
		if hosts, err := inv.Match(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s, %v; want %q", pattern, names(hosts), err, want)
		}
	}
	if _, err := good(t, "").Match("all"); err == nil || !strings.Contains(err.Error(), "declares no hosts") {
		t.Errorf("empty inventory: %v", err)
	}
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.WriteFile(loop, []byte("@"+loop), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := inv.Match("@" + loop); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("pattern file that names itself: %v", err)
	}
}

func TestSettingsMerge(t *testing.T) {
	inv := good(t, `
ssh {
  user            = "all"
  identity_file   = ["keys/a", "~/.ssh/b", "/etc/c"]
  jump            = ["bastion"]
  connect_timeout = "10s"
  host_key_policy = "accept-new"
}
host "bastion" {
  user = "gate"
}
host "a" {
  port = 2222
}
host "b" {
  jump = []
}
group "g" {
  hosts = ["a"]
  user  = "group"
  port  = 1
}
`)
	a, b, bastion := inv.Host("a"), inv.Host("b"), inv.Host("bastion")
	if a.User != "group" || a.Port != 2222 || a.ConnectTimeout.Seconds() != 10 || a.HostKeyPolicy != "accept-new" {
		t.Errorf("a: %+v", a.SSH)
	}
	if got := fmt.Sprint(a.IdentityFiles); got != "[/lab/keys/a ~/.ssh/b /etc/c]" {
		t.Errorf("identity files %s", got)
	}
	if bastion.User != "gate" || len(bastion.Jump) != 0 || len(b.Jump) != 0 || len(a.Jump) != 1 {
		t.Errorf("jumps: %v %v %v", bastion.Jump, b.Jump, a.Jump)
	}
	if l := inv.Host("localhost"); l == nil || l.Connection != ConnectLocal || len(l.Jump) != 0 {
		t.Errorf("localhost: %+v", l)
	}
}

func TestPersist(t *testing.T) {
	inv := good(t, `
ssh { persist = "10m" }
host "a" { persist = false }
host "b" { persist = true }
host "c" { persist = 0 }
host "d" { persist = "no" }
host "e" { persist = 90 }
host "f" {}
`)
	for name, want := range map[string]time.Duration{
		"a": PersistNot, "b": PersistForever, "c": PersistForever, "d": PersistNot, "e": 90 * time.Second, "f": 10 * time.Minute,
	} {
		if got := inv.Host(name).Persist; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestChains(t *testing.T) {
	inv := good(t, `
host "a" {
  jump = ["b", "c"]
}
host "b" {
  jump = ["d"]
}
host "c" {
  jump = ["not-used@10.0.0.9"]
}
host "d" {
  jump = "u@10.0.0.1:2222, ssh://v@[fd00::1]:22"
}
`)
	hops, err := inv.Chain(inv.Host("a"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hops {
		got = append(got, fmt.Sprintf("%s@%s:%d", h.User, h.Name(), h.Port))
	}
	if s := strings.Join(got, " "); s != "u@10.0.0.1:2222 v@fd00::1:22 @d:0 @b:0 @c:0" {
		t.Errorf("chain %s", s)
	}
}

func TestTheDefaultWayIsNotForThoseOnIt(t *testing.T) {
	inv := good(t, `
ssh {
  jump = ["inner"]
}
host "outer" {}
host "inner" {
  jump = ["outer"]
}
host "target" {}
host "gate" {
  jump = []
}
host "member" {}
group "island" {
  hosts = ["gate", "member"]
  jump  = ["gate"]
}
`)
	for name, want := range map[string]string{"outer": "", "inner": "outer", "target": "outer inner", "gate": "", "member": "gate", "localhost": ""} {
		hops, err := inv.Chain(inv.Host(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, h := range hops {
			got = append(got, h.Name())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: through %v, want %s", name, got, want)
		}
	}
}

func TestHops(t *testing.T) {
	for in, want := range map[string]string{
		"h": "@h:0", "u@h": "u@h:0", "u@h:1": "u@h:1", "::1": "@::1:0", "[::1]:2": "@::1:2", "u@x@h": "u@x@h:0",
		"ssh://u@h:22/": "u@h:22",
		"":              "", "@h": "", "h:": "", "h:0": "", "h:65536": "", "-oProxyCommand=x": "", "h;x": "", "[::1": "", "a b": "", "$(x)": "", "u@-x": "",
	} {
		h, ok := parseHop(in)
		if got := fmt.Sprintf("%s@%s:%d", h.User, h.Address, h.Port); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %s %v, want %q", in, got, ok, want)
		}
	}
}

func TestVariablesSayWhereTheyComeFrom(t *testing.T) {
	inv := good(t, `
host "h" {
  vars   = { own = 1, x = "host" }
  groups = ["late"]
}
group "all" {
  vars = { x = "all", y = "all" }
}
group "parent" {
  children = ["child"]
  vars     = { x = "parent", y = "parent", z = "parent" }
}
group "child" {
  hosts = ["h"]
  vars  = { x = "child", z = "child" }
}
group "late" {
  vars = { z = "late" }
}
`)
	h := inv.Host("h")
	var got []string
	for _, o := range inv.Explain(h) {
		v := "number"
		if o.Name != "own" {
			v = o.Value.AsString()
		}
		got = append(got, fmt.Sprintf("%s=%s(%s,%v)", o.Name, v, o.From, o.Wins))
	}
	want := "own=number(host h,true) x=host(host h,true) x=child(group child,false) x=parent(group parent,false) x=all(group all,false) " +
		"y=parent(group parent,true) y=all(group all,false) z=child(group child,true) z=parent(group parent,false) z=late(group late,false)"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	for k, v := range h.Vars {
		for _, o := range inv.Explain(h) {
			if o.Name == k && o.Wins && !o.Value.RawEquals(v) {
				t.Errorf("%s is %#v, explained as %#v", k, v, o.Value)
			}
		}
	}
	if fmt.Sprint(h.Groups) != "[child late parent]" {
		t.Errorf("groups %v", h.Groups)
	}
}

func TestRanges(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "n[1:3]": "n1 n2 n3", "n[08:11]": "n08 n09 n10 n11", "n[0:4:2]x": "n0x n2x n4x", "[a:c][1:2]": "a1 a2 b1 b2 c1 c2",
		"n[3:1]": "", "n[1": "", "n[1:x]": "", "n[1:9999999]": "", "n[1:2:0]": "", "n[5]": "", "[1:1000][1:1000]": "",
	} {
		got, err := ExpandRange(in)
		if (err != nil) != (want == "") || err == nil && strings.Join(got, " ") != want {
			t.Errorf("%s: %v %v, want %q", in, got, err, want)
		}
	}
}

func TestSuggestions(t *testing.T) {
	known := []string{"mtu", "ports", "in_interface", "a"}
	for given, want := range map[string]string{"mtuu": "mtu", "port": "ports", "MTU": "mtu", "in_inteface": "in_interface", "b": "", "A": "a", "xyz": ""} {
		if got := Suggest(given, known); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

func TestHostsOfTheCommandLine(t *testing.T) {
	inv := good(t, "host \"a\" {\n  port = 3\n}\n", "a", "root@b:22", "localhost")
	if names(inv.Hosts) != "a b localhost" || inv.Host("a").Port != 3 || inv.Host("b").User != "root" || inv.Host("localhost").Connection != ConnectLocal {
		t.Errorf("hosts %s", names(inv.Hosts))
	}
	if _, diags := decode(t, "", "a;b"); !diags.HasErrors() {
		t.Error("a;b accepted")
	}
}

// Ten thousand hosts, each behind a jump host and in two of a hundred groups.
func BenchmarkDecode10000Hosts(b *testing.B) {
	var s strings.Builder
	s.WriteString("host \"jump\" {}\nssh {\n  jump = [\"jump\"]\n}\n")
	for i := range 10000 {
		fmt.Fprintf(&s, "host \"h%d\" {\n  address = \"10.0.%d.%d\"\n  vars = { n = %d }\n  groups = [\"g%d\", \"all-%d\"]\n}\n", i, i/256, i%256, i, i%50, i%50)
	}
	for i := range 50 {
		fmt.Fprintf(&s, "group \"g%d\" {\n  vars = { g = %d }\n}\ngroup \"all-%d\" {}\n", i, i, i)
	}
	f, _ := hclsyntax.ParseConfig([]byte(s.String()), "x", hcl.InitialPos)
	for b.Loop() {
		c, _ := f.Body.Content(&hcl.BodySchema{Blocks: BlockTypes})
		inv, diags := Decode(Input{Blocks: c.Blocks})
		if diags.HasErrors() || len(inv.Hosts) != 10001 {
			b.Fatal(diags)
		}
		if _, err := inv.Match("g1:&all-1:!h1"); err != nil {
			b.Fatal(err)
		}
	}
}
