package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var bg = context.Background()

func TestTasksThatNeedNothingAreOneFlight(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "x" { for_each = [for i in range(50) : "n${i}"] }
}`, Options{})
	if n := b.writes.Load(); n != 1 {
		t.Errorf("50 tasks went out in %d flights", n)
	}
	if c := recapOf(t, all, "a"); c != (Counts{OK: 50, Changed: 50}) {
		t.Errorf("recap %+v", c)
	}
}

func TestEachResultNeededIsOneFlightMore(t *testing.T) {
	b := newBed(t)
	b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" {
    say      = "first"
    register = "r"
  }
  act "two" {}
  act "three" {
    say      = result.r.out
    register = "s"
  }
  act "four" {}
  act "five" { say = result.s.out }
}`, Options{})
	if n := b.writes.Load(); n != 3 {
		t.Errorf("%d flights, want 3: the first, and one for each of two results", n)
	}
	equal(t, "order", b.done, "a/: one", "a/: two", "a/: three", "a/: four", "a/: five")
}

func TestFactsComeWithTheHello(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" {
    say      = facts.hostname
    register = "r"
  }
  act "two" {}
}`, Options{})
	if n := b.writes.Load(); n != 1 {
		t.Errorf("%d flights, want 1", n)
	}
	if !strings.Contains(jsonOf(t, all), "a.test") {
		t.Error("the fact did not arrive")
	}
}

func TestFailureEndsItsHostOnly(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
host "b" {}
play "p" {
  hosts = "a,b"
  act "one" {}
  act "fail" { when = host.name == "a" }
  act "two" {}
  act "skipped" { when = false }
  act "three" {}
}
play "q" {
  hosts = "a,b"
  act "later" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "changed one", "failed fail", "not_run two", "not_run three")
	equal(t, "b", told(all, "b"), "changed one", "skipped fail", "changed two", "skipped skipped", "changed three", "changed later")
	if c := recapOf(t, all, "a"); c != (Counts{OK: 1, Changed: 1, Failed: 1, NotRun: 2}) {
		t.Errorf("recap of a: %+v", c)
	}
	for _, d := range b.done {
		if strings.HasPrefix(d, "a/") && d != "a/: one" && d != "a/: fail" {
			t.Errorf("%s was executed behind a failure", d)
		}
	}
}

func TestHandlersRunOnceAndOnlyOnChange(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" { notify = ["h"] }
  act "two" { notify = ["h"] }
  act "three" {
    same   = true
    notify = ["g"]
  }
  handler "g" {
    act "unwanted" {}
  }
  handler "h" {
    act "handled" {}
  }
}`, Options{})
	equal(t, "a", told(all, "a"), "changed one", "changed two", "ok three", "changed handled")
}

func TestOneSessionForEachUserAndTheOrderHolds(t *testing.T) {
	b := newBed(t)
	b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" {}
  act "two" { become = true }
  act "three" { become = true }
  act "four" {}
  act "five" { become_user = "www" }
}
play "q" {
  hosts  = "a"
  become = true
  act "six" {}
}`, Options{})
	equal(t, "sessions", b.opened, "a/", "a/root", "a/www")
	equal(t, "order", b.done, "a/: one", "a/root: two", "a/root: three", "a/: four", "a/www: five", "a/root: six")
}

func TestUnreachableHostIsLeftOut(t *testing.T) {
	b := newBed(t)
	b.down["a"] = errDown
	all := b.run(bg, `host "a" {}
host "b" {}
play "p" {
  hosts = "a,b"
  act "one" {}
}
play "q" {
  hosts = "a,b"
  act "two" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "unreachable", "not_run one")
	equal(t, "b", told(all, "b"), "changed one", "changed two")
	if c := recapOf(t, all, "a"); c != (Counts{Unreachable: 1, NotRun: 1}) {
		t.Errorf("recap %+v", c)
	}
	i := slices.IndexFunc(all, func(e Event) bool { return e.Kind == PlayStarted && e.Play == "q" })
	equal(t, "hosts of the second play", all[i].Hosts, "b")
}

const three = `host "a" {}
host "b" {}
host "c" {}
play "p" {
  hosts = "all"
  act "one" { tags = ["t"] }
  act "two" {}
}`

func TestLimitTagsAndForks(t *testing.T) {
	b := newBed(t)
	b.run(bg, three, Options{Limit: "b", Tags: []string{"t"}})
	equal(t, "limit and tags", b.done, "b/: one")

	b = newBed(t)
	b.run(bg, three, Options{SkipTags: []string{"t"}, Forks: 1})
	equal(t, "one after the other", b.done, "a/: two", "b/: two", "c/: two")
}

func TestNoHostAtAllIsAnError(t *testing.T) {
	b := newBed(t)
	site := mustSite(t, b, strings.Replace(three, `hosts = "all"`, `hosts = "a,b"`, 1))
	diags := New(Options{Site: site, Mode: Play, Limit: "c", Opener: b}, func(Event) {}).Run(bg)
	if !diags.HasErrors() || !strings.Contains(diags.Error(), "No host matched") {
		t.Errorf("diagnostics: %v", diags)
	}
}

