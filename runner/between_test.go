package runner

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

const threeHosts = `host "a" {
  nic "eth1" {
    network = "n"
    address = "10.0.0.1/24"
  }
}
host "b" {
  nic "eth1" {
    network = "n"
    address = "10.0.0.2/24"
  }
}
host "c" {}
network "n" {}
`

// before fails the test unless every one of first is in list before every one of second.
func before(t *testing.T, list []string, first, second []string) {
	t.Helper()
	for _, f := range first {
		for _, s := range second {
			i, j := slices.Index(list, f), slices.Index(list, s)
			if i < 0 || j < 0 || i > j {
				t.Errorf("%q is not before %q in %q", f, s, list)
			}
		}
	}
}

func TestTwoHostsMeet(t *testing.T) {
	for _, forks := range []int{0, 1} {
		b := newBed(t)
		all := b.run(bg, threeHosts+`play "p" {
  hosts = "all"
  act "first" {}
  act "slow" {
    when = host.name == "b"
    say  = facts.hostname
  }
  pair "one" {
    from     = "a"
    to       = "b"
    register = "r"
  }
  act "last" { say = result.r.heard }
}`, Options{Forks: forks})
		equal(t, "a", told(all, "a"), "changed first", "skipped slow", "ok pair : one", "changed last")
		equal(t, "b", told(all, "b"), "changed first", "changed slow", "changed last")
		equal(t, "c", told(all, "c"), "changed first", "skipped slow", "changed last")
		pair := []string{"b/: listen one", "a/: knock one at 10.0.0.2:7", `b/: judge one heard "from a/"`}
		before(t, b.done, []string{"a/: first", "b/: first", "b/: slow", "c/: first"}, pair)
		before(t, b.done, pair, []string{"a/: last", "b/: last", "c/: last"})
		before(t, b.done, pair[:1], pair[1:])
		before(t, b.done, pair[1:2], pair[2:])
		if n := strings.Count(jsonOf(t, all), `"peer":"b"`); n != 1 {
			t.Errorf("the peer is named %d times", n)
		}
		if n := strings.Count(jsonOf(t, all), `"out":"from a/"`); n != 3 {
			t.Errorf("%d hosts know the result", n)
		}
	}
}

func TestTasksBetweenNoHostsOfThePlay(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, threeHosts+`play "p" {
  hosts = "c"
  pair "x" {
    from     = "a"
    to       = "b"
    for_each = ["k", "l"]
  }
}`, Options{})
	equal(t, "a", told(all, "a"), "ok pair : x", "ok pair : x")
	equal(t, "c", told(all, "c"))
	equal(t, "opened", b.opened, "b/", "a/")
}

func TestEachHostToItsPeer(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, threeHosts+`play "p" {
  hosts = "a:b"
  pair "x" {
    from = host.name
    to   = { a = "b", b = "a" }[host.name]
  }
}`, Options{})
	equal(t, "a", told(all, "a"), "ok pair : x")
	equal(t, "b", told(all, "b"), "ok pair : x")
	equal(t, "done", b.done, "b/: listen x", "a/: knock x at 10.0.0.2:7", `b/: judge x heard "from a/"`, "a/: listen x", "b/: knock x at 10.0.0.1:7", `a/: judge x heard "from b/"`)
}

func TestFailuresBetweenHostsAreThoseOfTheSender(t *testing.T) {
	for name, why := range map[string]string{"bad": "it got lost", "mute": "it cannot speak", "deaf": "listen at b: it cannot hear"} {
		b := newBed(t)
		all := b.run(bg, threeHosts+`play "p" {
  hosts = "a:b"
  pair "`+name+`" {
    from = "a"
    to   = "b"
  }
  act "behind" {}
}`, Options{})
		equal(t, "a", told(all, "a"), "failed pair : "+name, "not_run behind")
		equal(t, "b", told(all, "b"), "changed behind")
		if !strings.Contains(jsonOf(t, all), why) {
			t.Errorf("%s: the reason is not told", name)
		}
	}
}

