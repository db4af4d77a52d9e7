package playbooks

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
)

// site loads one file and fails the test on any fault.
func site(t testing.TB, text string) *Site {
	t.Helper()
	s, diags := LoadSources(t.TempDir(), []Source{{"site.hcl", []byte(text)}}, Options{Registry: testModules(), Environ: []string{}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}

// start begins the first play on its first host.
func start(t *testing.T, text string, env Env) *HostRun {
	t.Helper()
	p := site(t, text).Plays()[0]
	hosts, diags := p.Hosts("")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p.Start(hosts[0], env)
}

// next checks the state and returns the steps by ID, named as "1 bridge : br0".
func next(t *testing.T, r *HostRun, state State, want ...string) []Step {
	t.Helper()
	steps, got, diags := r.Next()
	if diags.HasErrors() && state != Failed {
		t.Fatal(diags)
	}
	var names []string
	for _, s := range steps {
		n := fmt.Sprintf("%d %s", s.ID, s.Name)
		if s.Skip {
			n += " skipped"
		}
		if s.Unknown {
			n += " unknown " + strings.Join(s.Unknowns, ",")
		}
		names = append(names, n)
	}
	if strings.Join(names, "; ") != strings.Join(want, "; ") {
		t.Fatalf("steps %q, want %q", names, want)
	}
	if got != state {
		t.Fatalf("state %d, want %d", got, state)
	}
	return steps
}

func result(action modules.Action, state string) Outcome {
	return Outcome{Result: modules.Result{Diff: modules.Diff{Action: action}, State: json.RawMessage(state)}}
}

func TestFactsAreWaitedForOnce(t *testing.T) {
	r := start(t, `host "a" {}
play "p" {
  hosts = "a"
  vars  = { dev = facts.default_ipv4.interface, v6 = facts.default_ipv6 }
  bridge "one" {}
  bridge "two" { ports = [dev] }
  bridge "three" { when = v6 != null }
}`, Env{})
	next(t, r, Blocked, "1 bridge : one")
	if n := r.Need(); !n.Facts || n.Steps != nil {
		t.Errorf("need %+v", n)
	}
	next(t, r, Blocked)
	r.SetFacts(host.Facts{DefaultIPv4: &host.DefaultRoute{Interface: "eth0"}})
	steps := next(t, r, Done, "2 bridge : two", "3 bridge : three skipped")
	if string(steps[0].Call.Params) != `{"name":"two","ports":["eth0"]}` {
		t.Errorf("params %s", steps[0].Call.Params)
	}
	next(t, r, Done)
}

const registers = `host "a" {}
play "p" {
  hosts = "a"
  command "c" { register = "out" }
  bridge "br" { mtu = 1400  register = "br" }
  bridge "next" { mtu = result.br.mtu }
  bridge "${result.out.stdout}" { when = result.out.changed }
  command "each" {
    for_each = ["x", "y"]
    register = "many"
  }
  bridge "sum" { mtu = sum([for r in result.many : r.rc]) }
  bridge "skipped" { when = false  register = "skipped" }
  bridge "last" { when = result.skipped.skipped && !result.skipped.changed }
}`

func TestResultsAreWaitedFor(t *testing.T) {
	r := start(t, registers, Env{})
	next(t, r, Blocked, "1 command : c", "2 bridge : br")
	if n := r.Need(); fmt.Sprint(n.Steps) != "[2]" {
		t.Errorf("need %+v", n)
	}
	r.SetOutcome(1, result(modules.Run, `{"stdout":"br7","rc":0}`))
	next(t, r, Blocked)
	r.SetOutcome(2, result(modules.None, `{"name":"br","mtu":1400}`))
	steps := next(t, r, Blocked, "3 bridge : next", "4 bridge : br7", "5 command : each", "6 command : each")
	if string(steps[0].Call.Params) != `{"mtu":1400,"name":"next"}` {
		t.Errorf("params %s", steps[0].Call.Params)
	}
	r.SetOutcome(6, result(modules.Run, `{"rc":1300}`))
	next(t, r, Blocked)
	r.SetOutcome(5, result(modules.Run, `{"rc":100}`))
	steps = next(t, r, Done, "7 bridge : sum", "8 bridge : skipped skipped", "9 bridge : last")
	if string(steps[0].Call.Params) != `{"mtu":1400,"name":"sum"}` {
		t.Errorf("params %s", steps[0].Call.Params)
	}
}

func TestPlanGoesOnWithUnknownResults(t *testing.T) {
	r := start(t, registers, Env{Plan: true})
	next(t, r, Blocked, "1 command : c", "2 bridge : br")
	unknown := Outcome{Result: modules.Result{Diff: modules.Diff{Action: modules.Run}, Unknown: true}}
	r.SetOutcome(1, unknown)
	r.SetOutcome(2, result(modules.Update, `{"name":"br","mtu":1400}`))
	next(t, r, Blocked, "3 bridge : next", "4 bridge : ${result.out.stdout} unknown when,name", "5 command : each", "6 command : each")
	r.SetOutcome(5, unknown)
	r.SetOutcome(6, unknown)
	next(t, r, Done, "7 bridge : sum unknown mtu", "8 bridge : skipped skipped", "9 bridge : last")
}

// Of an object that is known, a plan may not know single attributes: those are unknown, the others are as they are.
func TestUnknownAttributes(t *testing.T) {
	m, err := modules.Default.Lookup("bridge")
	if err != nil {
		t.Fatal(err)
	}
	o := result(modules.Create, `{"name":"br","mtu":1400}`)
	o.Result.UnknownAttributes = []string{"address"}
	v := o.value(m)
	if a := v.GetAttr("address"); a.IsKnown() {
		t.Errorf("address: %#v", a)
	}
	if a := v.GetAttr("alias"); !a.IsNull() {
		t.Errorf("alias: %#v", a)
	}
}

func TestAFailureEndsTheRun(t *testing.T) {
	r := start(t, registers, Env{})
	next(t, r, Blocked, "1 command : c", "2 bridge : br")
	r.SetOutcome(1, Outcome{Failed: true, Error: "boom"})
	next(t, r, Failed)
}

func TestHandlersRunOnceAndOnlyOnChange(t *testing.T) {
	text := `host "a" {}
play "p" {
  hosts = "a"
  handler "first" { command "first" { notify = "third" } }
  handler "second" { command "second" {} }
  handler "third" { command "third" {} }
  bridge "one" { notify = "first" }
  bridge "two" { notify = ["first", "second"] }
  bridge "three" {}
}`
	r := start(t, text, Env{})
	next(t, r, Blocked, "1 bridge : one", "2 bridge : two", "3 bridge : three")
	r.SetOutcome(1, result(modules.Update, "{}"))
	next(t, r, Blocked, "4 command : first")
	if n := r.Need(); fmt.Sprint(n.Steps) != "[2]" {
		t.Errorf("need %+v", n)
	}
	r.SetOutcome(2, result(modules.None, "{}"))
	next(t, r, Blocked)
	r.SetOutcome(4, result(modules.Run, "{}"))
	next(t, r, Done, "5 command : third")

	r = start(t, text, Env{})
	next(t, r, Blocked, "1 bridge : one", "2 bridge : two", "3 bridge : three")
	r.SetOutcome(1, result(modules.None, "{}"))
	r.SetOutcome(2, result(modules.None, "{}"))
	next(t, r, Done)
}

func TestLateLoopsAndVariables(t *testing.T) {
	r := start(t, `host "a" {}
play "p" {
  hosts = "a"
  vars  = { lines = split(",", result.list.stdout) }
  command "list" { register = "list" }
  bridge "${each.key}" {
    for_each = lines
    register = "made"
  }
  bridge "all" { ports = keys(result.made) }
}`, Env{})
	next(t, r, Blocked, "1 command : list")
	r.SetOutcome(1, result(modules.Run, `{"stdout":"b,a"}`))
	next(t, r, Blocked, "2 bridge : b", "3 bridge : a")
	r.SetOutcome(2, result(modules.None, "{}"))
	r.SetOutcome(3, result(modules.None, "{}"))
	if s := next(t, r, Done, "4 bridge : all"); string(s[0].Call.Params) != `{"name":"all","ports":["a","b"]}` {
		t.Errorf("params %s", s[0].Call.Params)
	}
}

func TestFaultsOfTheAgentFindTheirSource(t *testing.T) {
	r := start(t, `host "a" {}
play "p" {
  hosts = "a"
  iptables_chain "INPUT" {
    rule { jump = "ACCEPT" }
    dynamic "rule" {
      for_each = ["x", "y"]
      content { jump = "LOG"  log_prefix = rule.value }
    }
    rule { jump = "DROP" }
  }
}`, Env{})
	s := next(t, r, Done, "1 iptables_chain : INPUT")[0]
	for path, want := range map[string]string{
		"rule[0].jump": "site.hcl:5,19-27", "rule[2].log_prefix": "site.hcl:8,44-54", "rule[3].jump": "site.hcl:10,19-25",
		"rule[3].ctstate": "site.hcl:10,5-9", "chain": "site.hcl:4,18-25", "": "site.hcl:4,3-25", "nonsense[9].x": "site.hcl:4,3-25",
	} {
		if got := s.Fault(path, "no").Subject.String(); got != want {
			t.Errorf("%s lies at %s, want %s", path, got, want)
		}
	}
}

func TestATagsResultIsSkipped(t *testing.T) {
	r := start(t, `host "a" {}
play "p" {
  hosts = "a"
  command "c" { register = "c" }
  bridge "b" { tags = ["net"]  when = !result.c.skipped }
}`, Env{Tags: []string{"net"}})
	next(t, r, Done, "1 bridge : b skipped")
}

func TestAResultOfASecretIsSecret(t *testing.T) {
	r := start(t, `host "a" {}
play "p" {
  hosts = "a"
  command "c" { register = "c"  sensitive = true }
  bridge "br" { ports = [result.c.stdout] }
  bridge "plain" { when = result.c.rc == 0 }
}`, Env{})
	next(t, r, Blocked, "1 command : c")
	r.SetOutcome(1, result(modules.Run, `{"stdout":"s3cret","rc":0}`))
	steps := next(t, r, Done, "2 bridge : br", "3 bridge : plain")
	if !steps[0].Sensitive || steps[1].Sensitive {
		t.Errorf("sensitive: %v %v", steps[0].Sensitive, steps[1].Sensitive)
	}
}

// Hosts are evaluated at the same time and share all that can be shared; the race detector watches.
func TestHostsAreEvaluatedAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x.tpl"), "${host.name} ${length(hosts)}\n")
	s, diags := LoadSources(dir, []Source{{filepath.Join(dir, "site.hcl"), []byte(scaled(40, 20) + `play "more" {
  hosts = "all"
  template "/x" { src = "x.tpl" }
  copy "/y" { content = templatefile("x.tpl", { host = host, hosts = hosts }) }
}`)}}, Options{Registry: testModules(), Environ: []string{}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var wg sync.WaitGroup
	for _, p := range s.Plays() {
		for range 3 {
			wg.Go(func() {
				hosts, _ := p.Hosts("")
				for _, h := range hosts {
					wg.Go(func() {
						if _, state, diags := p.Start(h, Env{}).Next(); diags.HasErrors() || state == Failed {
							t.Error(diags)
						}
					})
				}
			})
		}
	}
	wg.Wait()
}

func TestHeadingIsAsWrittenWhereNamesDiffer(t *testing.T) {
	p := site(t, `
variable "n" { default = "br7" }
host "a" { vars = { of = "a" } }
play "p" {
  hosts = "a"
  vars  = { same = var.n, other = "br-${host.name}", through = other }
  bridge "br0" {}
  bridge "${var.n}" {}
  bridge "${same}" {}
  bridge "${through}" {}
  bridge "${of}" {}
  bridge "br-${each.key}" { for_each = ["x"] }
  bridge "br1" { name = "bridge of ${host.name}" }
  bridge "${host.name}" { name = "a bridge" }
}`).Plays()[0]
	want := []string{"", "", "", "bridge : ${through}", "bridge : ${of}", "bridge : br-${each.key}", "bridge of ${host.name}", ""}
	for i, task := range p.tasks {
		if got := p.Heading(task); got != want[i] {
			t.Errorf("heading of %s at line %d: %q, want %q", task.title(), task.Range.Start.Line, got, want[i])
		}
	}
}

// A changed_when in a file that is included again sees the result of its own turn, though the next has begun.
func TestResultsOfEarlierTurns(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"site.hcl": `host "a" {}
play "p" {
  hosts = "a"
  include "look.hcl" { for_each = ["1", "2"] }
}`,
		"look.hcl": `command "look ${each.key}" { register = "looked" }
bridge "br${each.key}" { changed_when = result.looked.stdout == "new" }`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, diags := Load(filepath.Join(dir, "site.hcl"), Options{Registry: testModules(), Environ: []string{}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	hosts, _ := s.Plays()[0].Hosts("")
	r := s.Plays()[0].Start(hosts[0], Env{})
	next(t, r, Done, "1 command : look 1", "2 bridge : br1", "3 command : look 2", "4 bridge : br2")
	for i, out := range []string{"old", "new"} {
		r.SetOutcome(2*i+1, result(modules.Run, `{"stdout":"`+out+`"}`))
		if j := r.SetOutcome(2*i+2, result(modules.Update, `{}`)); j.Outcome.Changes() != (out == "new") || len(j.Diags) > 0 {
			t.Errorf("%s: changed %v, %v", out, j.Outcome.Changes(), j.Diags)
		}
	}
}
