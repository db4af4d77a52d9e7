package runner

import (
	"slices"
	"testing"
)

// rolePlays plays tasks on one host, in a site with some roles, and checks which acts are done, in order, the flights and the
// recap.
func rolePlays(t *testing.T, tasks string, done []string, flights int64, counts Counts) {
	t.Helper()
	b := newBed(t)
	all := b.run(bg, roleSite+"host \"a\" { vars = { who = \"a\" } }\nplay \"p\" {\n  hosts = \"a\"\n"+tasks+"\n}\n", Options{Mode: Play})
	want := make([]string, len(done))
	for i, d := range done {
		want[i] = "a/: " + d
	}
	equal(t, "done", b.done, want...)
	if n := b.writes.Load(); n != flights {
		t.Errorf("%d flights, want %d", n, flights)
	}
	if got := recapOf(t, all, "a"); got != counts {
		t.Errorf("recap %+v, want %+v", got, counts)
	}
}

const roleSite = `
role "plain" {
  variable "n" { type = number }
  act "one ${var.n}" {
    say      = "said ${var.n}"
    notify   = "h"
    register = "one"
  }
  act "two ${var.n}" {}
  handler "h" { act "handled ${var.n}" {} }
  output "out" { value = result.one.out }
  output "n" { value = var.n * 10 }
}
role "outer" {
  variable "n" {}
  use "plain" {
    n        = var.n + 1
    register = "in"
  }
  act "outer" { notify = ["h", "g"] }
  handler "h" { act "outer handled" {} }
  output "in" { value = result.in.out }
}
role "reports" {
  variable "to" { default = "nobody" }
  act "report" { notify = "of reports" }
  handler "of reports" {
    act "first to ${var.to}" { notify = "late" }
  }
  handler "late" { act "then to ${var.to}" {} }
}
role "fails" {
  act "before" {}
  act "fail" {}
  act "no" { register = "no" }
}
role "tells" {
  act "told" {
    say      = "yes"
    register = "told"
  }
  set_fact "now" { value = "in it" }
  output "now" { value = "${now} ${result.told.out}" }
}
role "marks" {
  variable "n" {}
  set_fact "mark" { value = "1" }
  block {
    act "fail" {}
    rescue {
      set_fact "mark" { value = "2" }
    }
  }
  act "${var.n}" {}
}
role "falls" {
  variable "how" {}
  block {
    act "fail" {}
    rescue { act "${var.how}" {} }
    always { act "always ${failure.key}" {} }
  }
}
`

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		name, tasks string
		done        []string
		flights     int64
		counts      Counts
	}{
		{"a use is one flight, and the handlers another", `
use "plain" { n = 1 }
act "last" {}`, []string{"one 1", "two 1", "last", "handled 1"}, 2, Counts{OK: 4, Changed: 4}},
		{"turns have their own inputs, results and handlers", `
use "plain" {
  for_each = { x = 1, y = 2 }
  n        = each.value
  register = "plain"
}
act "last ${result.plain.y.n}" {}
act "${result.plain.x.out} ${result.plain.y.out}" {}`,
			[]string{"one 1", "two 1", "one 2", "two 2", "last 20", "said 1 said 2", "handled 1", "handled 2"}, 2, Counts{OK: 8, Changed: 8}},
		{"what is given may be a result", `
act "first" {
  say      = "7"
  register = "first"
}
act "ahead" {}
use "plain" {
  n        = tonumber(result.first.out)
  register = "plain"
}
act "${result.plain.out}" { when = result.plain.changed }`,
			[]string{"first", "ahead", "one 7", "two 7", "said 7", "handled 7"}, 3, Counts{OK: 6, Changed: 6}},
		{"roles in roles, whose handlers come before those around", `
use "outer" {
  n        = 1
  register = "outer"
}
act "${result.outer.in}" {}
handler "g" { act "play" {} }`,
			[]string{"one 2", "two 2", "outer", "said 2", "handled 2", "outer handled", "play"}, 3, Counts{OK: 7, Changed: 7}},
		{"handlers are flushed in roles, too", `
use "plain" { n = 1 }
flush_handlers {}
use "plain" { n = 2 }
act "end" {}`, []string{"one 1", "two 1", "handled 1", "one 2", "two 2", "end", "handled 2"}, 3, Counts{OK: 7, Changed: 7}},
		{"a role in a handler has its own handlers at its end", `
act "x" { notify = ["h", "i"] }
handler "h" { use "reports" { to = host.name } }
handler "i" { act "i" {} }`, []string{"x", "report", "first to a", "then to a", "i"}, 4, Counts{OK: 5, Changed: 5}},
		{"a block around rescues, and results of the file are there", `
block {
  use "fails" {}
  act "no" { register = "no" }
  rescue { act "rescue ${failure.task}" {} }
}
act "after ${result.no.skipped}" {}`, []string{"before", "fail", "rescue fails : act : fail", "after true"}, 2, Counts{OK: 3, Changed: 3, Rescued: 1}},
		{"a failing turn is the last", `
block {
  use "falls" {
    for_each = ["good", "fail", "never"]
    how      = each.value
  }
  rescue { act "seen" {} }
}`, []string{"fail", "good", "always ", "fail", "fail", "always ", "seen"}, 4, Counts{OK: 4, Changed: 4, Rescued: 3}},
		{"no turn", `
use "plain" {
  for_each = []
  n        = 1
  register = "none"
}
use "plain" {
  when     = false
  n        = 1
  register = "off"
}
act "none ${length(result.none)} ${result.off.skipped} ${result.off.out == null}" {}`, []string{"none 0 true true"}, 1, Counts{OK: 1, Changed: 1, Skipped: 2}},
		{"outputs are those at the end of the role", `
set_fact "now" { value = "before" }
use "tells" { register = "tells" }
set_fact "now" { value = "behind" }
act "${result.tells.now} ${now}" {}`, []string{"told", "in it yes behind"}, 2, Counts{OK: 5, Changed: 2}},
		{"inputs of a turn are those at its beginning, whatever was ahead", `
set_fact "mark" { value = "0" }
use "marks" {
  for_each = ["a", "b"]
  n        = "${mark}${each.key}"
}`, []string{"fail", "0a", "fail", "2b"}, 3, Counts{OK: 7, Changed: 2, Rescued: 2}},
		{"a condition that is none is rescued", `
block {
  act "first" {
    say      = "perhaps"
    register = "first"
  }
  use "plain" {
    when     = result.first.out
    n        = 1
    register = "plain"
  }
  rescue { act "rescue ${result.plain.skipped}" {} }
}`, []string{"first", "rescue true"}, 2, Counts{OK: 2, Changed: 2, Rescued: 1}},
		{"conditions on results", `
act "first" {
  say      = "yes"
  register = "first"
}
use "plain" {
  when = result.first.out == "no"
  n    = 1
}
use "plain" {
  when = result.first.out == "yes"
  n    = 2
}`, []string{"first", "one 2", "two 2", "handled 2"}, 3, Counts{OK: 4, Changed: 4, Skipped: 2}},
	} {
		t.Run(c.name, func(t *testing.T) { rolePlays(t, c.tasks, c.done, c.flights, c.counts) })
	}
}

// Hosts that use a role differently often meet in its handlers where they are in the same turn.
func TestHandlersOfTurnsAreMetAt(t *testing.T) {
	b := newBed(t)
	b.run(bg, `
host "a" { vars = { turns = ["1", "2"] } }
host "b" { vars = { turns = ["1"] } }
role "r" {
  variable "n" {}
  act "task ${var.n}" { notify = "h" }
  handler "h" {
    act "role ${var.n}" { run_once = true }
  }
}
play "p" {
  hosts = "b,a"
  use "r" {
    for_each = turns
    n        = each.key
    notify   = "of the play"
  }
  handler "of the play" {
    act "play" { run_once = true }
  }
}`, Options{Mode: Play})
	slices.Sort(b.done)
	equal(t, "done", b.done, "a/: role 2", "a/: task 1", "a/: task 2", "b/: play", "b/: role 1", "b/: task 1")
}
