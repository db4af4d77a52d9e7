package runner

import (
	"context"
	"testing"
)

// blockSite is a play with the given tasks for one host.
func blockSite(tasks string) string {
	return "host \"a\" {}\nplay \"p\" {\n  hosts = \"a\"\n" + tasks + "\n}\n"
}

// plays plays tasks on one host, and checks which acts are done, in order, and the recap.
func plays(t *testing.T, tasks string, done []string, counts Counts) {
	t.Helper()
	b := newBed(t)
	all := b.run(bg, blockSite(tasks), Options{Mode: Play})
	want := make([]string, len(done))
	for i, d := range done {
		want[i] = "a/: " + d
	}
	equal(t, "done", b.done, want...)
	if got := recapOf(t, all, "a"); got != counts {
		t.Errorf("recap %+v, want %+v", got, counts)
	}
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		name, tasks string
		done        []string
		counts      Counts
	}{
		{"nothing fails", `
block {
  act "one" {}
  rescue { act "no" {} }
  always { act "two" {} }
}
act "three" {}`, []string{"one", "two", "three"}, Counts{OK: 3, Changed: 3}},
		{"rescued", `
block {
  act "one" {}
  act "fail" {}
  act "no" {}
  rescue {
    act "rescue" {}
    act "more" {}
  }
  always { act "always" {} }
}
act "after" {}`, []string{"one", "fail", "rescue", "more", "always", "after"}, Counts{OK: 5, Changed: 5, Rescued: 1}},
		{"always without rescue", `
block {
  act "fail" {}
  always { act "always" {} }
}
act "no" {}`, []string{"fail", "always"}, Counts{OK: 1, Changed: 1, Failed: 1}},
		{"rescued behind a rescue and two always", `
block {
  block {
    block {
      act "fail" {}
      rescue { act "fail" {} }
      always { act "always" {} }
    }
    always { act "always too" {} }
  }
  rescue { act "rescue" {} }
}
act "after" {}`, []string{"fail", "fail", "always", "always too", "rescue", "after"}, Counts{OK: 4, Changed: 4, Rescued: 2}},
		{"the rescue fails", `
block {
  act "fail" {}
  rescue {
    act "fail" {}
    act "no" {}
  }
  always { act "always" {} }
}
act "no" {}`, []string{"fail", "fail", "always"}, Counts{OK: 1, Changed: 1, Failed: 1, Rescued: 1}},
		{"the outer one rescues", `
block {
  block {
    act "fail" {}
    always { act "inner" {} }
  }
  act "no" {}
  rescue { act "outer" {} }
}
act "after" {}`, []string{"fail", "inner", "outer", "after"}, Counts{OK: 3, Changed: 3, Rescued: 1}},
		{"nested rescue, last in the body", `
block {
  act "one" {}
  block {
    act "fail" {}
    rescue { act "inner" {} }
  }
  rescue { act "no" {} }
  always { act "always" {} }
}`, []string{"one", "fail", "inner", "always"}, Counts{OK: 3, Changed: 3, Rescued: 1}},
		{"a block in a rescue", `
block {
  act "fail" {}
  rescue {
    block {
      act "fail" {}
      rescue { act "second" {} }
    }
  }
}
act "after" {}`, []string{"fail", "fail", "second", "after"}, Counts{OK: 2, Changed: 2, Rescued: 2}},
		{"in a loop", `
block {
  act "x${each.key}" { for_each = ["1", "2"] }
  act "fail" { for_each = ["1", "2"] }
  rescue { act "rescue" {} }
}`, []string{"x1", "x2", "fail", "rescue"}, Counts{OK: 3, Changed: 3, Rescued: 1}},
		{"conditions of a block", `
block {
  when = false
  act "no" {}
  act "no" { when = true }
  rescue { act "no" {} }
  always { act "no" {} }
}
block {
  when = true
  act "no" { when = false }
  act "one" {}
}`, []string{"one"}, Counts{OK: 1, Changed: 1, Skipped: 4}},
		{"ignored", `
act "fail" { ignore_errors = true }
act "after" {}
block {
  ignore_errors = true
  act "fail" {}
  act "too" {}
}`, []string{"fail", "after", "fail", "too"}, Counts{OK: 4, Changed: 2, Ignored: 2}},
		{"the failure is known", `
block {
  act "fail" {
    say      = "this"
    register = "r"
  }
  act "no" { register = "s" }
  rescue {
    act "${failure.module} ${failure.task} ${failure.error == result.r.error} ${result.s.skipped}" {}
  }
}`, []string{"fail", "act act : fail true true"}, Counts{OK: 1, Changed: 1, Rescued: 1}},
		{"an argument that cannot be evaluated", `
block {
  act "one" { register = "r" }
  act "${tonumber(result.r.out)}" {}
  act "no" {}
  rescue { act "rescue" {} }
}`, []string{"one", "rescue"}, Counts{OK: 2, Changed: 2, Rescued: 1}},
		{"an argument that cannot be evaluated has a result", `
block {
  act "one" { register = "r" }
  act "two" {
    say      = tonumber(result.r.out)
    register = "s"
  }
  rescue { act "rescue ${result.s.failed} ${result.s.error == failure.error}" {} }
}
block {
  act "${each.key}" {
    for_each = { for k in ["x"] : k => tonumber(result.r.out) }
    register = "t"
  }
  rescue { act "rescue ${length(result.t)}" {} }
}`, []string{"one", "rescue true true", "rescue 0"}, Counts{OK: 3, Changed: 3, Rescued: 2}},
		{"a failure is that of the block around", `
block {
  act "fail" { say = "1" }
  rescue {
    act "one" { changed_when = endswith(failure.error, "1") }
    block {
      act "fail" { say = "2" }
      rescue { act "inner ${failure.error}" {} }
      always { act "at last ${failure.error}" {} }
    }
    act "outer ${failure.error}" {}
  }
  always { act "at last ${failure.error}" {} }
}`, []string{"fail", "one", "fail", "inner it went wrong with 2", "at last it went wrong with 2", "outer it went wrong with 1", "at last it went wrong with 1"},
			Counts{OK: 5, Changed: 5, Rescued: 2}},
		{"no failure", `
block {
  act "fail" {}
  rescue { act "one" {} }
}
block {
  act "two" {}
  always {
    act "no" { when = failure != null }
    act "three ${try(failure.error, "nothing")}" {}
  }
}`, []string{"fail", "one", "two", "three nothing"}, Counts{OK: 3, Changed: 3, Skipped: 1, Rescued: 1}},
		{"results that a rescue has passed over", `
block {
  act "one" { register = "r" }
  rescue { act "no" { register = "s" } }
}
act "last" { when = result.s.skipped && result.r.changed }`, []string{"one", "last"}, Counts{OK: 2, Changed: 2}},
	} {
		t.Run(c.name, func(t *testing.T) { plays(t, c.tasks, c.done, c.counts) })
	}
}

