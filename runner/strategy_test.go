package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// together is a play for three hosts with the given arguments and tasks, and another play behind it.
func together(arguments, tasks string) string {
	return threeHosts + fmt.Sprintf("play \"p\" {\n hosts = \"all\"\n %s\n %s\n}\nplay \"q\" {\n hosts = \"all\"\n act \"next\" {}\n}", arguments, tasks)
}

func TestLinear(t *testing.T) {
	for _, forks := range []int{0, 1} {
		b := newBed(t)
		b.run(bg, together(`strategy = "linear"`, `
  act "one" { say = facts.hostname }
  act "two" { when = host.name != "b" }
  block {
    act "three" { notify = "h" }
    act "fail" { when = host.name == "a" }
    act "four" {}
    rescue { act "rescue" {} }
    always { act "always" {} }
  }
  handler "h" {
    act "five" {}
    act "six" {}
  }`), Options{Forks: forks})
		hosts := func(act string) []string { return []string{"a/: " + act, "b/: " + act, "c/: " + act} }
		before(t, b.done, hosts("one"), []string{"a/: two", "c/: two"})
		before(t, b.done, []string{"a/: two", "c/: two"}, hosts("three"))
		before(t, b.done, append(hosts("three"), "a/: fail"), []string{"b/: four", "c/: four"})
		before(t, b.done, []string{"a/: rescue", "b/: four", "c/: four"}, hosts("always"))
		before(t, b.done, hosts("always"), hosts("five"))
		before(t, b.done, hosts("five"), hosts("six"))
		before(t, b.done, hosts("six"), hosts("next"))
	}
}

// A play that does not ask for it has one flight, whatever it says else; one with a single host has nobody to wait for.
func TestFreeCostsNothing(t *testing.T) {
	tasks := "act \"x${each.key}\" { for_each = range(10) }\n act \"y\" { run_once = false }\n block {\n any_errors_fatal = false\n act \"z\" {}\n }"
	for _, c := range []struct {
		name, text string
		flights    int64
	}{
		{"free", together("strategy = \"free\"\n any_errors_fatal = false", tasks), 6},
		{"linear alone", blockSite2("strategy = \"linear\"\n any_errors_fatal = true", "act \"x\" {}\n act \"y\" { run_once = true }\n sync {}\n act \"z\" {}"), 1},
		{"linear", together("strategy = \"linear\"", "act \"x\" {}\n act \"y\" {}\n act \"z\" {}"), 12},
	} {
		b := newBed(t)
		b.run(bg, c.text, Options{})
		if n := b.writes.Load(); n != c.flights {
			t.Errorf("%s: %d flights, want %d", c.name, n, c.flights)
		}
	}
}

func blockSite2(arguments, tasks string) string {
	return fmt.Sprintf("host \"a\" {}\nplay \"p\" {\n hosts = \"a\"\n %s\n %s\n}", arguments, tasks)
}

func TestAnyErrorsFatal(t *testing.T) {
	for _, c := range []struct {
		name, arguments, tasks string
		a, b                   []string
	}{
		{"a task", "any_errors_fatal = true", `act "one" {}
  act "fail" { when = host.name == "a" }
  act "no" {}`, []string{"changed one", "failed fail", "not_run no"}, []string{"changed one", "skipped fail", "not_run no"}},
		{"the last task", "any_errors_fatal = true", `act "one" { notify = "h" }
  act "fail" { when = host.name == "a" }
  handler "h" { act "no" {} }`, []string{"changed one", "failed fail", "not_run no"}, []string{"changed one", "skipped fail", "not_run no"}},
		{"always", "any_errors_fatal = true", `block {
    act "fail" { when = host.name == "a" }
    always { act "always" {} }
  }
  act "no" {}`, []string{"failed fail", "changed always"}, []string{"skipped fail", "changed always"}},
		{"always, for all", "any_errors_fatal = true", `block {
    act "fail" { when = host.name == "a" }
    always { act "once" { run_once = true } }
  }`, []string{"failed fail", "changed once"}, []string{"skipped fail"}},
		{"a rescue", "any_errors_fatal = true", `block {
    act "fail" { when = host.name == "a" }
    rescue { act "fail" {} }
  }
  act "no" {}`, []string{"failed fail", "failed fail", "not_run no"}, []string{"skipped fail", "not_run no"}},
		{"rescued", "any_errors_fatal = true", `block {
    act "fail" { when = host.name == "a" }
    act "two" {}
    rescue { act "rescue" {} }
  }
  act "three" {}`, []string{"failed fail", "changed rescue", "changed three", "changed next"}, []string{"skipped fail", "changed two", "changed three", "changed next"}},
		{"handlers in any case", "any_errors_fatal = true\n force_handlers = true", `act "one" { notify = "h" }
  act "fail" { when = host.name == "a" }
  act "no" {}
  handler "h" { act "handled" {} }`, []string{"changed one", "failed fail", "changed handled"}, []string{"changed one", "skipped fail", "changed handled"}},
		{"of a block", "", `block {
    any_errors_fatal = true
    act "fail" { when = host.name == "a" }
  }
  act "no" {}`, []string{"failed fail", "not_run no"}, []string{"skipped fail", "not_run no"}},
		{"not of this block", "any_errors_fatal = true", `block {
    any_errors_fatal = false
    act "fail" { when = host.name == "a" }
  }
  act "one" {}`, []string{"failed fail", "not_run one"}, []string{"skipped fail", "changed one", "changed next"}},
		{"ignored", "any_errors_fatal = true", `act "fail" {
    when          = host.name == "a"
    ignore_errors = true
  }
  act "one" {}`, []string{"failed fail", "changed one", "changed next"}, []string{"skipped fail", "changed one", "changed next"}},
		{"not evaluated", "any_errors_fatal = true", `act "x" { say = { b = "1", c = "1" }[host.name] }
  act "no" {}`, []string{"failed x"}, []string{"changed x", "not_run no"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			all := b.run(bg, together(c.arguments, c.tasks), Options{})
			equal(t, "a", told(all, "a"), c.a...)
			equal(t, "b", told(all, "b"), c.b...)
		})
	}
}

