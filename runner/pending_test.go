package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"labctl/modules/host"
)

// keeper keeps the handlers that have not run, of one user on one host, and account of it.
type keeper struct {
	mu    sync.Mutex
	kept  map[host.NoticeID]host.Notice
	wrote int
}

// keepingHost is a host that has one.
type keepingHost struct {
	*testHost
	*keeper
}

func (h keepingHost) Notices() host.Notices { return h.keeper }

func (b *bed) keeping(h *testHost, who string) host.Host {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keepers == nil {
		return h
	}
	if b.keepers[who] == nil {
		b.keepers[who] = &keeper{kept: map[host.NoticeID]host.Notice{}}
	}
	return keepingHost{h, b.keepers[who]}
}

func (k *keeper) List(context.Context) (out []host.Notice, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range k.kept {
		out = append(out, n)
	}
	return out, nil
}

func (k *keeper) Keep(_ context.Context, n host.Notice) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[n.NoticeID] = n
	k.wrote++
	return nil
}

func (k *keeper) Drop(_ context.Context, id host.NoticeID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, id)
	return nil
}

// kept lists what hosts keep, as "host/user: handler of host in role, failed at".
func (b *bed) kept() (out []string) {
	for who, k := range b.keepers {
		for id, n := range k.kept {
			s := who + ": " + id.Handler + " of " + id.Host
			if id.Role != "" {
				s += " in " + id.Role
			}
			if n.Failed != "" {
				s += ", failed at " + n.Failed
			}
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

func keepingBed(t *testing.T) *bed {
	b := newBed(t)
	b.keepers = map[string]*keeper{}
	return b
}

// failing is a site of which something is the last task.
func failing(first, last, more string) string {
	return fmt.Sprintf(`host "a" {}
host "b" {}
play "p" {
  hosts = "a"
  %s
  %s
  handler "reload" { act "again" {} }
  %s
}`, first, last, more)
}

func TestPendingHandlersRunInTheNextPlay(t *testing.T) {
	const changed, same = `act "one" { notify = ["reload"] }`, `act "one" {
  same   = true
  notify = ["reload"]
}`
	for _, c := range []struct{ name, first, last, more, then, kept string }{
		{name: "a task fails behind the change", first: changed, last: `act "fail" {}`, kept: "a/: reload of a, failed at act.fail"},
		{name: "the session is lost", first: changed, last: `act "die" {}`, kept: "a/: reload of a"},
		{name: "nothing has changed", first: same, last: `act "fail" {}`},
		{name: "changed_when says that nothing has", first: `act "one" {
  changed_when = self.out == "x"
  notify       = ["reload"]
}`, last: `act "fail" {}`},
		{name: "changed_when says that something has", first: `act "one" {
  same         = true
  changed_when = self.out == ""
  notify       = ["reload"]
}`, last: `act "fail" {}`, kept: "a/: reload of a, failed at act.fail"},
		{name: "the handler before it fails", first: `act "one" { notify = ["first", "reload"] }`, more: `handler "never" { act "never" {} }`, last: `handler "first" { act "fail" {} }`,
			then: `handler "first" { act "first again" {} }`, kept: "a/: first of a, failed at act.fail|a/: reload of a, failed at act.fail"},
		{name: "another user does it", first: strings.Replace(changed, "{", "{\n  become_user = \"root\"\n  become = true\n", 1), last: `act "fail" {}`, kept: "a/root: reload of a, failed at act.fail"},
		{name: "another host does it", first: strings.Replace(changed, "{", "{\n  on = \"b\"\n", 1), last: `act "fail" {}`, kept: "b/: reload of a, failed at act.fail"},
		{name: "the failure is rescued, and the handler runs", first: changed, last: `block {
  act "fail" {}
  rescue { act "rescue" {} }
}`},
		{name: "the handler is forced", first: "force_handlers = true\n" + changed, last: `act "fail" {}`},
		{name: "it has run in a flush", first: changed + "\nflush_handlers {}", last: `act "fail" {}`},
		{name: "a block in a handler fails", first: changed, last: `handler "reload" {
  block {
    act "fail" {}
    always { act "cleaned" {} }
  }
}`, then: `handler "reload" { act "again" {} }`, kept: "a/: reload of a, failed at act.fail"},
	} {
		b := keepingBed(t)
		site := func(first, last string) string {
			text := failing(first, last, c.more)
			if strings.Contains(last, `handler "reload"`) {
				text = strings.Replace(text, "  handler \"reload\" { act \"again\" {} }\n  "+c.more, c.more, 1)
			}
			return text
		}
		b.run(bg, site(c.first, c.last), Options{Project: "lab"})
		if got := strings.Join(b.kept(), "|"); got != c.kept {
			t.Errorf("%s: kept %q, want %q", c.name, got, c.kept)
			continue
		}
		again := strings.NewReplacer(`act "one" {`, "act \"one\" {\n  same = true\n", "same         = true", "", "changed_when = self.out == \"\"", "", "  same   = true\n", "").Replace(c.first)
		want := 0
		if c.kept != "" {
			want = 1
		}
		for run := range 2 {
			all := b.run(bg, site(again, c.then), Options{Project: "lab"})
			ran := 0
			for _, s := range told(all, "a") {
				if strings.HasSuffix(s, " again") && !strings.HasSuffix(s, "first again") {
					ran++
				}
			}
			if ran != want {
				t.Errorf("%s: run %d: the handler runs %d times, want %d: %q", c.name, run, ran, want, told(all, "a"))
			}
			want = 0
		}
		equal(t, c.name+": kept in the end", b.kept())
	}
}

// Another play, another project, another host and another turn of a role have handlers of their own.
func TestPendingHandlersAreNotMixedUp(t *testing.T) {
	b := keepingBed(t)
	const text = `host "a" {}
role "app" {
  variable "of" {}
  act "app ${var.of}" {
    same   = var.of != "x"
    notify = "reload"
  }
  handler "reload" { act "reload ${var.of}" {} }
}
play "p" {
  hosts = "a"
  use "app" {
    for_each = ["x", "y"]
    of       = each.value
  }
  act "LAST" {}
  handler "reload" { act "reload p" {} }
}
play "p" {
  hosts = "a"
  act "nothing" { same = true }
  handler "reload" { act "reload other p" {} }
}`
	b.run(bg, strings.Replace(text, "LAST", "fail", 1), Options{Project: "lab"})
	equal(t, "kept", b.kept(), "a/: reload of a in app[x], failed at act.fail")
	next := strings.Replace(text, `var.of != "x"`, "true", 1)
	if all := b.run(bg, next, Options{Project: "another"}); strings.Contains(strings.Join(told(all, "a"), " "), "reload") {
		t.Errorf("another project: %q", told(all, "a"))
	}
	for _, c := range []struct {
		how  Pending
		want []string
	}{{PendingKeep, nil}, {PendingRun, []string{"changed app : act : reload x"}}, {PendingRun, nil}} {
		all := b.run(bg, next, Options{Project: "lab", Pending: c.how})
		var ran []string
		for _, s := range told(all, "a") {
			if strings.Contains(s, "reload") {
				ran = append(ran, s)
			}
		}
		equal(t, string(c.how), ran, c.want...)
	}
}

// Ctrl-C leaves handlers out like a failure.
func TestHandlersOfAnInterruptedPlayAreKept(t *testing.T) {
	b := keepingBed(t)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	go func() {
		<-b.begun
		cancel()
	}()
	b.run(ctx, failing(`act "one" { notify = ["reload"] }`, `act "hang" {}`, ""), Options{})
	equal(t, "kept", b.kept(), "a/: reload of a, failed at act.hang")
}

// Where a failure of one host is one of all, the others have failed at the same task, wherever they hear of it.
func TestHandlersOfAPlayThatEndsForAll(t *testing.T) {
	b := keepingBed(t)
	b.run(bg, together("any_errors_fatal = true", `act "one" { notify = "reload" }
  act "fail" { when = host.name == "a" }
  sync {}
  act "two" {}
  handler "reload" { act "reload" {} }`), Options{})
	equal(t, "kept", b.kept(), "a/: reload of a, failed at act.fail", "b/: reload of b, failed at act.fail", "c/: reload of c, failed at act.fail")
}

// What is not used costs nothing: no flight, and nothing written. One handler is written down once, whoever notifies it.
func TestPendingHandlersCost(t *testing.T) {
	for _, c := range []struct {
		name, tasks string
		flights     int64
		wrote       int
	}{
		{"no handler", `act "one" {}`, 1, 0},
		{"none is notified", `act "one" {
  same   = true
  notify = ["reload"]
}
act "two" {}
handler "reload" { act "again" {} }`, 1, 0},
		{"none is notified before a flush", `act "one" {
  same   = true
  notify = ["reload"]
}
flush_handlers {}
act "two" {}
handler "reload" { act "again" {} }`, 2, 0},
		{"one is notified twice", `act "one" { notify = ["reload"] }
act "two" { notify = ["reload"] }
handler "reload" { act "again" {} }`, 3, 1}, // the third goes with the end of the session, and nobody waits for it
	} {
		b := keepingBed(t)
		b.run(bg, "host \"a\" {}\nplay \"p\" {\nhosts = \"a\"\n"+c.tasks+"\n}", Options{})
		if got := b.writes.Load(); got != c.flights {
			t.Errorf("%s: %d flights, want %d", c.name, got, c.flights)
		}
		if got := b.keepers["a/"].wrote; got != c.wrote {
			t.Errorf("%s: %d written, want %d", c.name, got, c.wrote)
		}
		equal(t, c.name+": kept", b.kept())
	}
}
