package playbooks

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"labctl/modules/host"
)

// Hosts share what is the same for them, and nothing else.
func TestHostsShareWhatIsAlike(t *testing.T) {
	s := site(t, `host "a" {}
host "b" {}
host "c" { become_method = "su" }
variable "secret" {
  default   = "x"
  sensitive = true
}
play "p" {
  hosts  = "a,b,c"
  become = true
  bridge "shared" { mtu = 1400 }
  bridge "skipped" { when = length(groups.all) == 0 }
  bridge "loop ${each.key}" { for_each = toset(["x"]) }
  bridge "own ${host.name}" {}
  bridge "own secret" { ports = [var.secret] }
  set_fact "own_fact" { value = 1 }
  bridge "own elsewhere" { on = "b" }
  bridge "own key" { ports = ["-----BEGIN OPENSSH PRIVATE KEY-----"] }
  bridge "own to handle" {
    mtu  = 1
    when = facts.hostname == "x"
  }
}`)
	hosts, diags := s.Plays()[0].Hosts("")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	alike := &Alike{}
	var of [3][]Step
	for i, h := range hosts {
		r := s.Plays()[0].Start(h, Env{Alike: alike})
		r.SetFacts(host.Facts{Hostname: h.Name})
		steps, state, diags := r.Next()
		if state != Done || len(diags) > 0 {
			t.Fatal(state, diags)
		}
		of[i] = steps
	}
	for i, st := range of[0] {
		shares := !strings.HasPrefix(st.Task.Label, "own")
		if got := st.Work == of[1][i].Work; got != shares {
			t.Errorf("%s: a and b share it: %v", st.Task.Label, got)
		}
		if st.Work == of[2][i].Work {
			t.Errorf("%s: a and c share it, which become another user in another way: %+v, %+v", st.Task.Label, st.Become, of[2][i].Become)
		}
		if shares && string(st.Call.Params) != string(of[2][i].Call.Params) {
			t.Errorf("%s: %s on a, %s on c", st.Task.Label, st.Call.Params, of[2][i].Call.Params)
		}
	}
}

// A step is there for each task and host: what it allocates, a thousand hosts with five hundred tasks have half a million times.
func TestAStepTakesLittle(t *testing.T) {
	const tasks, hosts, most = 200, 20, 1200
	var text strings.Builder
	for i := range hosts {
		fmt.Fprintf(&text, "host \"h%d\" {}\n", i)
	}
	text.WriteString("play \"p\" {\n  hosts = \"all\"\n")
	for i := range tasks {
		fmt.Fprintf(&text, "  bridge \"br%d\" { mtu = %d }\n", i, 1400+i)
	}
	p := site(t, text.String()+"}\n").Plays()[0]
	all, _ := p.Hosts("")
	env := Env{Alike: &Alike{}}
	p.Start(all[0], env).Next() // evaluates for all
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, h := range all {
		if steps, state, diags := p.Start(h, env).Next(); state != Done || len(steps) != tasks || diags.HasErrors() {
			t.Fatal(len(steps), state, diags)
		}
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / (tasks * hosts); got > most {
		t.Errorf("a step of a task that is the same on all hosts allocates %d bytes, want at most %d: what hosts share is to stand in its Work", got, most)
	} else {
		t.Logf("%d bytes a step", got)
	}
}