func TestFatalForLaterBatches(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, fleet("any_errors_fatal = true\n serial = [2, 8]", `"h1"`), Options{})
	equal(t, "h0", told(all, "h0"), "changed one", "skipped fail", "not_run two")
	equal(t, "h2", told(all, "h2"))
	text := jsonOf(t, all)
	for _, want := range []string{"any_errors_fatal: h1 has failed, which ends play", "nothing was done on h2, h3"} {
		if !strings.Contains(text, want) {
			t.Errorf("not said: %s", want)
		}
	}
}

func TestUnreachableIsFatal(t *testing.T) {
	for _, mode := range []Mode{Play, Plan} {
		b := newBed(t)
		b.down["a"] = errDown
		all := b.run(bg, together("any_errors_fatal = true", `act "one" {}
  act "two" {}`), Options{Mode: mode})
		for _, h := range []string{"b", "c"} {
			if got := strings.Join(told(all, h), ", "); strings.Contains(got, "changed two") || strings.Contains(got, "next") {
				t.Errorf("%s: %s", h, got)
			}
		}
	}
}

func TestRunOnce(t *testing.T) {
	for _, mode := range []Mode{Play, Plan} {
		b := newBed(t)
		all := b.run(bg, together("", `act "zero" {}
  note "one" {
    run_once = true
    say      = "by ${host.name}"
    register = "r"
  }
  act "heard ${result.r.say}" {}`), Options{Mode: mode})
		equal(t, "a", told(all, "a"), "changed zero", "changed note : one", "changed heard by a", "changed next")
		equal(t, "b", told(all, "b"), "changed zero", "changed heard by a", "changed next")
		equal(t, "c", told(all, "c"), "changed zero", "changed heard by a", "changed next")
	}
}

func TestRunOnceByTheFirstThatLives(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, together("", `act "fail" { when = host.name == "a" }
  block {
    run_once = true
    when     = host.name == "b"
    act "${each.key}" {
      for_each = ["x", "y"]
      register = "r"
    }
    act "skipped" { when = host.name == "c" }
  }
  act "${join(" ", keys(result.r))}" {}`), Options{})
	equal(t, "b", told(all, "b"), "skipped fail", "changed x", "changed y", "skipped skipped", "changed x y", "changed next")
	equal(t, "c", told(all, "c"), "skipped fail", "changed x y", "changed next")
}

func TestRunOnceFails(t *testing.T) {
	for _, c := range []struct {
		name, tasks string
		a, b        []string
	}{
		{"for all", `act "fail" { run_once = true }
  act "no" {}`, []string{"failed fail"}, nil},
		{"ignored", `act "fail" {
    run_once      = true
    ignore_errors = true
    register      = "r"
  }
  act "${result.r.failed}" {}`, []string{"failed fail", "changed true", "changed next"}, []string{"changed true", "changed next"}},
		{"ignored, since it cannot be evaluated", `act "${tonumber(facts.hostname)}" {
    run_once      = true
    ignore_errors = true
    register      = "r"
  }
  act "${result.r.failed}" {}`, []string{"failed ${tonumber(facts.hostname)}", "changed true", "changed next"}, []string{"changed true", "changed next"}},
		{"rescued", `block {
    act "fail" { run_once = true }
    act "no" {}
    rescue { act "rescue: ${failure.error}" {} }
  }
  act "two" {}`, []string{"failed fail", "changed rescue: it went wrong with ", "changed two", "changed next"}, []string{"changed rescue: it went wrong with ", "changed two", "changed next"}},
		{"rescued, with the result", `block {
    act "fail" {
      run_once = true
      say      = "this"
      register = "r"
    }
    rescue { act "${result.r.failed} ${result.r.error}" {} }
  }`, []string{"failed fail", "changed true it went wrong with this", "changed next"}, []string{"changed true it went wrong with this", "changed next"}},
		{"rescued, with the results", `block {
    act "${each.key}" {
      for_each = ["one", "fail", "no"]
      run_once = true
      register = "r"
    }
    rescue { act "${failure.key} of ${join(" ", keys(result.r))}" {} }
  }`, []string{"changed one", "failed fail", "changed fail of fail one", "changed next"}, []string{"changed fail of fail one", "changed next"}},
		{"lost, and rescued", `block {
    act "die" {
      run_once = true
      register = "r"
    }
    rescue { act "${result.r.failed} ${failure.error == result.r.error}" {} }
  }`, []string{"unreachable", "not_run die"}, []string{"changed true true", "changed next"}},
		{"not evaluated", `act "x" {
    run_once = true
    say      = { b = "1", c = "1" }[host.name]
  }
  act "no" {}`, []string{"failed x"}, nil},
		{"lost", `act "die" { run_once = true }
  act "no" {}`, []string{"unreachable", "not_run die"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			all := b.run(bg, together("", c.tasks), Options{})
			equal(t, "a", told(all, "a"), c.a...)
			equal(t, "b", told(all, "b"), c.b...)
		})
	}
}