func TestConditionsOnOutcomes(t *testing.T) {
	for _, c := range []struct {
		name, tasks string
		done        []string
		counts      Counts
	}{
		{"changed_when", `
act "one" {
  changed_when = self.out == "x"
  say          = "y"
  notify       = "h"
}
act "two" {
  changed_when = result.two.out == "x"
  say          = "x"
  register     = "two"
  notify       = "g"
}
handler "h" { act "no" {} }
handler "g" { act "handled" {} }`, []string{"one", "two", "handled"}, Counts{OK: 3, Changed: 2}},
		{"changed_when knows what was set before, not behind", `
set_fact "v" { value = "1" }
act "one" {
  changed_when = v == "1"
  notify       = "h"
}
set_fact "v" { value = "2" }
act "two" { changed_when = v == "1" }
handler "h" { act "handled" {} }`, []string{"one", "two", "handled"}, Counts{OK: 5, Changed: 2}},
		{"failed_when true", `
act "one" {
  failed_when = self.out == "x"
  say         = "x"
}
act "no" {}`, []string{"one"}, Counts{Failed: 1}},
		{"failed_when false of a failure", `
act "fail" {
  failed_when = self.error != "it went wrong with this"
  say         = "this"
}
act "next" {}`, []string{"fail", "next"}, Counts{OK: 2, Changed: 1}},
		{"failed_when never", `
act "fail" { failed_when = false }
act "next" {}`, []string{"fail", "next"}, Counts{OK: 2, Changed: 1}},
		{"until, in vain", `
act "fail" {
  retries = 2
  delay   = "1ms"
}
act "no" {}`, []string{"fail", "fail", "fail"}, Counts{Failed: 1}},
		{"until", `
act "one" {
  until    = self.attempts == 3
  delay    = "1ms"
  register = "r"
}
act "tried ${result.r.attempts} times" {}`, []string{"one", "one", "one", "tried 3 times"}, Counts{OK: 2, Changed: 2}},
		{"retries in a loop", `
act "${each.key}" {
  for_each = ["one", "two"]
  until    = self.attempts == 2
  retries  = 1
  delay    = "1ms"
}`, []string{"one", "one", "two", "two"}, Counts{OK: 2, Changed: 2}},
		{"a condition at fault", `
act "one" { failed_when = tobool(self.out) }
act "no" {}`, []string{"one"}, Counts{Failed: 1}},
		{"a condition at fault that nothing waits for", `
act "one" { changed_when = tobool(self.out) }
act "two" {}`, []string{"one", "two"}, Counts{OK: 2, Changed: 2}},
		{"rescue of a condition", `
block {
  act "one" { failed_when = self.out == "" }
  act "no" {}
  rescue { act "rescue" {} }
}
act "after" {}`, []string{"one", "rescue", "after"}, Counts{OK: 2, Changed: 2, Rescued: 1}},
	} {
		t.Run(c.name, func(t *testing.T) { plays(t, c.tasks, c.done, c.counts) })
	}
}

