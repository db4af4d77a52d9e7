package runner

import (
	"strings"
	"testing"
	"time"
)

// lossAt runs a site of which the session of host a is cut when an event says so, while nothing is under way on it.
func lossAt(t *testing.T, b *bed, mode Mode, text string, when func(Event) bool) []Event {
	t.Helper()
	var all []Event
	New(Options{Site: mustSite(t, b, text), Mode: mode, Opener: b}, func(e Event) {
		all = append(all, e)
		if when(e) {
			b.mu.Lock()
			b.cut["a"]()
			b.mu.Unlock()
			time.Sleep(50 * time.Millisecond) // the news of it travels by a goroutine
		}
	}).Run(bg)
	return all
}

const twoPlays = `host "a" {}
play "p" {
  hosts = "a"
  act "one" {}
}
play "q" {
  hosts = "a"
  act "two" {}
}`

func firstPlayDone(e Event) bool { return e.Kind == PlayDone && e.Play == "p" }

// A session that ends while nothing is under way costs a new one, and not the host.
func TestASessionLostBetweenTwoPlays(t *testing.T) {
	b := newBed(t)
	equal(t, "a", told(lossAt(t, b, Play, twoPlays, firstPlayDone), "a"), "changed one", "changed two")
	if len(b.opened) != 2 {
		t.Errorf("opened %q", b.opened)
	}
}

func TestASessionLostAtASync(t *testing.T) {
	b := newBed(t)
	all := lossAt(t, b, Play, `host "a" {}
host "b" {}
play "p" {
  hosts = "a,b"
  act "one" {}
  sync {}
  act "two" {}
}`, func(e Event) bool { return e.Kind == TaskDone && e.Host == "a" && e.Task.Label == "one" })
	equal(t, "a", told(all, "a"), "changed one", "changed two")
	equal(t, "b", told(all, "b"), "changed one", "changed two")
	if len(b.opened) != 3 {
		t.Errorf("opened %q", b.opened)
	}
}

// A plan cannot go on by another agent, which would not know of what the tasks before would have done.
func TestAPlanThatLosesItsSession(t *testing.T) {
	b := newBed(t)
	all := lossAt(t, b, Plan, twoPlays, firstPlayDone)
	if text := jsonOf(t, all); len(b.opened) != 1 || !strings.Contains(text, "the plan of a cannot go on: ") {
		t.Errorf("opened %q\n%s", b.opened, text)
	}
}