// Hosts meet in blocks and handlers: those that take another way are not waited for.
func TestMeetingsInBlocksAndHandlers(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, together("", `block {
    act "fail" { when = host.name == "a" }
    act "one" {}
    sync {}
    act "two" {}
    rescue {
      act "three" {}
      pair "x" {
        from = "a"
        to   = "b"
      }
      sync {}
    }
    always {
      sync {}
      act "four" {
        same   = host.name == "c"
        notify = "h"
      }
    }
  }
  handler "h" {
    act "five" {}
    sync {}
    pair "y" {
      from = "b"
      to   = "a"
    }
    act "six" {}
  }`), Options{})
	equal(t, "a", told(all, "a"), "failed fail", "changed three", "ok pair : x", "changed four", "changed five", "changed six", "changed next")
	equal(t, "b", told(all, "b"), "skipped fail", "changed one", "changed two", "changed four", "changed five", "ok pair : y", "changed six", "changed next")
	before(t, b.done, []string{"b/: one", "c/: one"}, []string{"b/: two", "c/: two"})
	before(t, b.done, []string{"a/: knock x at 10.0.0.2:7"}, []string{"a/: four", "b/: four", "c/: four"})
	before(t, b.done, []string{"a/: five", "b/: five"}, []string{"b/: knock y at 10.0.0.1:7"})
	before(t, b.done, []string{"b/: knock y at 10.0.0.1:7"}, []string{"a/: six", "b/: six"})
}

// In what is used for each of a list, hosts meet turn by turn; one with fewer turns is not waited for.
func TestMeetingsInTurns(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, "role \"r\" {\n variable \"n\" {}\n act \"do ${var.n}\" {}\n sync {}\n act \"once ${var.n}\" { run_once = true }\n}\n"+together("", `use "r" {
    for_each = host.name == "a" ? ["1", "2"] : ["1", "2", "3"]
    n        = each.key
  }`), Options{})
	equal(t, "a", told(all, "a"), "changed r : act : do 1", "changed r : act : once 1", "changed r : act : do 2", "changed r : act : once 2", "changed next")
	equal(t, "b", told(all, "b"), "changed r : act : do 1", "changed r : act : do 2", "changed r : act : do 3", "changed r : act : once 3", "changed next")
	before(t, b.done, []string{"a/: do 1", "b/: do 1", "c/: do 1"}, []string{"a/: once 1"})
	before(t, b.done, []string{"a/: once 1"}, []string{"a/: do 2", "b/: do 2", "c/: do 2"})
}

// A failure in the last task of a plan ends it for all as well.
func TestFatalInAPlan(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, together("any_errors_fatal = true", `act "x" { say = { b = "1", c = "1" }[host.name] }`), Options{Mode: Plan})
	equal(t, "a", told(all, "a"), "failed x")
	equal(t, "b", told(all, "b"), "changed x")
}

// Who is led past a meeting by a rescue holds nobody up there; two hosts are looked at when both are at rest.
func TestOtherWays(t *testing.T) {
	b := newBed(t)
	b.hang["a"], b.hang["b"] = make(chan struct{}), make(chan struct{})
	ended := make(chan []Event)
	go func() {
		ended <- b.run(bg, together("", `block {
    act "fail" { when = host.name == "a" }
    sync {}
    act "two" {}
    rescue {
      act "hang" {}
      pair "x" {
        from = "a"
        to   = "b"
      }
    }
  }
  block {
    act "fail" { when = host.name == "b" }
    rescue {
      act "hang" { register = "r" }
      act "more" { say = result.r.out }
    }
  }
  act "behind" {}`), Options{})
	}()
	within(t, 10*time.Second, func() {
		for range 2 { // b has met c, while a is in its rescue
			<-b.begun
		}
		close(b.hang["a"])
		time.Sleep(50 * time.Millisecond)
		b.say("b goes on")
		close(b.hang["b"])
		all := <-ended
		equal(t, "a", told(all, "a"), "failed fail", "changed hang", "ok pair : x", "skipped fail", "changed behind", "changed next")
		before(t, b.done, []string{"b goes on", "b/: more", "b/: behind"}, []string{"b/: listen x"})
	})
}
