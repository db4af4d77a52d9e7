package runner

import (
	"testing"
	"time"
)

// A session that ends while nothing is under way costs a new one, and not the host.
func TestASessionLostBetweenTwoPlays(t *testing.T) {
	b := newBed(t)
	site := mustSite(t, b, `host "a" {}
play "p" {
  hosts = "a"
  act "one" {}
}
play "q" {
  hosts = "a"
  act "two" {}
}`)
	var all []Event
	New(Options{Site: site, Mode: Play, Opener: b}, func(e Event) {
		all = append(all, e)
		if e.Kind == PlayDone && e.Play == "p" {
			b.mu.Lock()
			b.cut["a"]()
			b.mu.Unlock()
			time.Sleep(50 * time.Millisecond) // the news of it travels by a goroutine
		}
	}).Run(bg)
	equal(t, "a", told(all, "a"), "changed one", "changed two")
	if len(b.opened) != 2 {
		t.Errorf("opened %q", b.opened)
	}
}