func TestFarEndLost(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, threeHosts+`play "p" {
  hosts = "a:b"
  pair "die" {
    from     = "a"
    to       = "b"
    for_each = ["one"]
  }
  act "behind" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "failed pair : die", "not_run behind")
	equal(t, "b", told(all, "b"), "unreachable", "not_run behind")
}

func TestNoMeetingWithThoseWhoFailed(t *testing.T) {
	b := newBed(t)
	b.down["b"] = errDown
	all := b.run(bg, threeHosts+`play "p" {
  hosts = "all"
  act "fail" { when = host.name == "c" }
  act "work" {}
  sync {}
  act "behind" {}
  pair "x" {
    from = "a"
    to   = "b"
  }
}`, Options{})
	equal(t, "a", told(all, "a"), "skipped fail", "changed work", "changed behind", "failed pair : x")
	if !strings.Contains(jsonOf(t, all), "not looked at: b has failed before") {
		t.Error("the reason is not told")
	}
}

func TestSyncIsABarrier(t *testing.T) {
	b := newBed(t)
	b.run(bg, threeHosts+`play "p" {
  hosts = "all"
  act "one" { for_each = [for i in range(5) : "n${i}"] }
  sync {}
  act "two" {}
  sync {}
}`, Options{Forks: 2})
	before(t, b.done, []string{"a/: one", "b/: one", "c/: one"}, []string{"a/: two", "b/: two", "c/: two"})
	if n := b.writes.Load(); n != 6 {
		t.Errorf("%d flights, want 2 for each host", n)
	}
}

func TestInterruptedWhileWaiting(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(bg)
	go func() { <-b.begun; time.Sleep(50 * time.Millisecond); cancel() }()
	within(t, 10*time.Second, func() {
		all := b.run(ctx, threeHosts+`play "p" {
  hosts = "all"
  act "hang" { when = host.name == "b" }
  pair "x" {
    from = "a"
    to   = "b"
  }
  act "behind" {}
}`, Options{})
		equal(t, "a", told(all, "a"), "skipped hang", "not_run pair : x", "not_run behind")
	})
}

func TestPlanOfTasksBetweenHosts(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, threeHosts+`play "p" {
  hosts = "b:c"
  sync {}
  pair "x" {
    from = "a"
    to   = "b"
  }
  pair "y" {
    from     = "b"
    to       = "a"
    register = "r"
  }
  act "z" { say = result.r.heard }
}`, Options{Mode: Plan})
	equal(t, "a", told(all, "a"), "ok pair : x")
	equal(t, "b", told(all, "b"), "ok pair : y", "unknown_yet z")
	equal(t, "c", told(all, "c"), "unknown_yet z")
	equal(t, "done", b.done)
}

func TestLimitKeepsTheSenderOut(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, threeHosts+`play "p" {
  hosts = "all"
  pair "x" {
    from = "a"
    to   = "b"
  }
  pair "y" {
    from = "b"
    to   = "a"
  }
}`, Options{Limit: "b", Mode: Verify})
	equal(t, "a", told(all, "a"))
	equal(t, "b", told(all, "b"), "ok pair : y")
}

// The result of a task between two hosts is known to all, also if it has failed: that is a failure of the host from alone.
func TestAFailureBetweenTwoHostsIsKnownToAll(t *testing.T) {
	for _, arg := range []string{"ignore_errors = true", ""} {
		b := newBed(t)
		all := b.run(bg, threeHosts+`play "p" {
  hosts = "all"
  block {
    pair "bad" {
      from     = "a"
      to       = "b"
      register = "r"
      `+arg+`
    }
    rescue { act "rescue" {} }
  }
  act "${result.r.failed} ${result.r.error}" {}
}`, Options{})
		for _, h := range []string{"b", "c"} {
			equal(t, h, told(all, h), "changed true it got lost")
		}
		got := told(all, "a")
		if rescued := slices.Contains(got, "changed rescue"); rescued != (arg == "") || !slices.Contains(got, "changed true it got lost") {
			t.Errorf("a: %q", got)
		}
	}
}
