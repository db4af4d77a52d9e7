package runner

import (
	"fmt"
	"strings"
	"testing"
)

// mostAhead plays tasks on two hosts, with so much of a stock, and returns how many were under way on one of them at most.
func mostAhead(t *testing.T, stock, tasks int, extra string) (most int, all []Event) {
	t.Helper()
	var text strings.Builder
	text.WriteString("host \"a\" {}\nhost \"b\" {}\nplay \"p\" {\n  hosts = \"all\"\n")
	for i := range tasks {
		fmt.Fprintf(&text, "  act \"t%d\" {}\n", i)
	}
	text.WriteString(extra + "}\n")
	b := newBed(t)
	under := map[string]int{}
	r := New(Options{Site: mustSite(t, b, text.String()), Mode: Play, Opener: b}, func(e Event) {
		all = append(all, e)
		switch e.Kind {
		case TaskSent:
			under[e.Host]++
			most = max(most, under[e.Host])
		case TaskDone:
			under[e.Host]--
		}
	})
	r.ahead.free = stock
	r.Run(bg)
	if r.ahead.free != stock {
		t.Errorf("%d of the stock are left, want %d: what a host has borrowed is given back when it is done", r.ahead.free, stock)
	}
	return most, all
}

// While the stock lasts, a host is sent all of its play at once: no task waits for the outcome of another one.
func TestOneHostIsSentItsPlayAtOnce(t *testing.T) {
	const tasks = 2*aheadChunk + 7
	most, all := mostAhead(t, aheadAll, tasks, "")
	if most != tasks {
		t.Errorf("%d of %d tasks were under way at most", most, tasks)
	}
	if c := recapOf(t, all, "b"); c.Changed != tasks {
		t.Errorf("b: %+v", c)
	}
}

// Without a stock a host goes on with a few tasks at a time, and loses none.
func TestFewTasksAtATime(t *testing.T) {
	const tasks = 5*aheadEach + 3
	most, all := mostAhead(t, 0, tasks, "")
	if most > aheadEach || most < aheadEach/2 {
		t.Errorf("%d tasks were under way, want at most %d", most, aheadEach)
	}
	for _, h := range []string{"a", "b"} {
		if c := recapOf(t, all, h); c.Changed != tasks {
			t.Errorf("%s: %+v", h, c)
		}
		for i, got := range told(all, h) {
			if want := fmt.Sprintf("changed t%d", i); got != want {
				t.Fatalf("%s: task %d is %q, want %q", h, i, got, want)
			}
		}
	}
}

// A failure, a rescue and a loop longer than there is room for do no harm to the account.
func TestFewTasksAtATimeAndAFailure(t *testing.T) {
	_, all := mostAhead(t, aheadChunk, 2*aheadEach, `
  act "loop ${each.key}" { for_each = toset([for i in range(900) : tostring(i)]) }
  block {
    act "fail" {}
    act "behind" {}
    rescue { act "rescue" {} }
  }
  act "last" {}
  act "fail" {}
  act "never" {}
`)
	c := recapOf(t, all, "a")
	if want := 2*aheadEach + 900 + 2; c.Changed != want || c.Rescued != 1 || c.Failed != 1 {
		t.Errorf("%+v, want %d changed", c, want)
	}
}
