package runner

import (
	"context"
	"strings"
	"testing"
	"time"

	"labctl/agent/wire"
	"labctl/transport"
)

func TestWaitForAHostThatIsNotThereYet(t *testing.T) {
	b := newBed(t)
	b.absent["a"] = 3
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  wait "boot" { register = "w" }
  act "one" { say = facts.hostname }
  act "two" { when = result.w.elapsed >= 0 }
  wait "again" {}
  act "three" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "ok wait : boot", "changed one", "changed two", "ok wait : again", "changed three")
	equal(t, "opened", b.opened, "a/")
	equal(t, "done", b.done, "a/: one", "a/: two", "a/: wait", "a/: three")
}

// What does not wait is sent in one flight with what is in front of it, as ever.
func TestWaitingCostsNothingElsewhere(t *testing.T) {
	b := newBed(t)
	b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" {}
  act "two" {}
  act "three" {}
}`, Options{})
	if n := b.writes.Load(); n != 1 {
		t.Errorf("%d flights, want 1", n)
	}
}

func TestWaitForAHostThatNeverComes(t *testing.T) {
	b := newBed(t)
	b.absent["a"] = 1 << 30
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  wait "boot" {}
  act "one" {}
}
play "q" {
  hosts = "a"
  act "two" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "failed wait : boot", "not_run one")
	if e := failure(t, all); e.Kind != wire.KindTimeout || !strings.Contains(e.Message, "not there after 200ms: connection refused") {
		t.Errorf("%+v", e)
	}
}

func TestWaitingEndsWhereTimeDoesNotMend(t *testing.T) {
	b := newBed(t)
	b.down["a"] = &transport.Error{Target: "a", Hop: "jump", Phase: transport.PhaseHostKey, Err: errDown}
	start := time.Now()
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  wait "boot" {}
}`, Options{})
	if e := failure(t, all); e.Hop != "jump" || time.Since(start) > 150*time.Millisecond {
		t.Errorf("%+v after %s", e, time.Since(start))
	}
}

func TestWaitingIsInterrupted(t *testing.T) {
	b := newBed(t)
	b.absent["a"] = 1 << 30
	ctx, cancel := context.WithCancel(bg)
	time.AfterFunc(20*time.Millisecond, cancel)
	all := b.run(ctx, `host "a" {}
play "p" {
  hosts = "a"
  wait "boot" {}
  act "one" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "failed wait : boot", "not_run one")
	if e := failure(t, all); e.Kind != KindInterrupted {
		t.Errorf("%+v", e)
	}
}

func failure(t *testing.T, all []Event) Error {
	t.Helper()
	for _, e := range all {
		if e.Kind == TaskDone && e.Status == Failed {
			return *e.Error
		}
	}
	t.Fatal("nothing has failed")
	return Error{}
}

// TestRestart has a host whose session ends while it is asked, whose sshd still answers twice before it goes down, and which
// is away for a while then.
func TestRestart(t *testing.T) {
	for _, how := range []string{"die", "politely"} {
		b := newBed(t)
		b.boots["a"] = []string{"1", "1", "1", "2"}
		all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" { become = true }
  restart "`+how+`" {
    register = "r"
    notify   = "tell"
  }
  act "two" { say = "${facts.boot_id} ${result.r.elapsed > 0}" }
  handler "tell" {
    act "told" {}
  }
}`, Options{}, func(e Event) {
			if e.Kind == Debug && strings.Contains(e.Message, "not restarted yet") {
				b.mu.Lock()
				b.absent["a"] = 2
				b.mu.Unlock()
			}
		})
		equal(t, how, told(all, "a"), "changed one", "changed restart : "+how, "changed two", "changed told")
		if text := jsonOf(t, all); !strings.Contains(text, `"say":"2 true"`) || !strings.Contains(text, "it has not restarted yet") {
			t.Errorf("facts of the old boot, or nothing tried: %s", text)
		}
		if b.running != 0 {
			t.Errorf("%d sessions are left open", b.running)
		}
	}
}

func TestRestartThatDoesNotHappen(t *testing.T) {
	b := newBed(t)
	b.boots["a"] = []string{"1"}
	all := b.run(bg, `host "a" {}
host "b" {}
play "p" {
  hosts = "a,b"
  restart "politely" { when = host.name == "a" }
  restart "fail" { when = host.name == "b" }
  act "two" {}
}`, Options{})
	equal(t, "a", told(all, "a"), "failed restart : politely", "not_run two")
	equal(t, "b", told(all, "b"), "skipped restart : politely", "failed restart : fail", "not_run two")
	if text := jsonOf(t, all); !strings.Contains(text, "not there after 300ms: it has not restarted yet") || !strings.Contains(text, "does not tell its boot ID") {
		t.Error(text)
	}
}

// A plan waits for nothing, and says that the host would be restarted.
func TestRestartIsPlanned(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  wait "boot" {}
  restart "politely" {}
  act "two" {}
}`, Options{Mode: Plan})
	equal(t, "a", told(all, "a"), "ok wait : boot", "changed restart : politely", "changed two")
	equal(t, "opened", b.opened, "a/")
}