// A block that nothing fails in costs nothing, nor does an ignored failure, and a rescue one round trip.
func TestBlocksCostNothing(t *testing.T) {
	for _, c := range []struct {
		name, tasks string
		flights     int64
	}{
		{"nothing fails", "block {\n act \"x${each.key}\" { for_each = range(10) }\n rescue { act \"no\" {} }\n always { act \"a\" {} }\n }\n act \"b\" {}", 1},
		{"ignored", "act \"fail\" { ignore_errors = true }\n act \"x\" {}\n act \"fail\" { failed_when = false }\n act \"y\" { changed_when = self.out == \"\" }\n act \"z\" {}", 1},
		{"what is set and added here", "set_fact \"n\" { value = 7 }\n act \"${n}\" {}\n add_host \"x${n}\" {}\n group_by \"g\" {}\n act \"b\" {}", 1},
		{"skipped", "act \"a\" {}\n act \"no\" { when = false }\n act \"b\" {}\n act \"no\" { when = false }\n act \"c\" { when = true }", 1},
		{"rescued", "block {\n act \"fail\" {}\n act \"no\" {}\n rescue { act \"a\" {} }\n }\n act \"b\" {}\n act \"c\" {}", 2},
	} {
		b := newBed(t)
		b.run(bg, blockSite(c.tasks), Options{Mode: Play})
		if n := b.writes.Load(); n != c.flights {
			t.Errorf("%s: %d flights, want %d", c.name, n, c.flights)
		}
	}
}

func TestHandlersOfAFailedHost(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts          = "a"
  force_handlers = true
  act "one" { notify = "h" }
  flush_handlers {}
  act "two" { notify = "g" }
  act "fail" {}
  act "no" {}
  handler "h" { act "handled ${host.name}" {} }
  handler "g" { act "too" {} }
}
play "q" {
  hosts = "a"
  act "no" {}
}`, Options{Mode: Play})
	equal(t, "done", b.done, "a/: one", "a/: handled a", "a/: two", "a/: fail", "a/: too")
	if got := recapOf(t, all, "a"); got != (Counts{OK: 4, Changed: 4, Failed: 1}) {
		t.Errorf("recap %+v", got)
	}
}

// A handler that has its turn ahead of the outcome of a task that notifies it has heard of that.
func TestHandlersHaveOneTurn(t *testing.T) {
	b := newBed(t)
	b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" { notify = "h" }
  act "patient" { until = true }
  act "two" { notify = "h" }
  flush_handlers {}
  act "three" {}
  handler "h" { act "handled" {} }
}`, Options{Mode: Play})
	equal(t, "done", b.done, "a/: one", "a/: patient", "a/: two", "a/: handled", "a/: three")
}

// What could not be evaluated, had a failure before it not led elsewhere, does not count.
func TestErrorsThatAreNotComeTo(t *testing.T) {
	for _, tasks := range []string{`
  block {
    act "fail" {}
    set_fact "x" { value = "no number" }
    rescue { act "rescue" {} }
  }
  act "${tonumber(x)}" {}`, `
  block {
    act "fail" {}
    rescue { act "rescue" {} }
    always { act "${length(failure.error) > 0 ? 5 : 0}" {} }
  }`} {
		b := newBed(t)
		all := b.run(bg, "host \"a\" { vars = { x = \"5\" } }\nplay \"p\" {\n hosts = \"a\"\n"+tasks+"\n}\nplay \"q\" {\n hosts = \"a\"\n act \"next\" {}\n}", Options{})
		equal(t, "done", b.done, "a/: fail", "a/: rescue", "a/: 5", "a/: next")
		if c := recapOf(t, all, "a"); c.Failed != 0 || c.Rescued != 1 {
			t.Errorf("recap %+v", c)
		}
	}
}

// When probes alone are run, one that cannot be evaluated is no end, wherever it stands.
func TestVerifyInABlock(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, blockSite(`
block {
  look "one" { register = "r" }
  look "${tonumber(result.r.out)}" {}
  look "bad" {}
  rescue { look "no" {} }
  always { look "two" {} }
}`), Options{Mode: Verify})
	equal(t, "done", b.done, "a/: look one", "a/: look bad", "a/: look two")
	if c := recapOf(t, all, "a"); c != (Counts{OK: 2, Failed: 2}) {
		t.Errorf("recap %+v", c)
	}
}

// What the user has interrupted is not rescued.
func TestInterruptInABlock(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(bg)
	go func() { <-b.begun; cancel() }()
	all := b.run(ctx, blockSite(`
block {
  act "hang" {}
  rescue { act "no" {} }
  always { act "no" {} }
}`), Options{Mode: Play})
	equal(t, "done", b.done, "a/: hang")
	if c := recapOf(t, all, "a"); c.Rescued != 0 || c.Failed != 1 {
		t.Errorf("recap %+v", c)
	}
}

// An agent that has dropped what stood behind a failure takes what the next play sends.
func TestPlayBehindARescue(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, blockSite("block {\n act \"fail\" {}\n rescue { act \"none\" { when = false } }\n }")+"\nplay \"q\" {\n hosts = \"a\"\n act \"next\" {}\n}", Options{Mode: Play})
	equal(t, "a", told(all, "a"), "failed fail", "skipped none", "changed next")
}
