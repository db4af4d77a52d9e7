package view

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"

	"labctl/modules/schema"
	"labctl/runner"
)

// TestRecapBytes holds recap lines against those that ansible-core 2.14 printed, plain and with ANSIBLE_FORCE_COLOR.
func TestRecapBytes(t *testing.T) {
	good := runner.Counts{OK: 3, Changed: 2, Skipped: 1, Ignored: 1}
	bad := runner.Counts{OK: 2, Changed: 1, Failed: 1, Skipped: 1, Ignored: 1}
	for _, c := range []struct {
		host   string
		counts runner.Counts
		color  bool
		want   string
	}{
		{"h1", good, false, "h1                         : ok=3    changed=2    unreachable=0    failed=0    skipped=1    rescued=0    ignored=1   \n"},
		{"h2", bad, false, "h2                         : ok=2    changed=1    unreachable=0    failed=1    skipped=1    rescued=0    ignored=1   \n"},
		{"h1", good, true, "\x1b[0;33mh1\x1b[0m                         : \x1b[0;32mok=3   \x1b[0m \x1b[0;33mchanged=2   \x1b[0m unreachable=0    failed=0    \x1b[0;36mskipped=1   \x1b[0m rescued=0    \x1b[1;35mignored=1   \x1b[0m\n"},
		{"h2", bad, true, "\x1b[0;31mh2\x1b[0m                         : \x1b[0;32mok=2   \x1b[0m \x1b[0;33mchanged=1   \x1b[0m unreachable=0    \x1b[0;31mfailed=1   \x1b[0m \x1b[0;36mskipped=1   \x1b[0m rescued=0    \x1b[1;35mignored=1   \x1b[0m\n"},
	} {
		p := newPrinter(Options{Color: c.color})
		v := newPlay(Options{}, p)
		v.recap = true // the banner is not of interest
		v.event(runner.Event{Kind: runner.Recap, Host: c.host, Counts: &c.counts})
		if got := p.take()[0].text; got != c.want {
			t.Errorf("recap of %s:\n%q, want\n%q", c.host, got, c.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	failed := runner.Event{Kind: runner.TaskDone, Host: "a", Status: runner.Failed}
	changed := runner.Event{Kind: runner.TaskDone, Host: "a", Status: runner.Changed}
	unknown := runner.Event{Kind: runner.TaskDone, Host: "a", Status: runner.UnknownYet}
	lost := runner.Event{Kind: runner.Unreachable, Host: "b"}
	stopped := runner.Event{Kind: runner.RunDone, Interrupted: true}
	rescued := runner.Event{Kind: runner.Recap, Host: "a", Counts: &runner.Counts{Rescued: 1}}
	for _, c := range []struct {
		name                 string
		events               []runner.Event
		play, plan, detailed int
	}{
		{"nothing", nil, 0, 0, 0},
		{"changed", []runner.Event{changed}, 0, 0, 2},
		{"unknown", []runner.Event{unknown}, 0, 0, 2},
		{"failed", []runner.Event{changed, failed}, 2, 1, 1},
		{"unreachable", []runner.Event{lost}, 4, 1, 1},
		{"unreachable wins", []runner.Event{lost, failed}, 4, 1, 1},
		{"rescued", []runner.Event{failed, rescued}, 0, 0, 0},
		{"interrupted", []runner.Event{lost, failed, stopped}, 99, 99, 99},
	} {
		var o Outcome
		for _, e := range c.events {
			o.Event(e)
		}
		if o.PlayExit() != c.play || o.PlanExit(false) != c.plan || o.PlanExit(true) != c.detailed {
			t.Errorf("%s: play %d, plan %d, detailed %d; want %d, %d, %d", c.name,
				o.PlayExit(), o.PlanExit(false), o.PlanExit(true), c.play, c.plan, c.detailed)
		}
	}
}

func TestWantColor(t *testing.T) {
	for _, c := range []struct {
		env  string
		tty  bool
		want bool
	}{
		{"", true, true},
		{"", false, false},
		{"NO_COLOR=1", true, false},
		{"ANSIBLE_NOCOLOR=true", true, false},
		{"ANSIBLE_NOCOLOR=false", true, true},
		{"FORCE_COLOR=1", false, true},
		{"FORCE_COLOR=0", false, false},
		{"ANSIBLE_FORCE_COLOR=true", false, true},
		{"NO_COLOR=1 ANSIBLE_FORCE_COLOR=yes", false, true},
	} {
		env := map[string]string{}
		for _, kv := range strings.Fields(c.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		if got := wantColor(c.tty, func(k string) string { return env[k] }); got != c.want {
			t.Errorf("%q, terminal %v: %v, want %v", c.env, c.tty, got, c.want)
		}
	}
}

func TestDetectWithoutTerminal(t *testing.T) {
	env := map[string]string{"TERM": "xterm", "COLUMNS": "132"}
	o := Detect(nil, nil, func(k string) string { return env[k] })
	if o.TTY || o.Color || o.Width != 132 {
		t.Errorf("%+v, want no terminal of 132 columns", o)
	}
	env["COLUMNS"] = "none"
	if o := Detect(nil, nil, func(k string) string { return env[k] }); o.Width != 80 {
		t.Errorf("width %d, want 80", o.Width)
	}
}

func TestDiagnosticsOnce(t *testing.T) {
	parser := hclparse.NewParser()
	f, diags := parser.ParseHCL([]byte("mtu = 70000\nvni = vnu\n"), "site.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	attrs, _ := f.Body.JustAttributes()
	vni, mtu := attrs["vni"].Range, attrs["mtu"].Range
	unknown := hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown variable", Detail: `There is no variable named "vnu".`, Subject: &vni}
	again := unknown
	tooBig := hcl.Diagnostic{Severity: hcl.DiagError, Summary: "MTU too large", Detail: "70000 is over 65535.", Subject: &mtu}
	var out, errs bytes.Buffer
	if err := Diagnostics(Options{Out: &out, Err: &errs}, parser.Files(), hcl.Diagnostics{&unknown, &again, &tooBig}); err != nil {
		t.Fatal(err)
	}
	want := `Error: MTU too large

  on site.hcl line 1:
   1: mtu = 70000

70000 is over 65535.

Error: Unknown variable

  on site.hcl line 2:
   2: vni = vnu

There is no variable named "vnu".

`
	if errs.String() != want || out.Len() != 0 {
		t.Errorf("Err:\n%s\nwant:\n%s\nOut: %q", &errs, want, &out)
	}
}

// TestMaskBlock masks what the schema calls sensitive, below lists of blocks too.
func TestMaskBlock(t *testing.T) {
	type peer struct {
		Name string `json:"name" doc:"Name."`
		PSK  string `json:"psk" lab:"sensitive" doc:"Key."`
	}
	type tunnel struct {
		MTU   int    `json:"mtu" doc:"MTU."`
		Peers []peer `json:"peer" doc:"Peers."`
	}
	b := schema.Of(reflect.TypeFor[tunnel]())
	got := literal(maskBlock(b, map[string]any{
		"mtu":  1500.0,
		"peer": []any{map[string]any{"psk": "hunter2", "name": "x"}, map[string]any{"name": "y"}},
	}))
	want := `{ mtu = 1500, peer = [{ name = "x", psk = "(sensitive)" }, { name = "y" }] }`
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTextWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "köln": 4, "東京": 4, "e\u0301": 1, "…": 1} {
		if got := textWidth(s); got != want {
			t.Errorf("textWidth(%q) = %d, want %d", s, got, want)
		}
	}
	if got := truncate("東京タワー", 5); got != "東京…" {
		t.Errorf("truncate: %q", got)
	}
}
