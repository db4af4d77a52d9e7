package runner

import (
	"strings"
	"testing"
)

const verifySite = `host "a" {}
play "p" {
  hosts = "a"
  act "one" {
    register = "r"
    notify   = "h"
  }
  note "two" { say = "x" }
  look "good" { register = "seen" }
  look "bad" {}
  look "left out" { say = result.r.out }
  look "never" { when = false }
  look "behind" {
    for_each = ["k"]
    say      = "${result.seen.out}${result.seen.failed}"
  }
  handler "h" {
    act "handled" {}
  }
}
play "q" {
  hosts = "a"
  look "later" {}
}`

func TestVerifyRunsProbesAlone(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, verifySite, Options{Mode: Verify})
	equal(t, "a", told(all, "a"), "ok look : good", "failed look : bad", "skipped look : left out", "skipped look : never", "ok look : behind", "ok look : later")
	equal(t, "done", b.done, "a/: look good", "a/: look bad", "a/: look behind", "a/: look later")
	if c := recapOf(t, all, "a"); c != (Counts{OK: 3, Failed: 1, Skipped: 2}) {
		t.Errorf("recap %+v", c)
	}
	if !strings.Contains(jsonOf(t, all), "not verified: say depends on what only a play knows") {
		t.Error("nothing says why a probe is left out")
	}
}

func TestVerifyIsOneFlight(t *testing.T) {
	b := newBed(t)
	b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  look "bad" { for_each = [for i in range(20) : "n${i}"] }
}`, Options{Mode: Verify})
	if n := b.writes.Load(); n != 1 || len(b.done) != 20 {
		t.Errorf("%d flights, %d probes done", n, len(b.done))
	}
}