func TestAFaultFoundAheadComesAfterWhatIsBeforeIt(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" {
    say      = "text"
    register = "r"
  }
  act "two" {}
  act "three" {}
  act "four" { say = result.r.out + 1 }
  act "five" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "changed one", "changed two", "changed three", "failed four")
	if c := recapOf(t, all, "a"); c.Failed != 1 {
		t.Errorf("recap %+v", c)
	}
}

func TestWarningsAreEvents(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  note "one" { say = "the dog" }
}`, Options{})
	for _, e := range all {
		if e.Kind == Warning && e.Message == "beware of the dog" && e.Host == "a" && e.Task.Label == "one" {
			return
		}
	}
	t.Error("no such event")
}

func TestSensitiveTasksShowNothing(t *testing.T) {
	const head = `variable "pw" {
  default   = "hunter2"
  sensitive = true
}
host "a" {}
play "p" {
  hosts = "a"
`
	literal := []string{`note "one"`, `act "one"`, `act "fail"`}
	var plays []string
	for _, l := range literal {
		plays = append(plays, l+" {\n say = \"hunter2\"\n sensitive = true\n}", l+" { say = var.pw }")
	}
	plays = append(plays, `act "one" {
  say      = var.pw
  register = "r"
}
act "two" { say = result.r.out }
act "three" { say = result.r.out + 1 }`)
	for _, play := range plays {
		for _, mode := range []Mode{Play, Plan} {
			b := newBed(t)
			for _, e := range b.run(bg, head+play+"\n}", Options{Mode: mode}) {
				if text := jsonOf(t, e); strings.Contains(text, "hunter2") {
					t.Errorf("%s of\n%s\nshows: %s", mode, play, text)
				}
			}
		}
	}
}

func TestLargeContentsTravelWhenWanted(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  put "one" { src = "70000.bin" }
  put "two" { src = "70001.bin" }
  act "three" {}
}`, Options{})
	equal(t, "order", b.done, "a/: put one", "a/: put two", "a/: three")
	if c := recapOf(t, all, "a"); c.Failed != 0 || c.OK != 3 {
		t.Errorf("recap %+v", c)
	}
}

// Where a content has no room the rest of it stays here.
func TestAContentWithoutRoomIsNotSentToItsEnd(t *testing.T) {
	b := newBed(t)
	b.noRoom = true
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  put "one" { src = "50000000.bin" }
}`, Options{})
	equal(t, "a", told(all, "a"), "failed put : one")
	if n := b.writes.Load(); n > 700 { // of 1527; how fast they are noticed depends on the load
		t.Errorf("%d writes for what has no room", n)
	}
	if text := jsonOf(t, all); !strings.Contains(text, "keep content") {
		t.Errorf("the reason is missing: %s", text)
	}
}

func TestNoEventWaitsForAnotherHost(t *testing.T) {
	b := newBed(t)
	b.hang["a"] = make(chan struct{})
	var once bool
	within(t, 10*time.Second, func() {
		b.run(bg, `host "a" {}
host "b" {}
play "p" {
  hosts = "a,b"
  act "hang" { when = host.name == "a" }
  act "two" {}
}`, Options{}, func(e Event) {
			if e.Kind == HostDone && e.Host == "b" && !once {
				once = true
				close(b.hang["a"]) // a goes on only when b has been told of
			}
		})
	})
}

func TestManyHostsShareNothing(t *testing.T) {
	b := newBed(t)
	var hosts strings.Builder
	for i := range 40 {
		fmt.Fprintf(&hosts, "host \"h%d\" {}\n", i)
	}
	all := b.run(bg, hosts.String()+`play "p" {
  hosts = "all"
  act "one" { register = "r" }
  act "two" {
    say    = "${result.r.name} ${facts.hostname}"
    become = true
  }
}`, Options{})
	for i := range 40 {
		if c := recapOf(t, all, fmt.Sprintf("h%d", i)); c != (Counts{OK: 2, Changed: 2}) {
			t.Errorf("recap of h%d: %+v", i, c)
		}
	}
}

func TestSessionsEndWithTheLastPlayOfTheirHost(t *testing.T) {
	b := newBed(t)
	site := mustSite(t, b, `host "a" {}
host "b" {}
host "c" {}
play "first" {
  hosts = "a,b"
  act "one" {}
}
play "second" {
  hosts = "b,c"
  act "two" {}
}`)
	var open []int // sessions, at the end of each task
	New(Options{Site: site, Mode: Play, Forks: 1, Opener: b}, func(e Event) {
		if e.Kind == TaskDone {
			b.mu.Lock()
			open = append(open, b.running)
			b.mu.Unlock()
		}
	}).Run(bg)
	if want := []int{1, 1, 1, 1}; !slices.Equal(open, want) {
		t.Errorf("sessions open at each task: %v, want %v", open, want)
	}
	if len(b.opened) != 3 {
		t.Errorf("sessions opened: %v, want one of each host", b.opened)
	}
}
