package runner

import (
	"testing"
	"testing/synctest"
	"time"
)

// Hosts that are greeted hold up nobody, and those that are not no longer than the limit.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{starting: make(chan struct{}, 2), limit: time.Second}
		begin := time.Now()
		for range 10 {
			p.next()()
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("ten that are greeted at once took %s", took)
		}
		for range 5 { // the fifth waits for the first and the third
			p.next()
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("five that do not answer, two at a time for a second, took %s", took)
		}
	})
}
