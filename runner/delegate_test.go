package runner

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"labctl/agent/wire"
)

func hosts(names ...string) string {
	text := ""
	for _, n := range names {
		text += fmt.Sprintf("host %q {}\n", n)
	}
	return text
}

// delegateSite has a play for the hosts a to d, beside which there are t and u.
func delegateSite(tasks string) string {
	return hosts("a", "b", "c", "d", "t", "u") + "play \"p\" {\n hosts = \"a,b,c,d\"\n" + tasks + "\n}\n"
}

func TestDelegate(t *testing.T) {
	b := newBed(t)
	b.slow = 20 * time.Millisecond // all ask for it meanwhile
	all := b.run(bg, delegateSite(`
  act "one ${host.name}" { on = "t" }
  act "two ${host.name}" { on = "t"  become = true }
  act "three ${host.name}" { on = host.name }
  act "four ${host.name}" { on = "localhost"  say = "from ${host.name}"  register = "said" }
  act "five ${result.said.out}" {}
  act "skipped" { when = false  on = "u" }`), Options{})
	for _, h := range []string{"a", "b", "c", "d"} {
		mine := slices.DeleteFunc(slices.Clone(b.done), func(s string) bool { return !strings.HasSuffix(s, " "+h) })
		equal(t, h, mine, "t/: one "+h, "t/root: two "+h, h+"/: three "+h, "localhost/: four "+h, h+"/: five from "+h)
		if got := recapOf(t, all, h); got != (Counts{OK: 5, Changed: 5, Skipped: 1}) {
			t.Errorf("recap of %s: %+v", h, got)
		}
	}
	slices.Sort(b.opened)
	equal(t, "opened", b.opened, "a/", "b/", "c/", "d/", "localhost/", "t/", "t/root")
	for _, e := range all {
		if e.Kind == Recap && (e.Host == "t" || e.Host == "localhost") {
			t.Errorf("%s, which is not in the play, has a recap", e.Host)
		}
		if e.Kind == TaskDone && strings.HasPrefix(e.Task.Name, "act : one") && e.Peer != "t" {
			t.Errorf("%s is done on %q, want t", e.Task.Name, e.Peer)
		}
	}
	if b.running != 0 {
		t.Errorf("%d sessions were left open", b.running)
	}
}

// What fails for one host on a shared target is no failure of the others, nor of the target.
func TestDelegateFailures(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, hosts("a", "b", "t")+`play "p" {
  hosts = "all"
  act "ready" {}
  act "fail" { on = "t"  when = host.name == "a" }
  sync {}
  act "x${each.key}" { on = "t"  for_each = range(20) }
}`, Options{})
	for h, want := range map[string]Counts{
		"a": {OK: 1, Changed: 1, Failed: 1, NotRun: 20}, "b": {OK: 21, Changed: 21, Skipped: 1}, "t": {OK: 21, Changed: 21, Skipped: 1},
	} {
		if got := recapOf(t, all, h); got != want {
			t.Errorf("recap of %s: %+v, want %+v", h, got, want)
		}
	}
}

// A target that cannot be reached is a failure of the host that asked, as with Ansible, and of no other.
func TestDelegateUnreachable(t *testing.T) {
	b := newBed(t)
	b.down["t"] = errDown
	all := b.run(bg, delegateSite(`act "one" { on = "t"  when = host.name == "a" }
  act "two" {}`), Options{})
	equal(t, "a", told(all, "a"), "unreachable", "not_run one", "not_run two")
	equal(t, "b", told(all, "b"), "skipped one", "changed two")
	if i := slices.IndexFunc(all, func(e Event) bool { return e.Kind == Unreachable }); all[i].Peer != "t" {
		t.Errorf("the unreachable host is %q, want t", all[i].Peer)
	}
}

// A target whose session ends under the task of one host has another one for the next.
func TestDelegateLost(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, hosts("a", "b", "t")+`
play "p" {
  hosts = "a"
  act "die" { on = "t" }
}
play "q" {
  hosts = "b,t"
  act "one" { on = "t" }
}`, Options{})
	equal(t, "a", told(all, "a"), "unreachable", "not_run die")
	equal(t, "b", told(all, "b"), "changed one")
	equal(t, "t", told(all, "t"), "changed one")
}

// Tasks in a row for one target are one flight; behind them the host's own are another.
func TestDelegateFlights(t *testing.T) {
	b := newBed(t)
	b.run(bg, hosts("a", "t")+`play "p" {
  hosts = "a"
  act "x${each.key}" { for_each = range(10) }
  act "y${each.key}" { for_each = range(10)  on = "t" }
}`, Options{})
	if n := b.writes.Load(); n != 2 {
		t.Errorf("%d flights, want 2", n)
	}
}

// A plan of a host has one session, whoever plans there.
func TestDelegatePlan(t *testing.T) {
	b := newBed(t)
	b.run(bg, hosts("a", "b", "t")+`play "p" {
  hosts = "all"
  act "one" {}
  act "two" { on = "t"  become = true }
  act "three" { on = "t" }
}`, Options{Mode: Plan})
	slices.Sort(b.opened)
	equal(t, "opened", b.opened, "a/", "b/", "t/root")
}

// What a task says of looking costs no flight in a play. In a plan what is done has its own session, as the user of the task.
func TestCheckFlights(t *testing.T) {
	site := hosts("a") + `play "p" {
  hosts = "a"
  act "one" {}
  note "two" { say = "x"  check = true }
  act "three" { check = false  become = true }
  act "four" {}
}`
	b := newBed(t)
	b.run(bg, strings.Replace(site, "become = true", "", 1), Options{})
	if n := b.writes.Load(); n != 1 {
		t.Errorf("%d flights, want 1", n)
	}
	equal(t, "done", b.done, "a/: one", "a/: three", "a/: four")
	b = newBed(t)
	b.run(bg, site, Options{Mode: Plan})
	equal(t, "done in a plan", b.done, "a/root: three")
	b = newBed(t)
	b.run(bg, strings.Replace(site, "become = true", "become_user = \"u\"", 1), Options{Mode: Plan})
	equal(t, "done in a plan", b.done, "a/u: three")
	equal(t, "opened", b.opened, "a/root", "a/u")
}

// Who has no turn at a session that hosts share sends nothing there: what is queued is another's, who may be at it just now.
func TestNothingIsSentWithoutATurn(t *testing.T) {
	var writes atomic.Int64
	out := struct {
		io.Writer
		io.Closer
	}{io.Discard, io.NopCloser(nil)}
	s := &session{link: &link{stdin: countedPipe{out, &writes}}, turn: make(chan struct{}, 1)}
	if err := s.send(&wire.Frame{Cancel: &wire.Cancel{}}); err != nil {
		t.Fatal(err)
	}
	x := &hostPlay{cur: s}
	x.flush()
	if n := writes.Load(); n != 0 {
		t.Errorf("%d writes without a turn", n)
	}
	if !x.take(bg) {
		t.Fatal("no turn")
	}
	x.flush()
	if n := writes.Load(); n != 1 {
		t.Errorf("%d writes with a turn, want 1", n)
	}
}
