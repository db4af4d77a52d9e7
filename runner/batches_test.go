package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fleet is a play for the hosts h0 to h9 with the given arguments; a task fails on those named in bad.
func fleet(arguments, bad string) string {
	text := ""
	for i := range 10 {
		text += fmt.Sprintf("host \"h%d\" {}\n", i)
	}
	return text + fmt.Sprintf(`
play "p" {
  hosts = "all"
  %s
  act "one" {}
  act "fail" { when = contains([%s], host.name) }
  act "two" {}
}
play "q" {
  hosts = "all"
  act "three" {}
}`, arguments, bad)
}

func TestBatches(t *testing.T) {
	for _, c := range []struct {
		name, arguments, bad string
		plays                string // numbers of hosts of the plays that were begun
		stopped              string
	}{
		{"one batch", "", "", "10 10", ""},
		{"a number", "serial = 4", "", "4 4 2 10", ""},
		{"a share", `serial = "30%"`, "", "3 3 3 1 10", ""},
		{"less than one", `serial = "1%"`, "", "1 1 1 1 1 1 1 1 1 1 10", ""},
		{"a list", `serial = [1, 3, "50%"]`, "", "1 3 5 1 10", ""},
		{"one of a batch fails", "serial = 5", `"h1"`, "5 5 9", ""},
		{"all of a batch fail", "serial = [1, 9]", `"h0"`, "1 0", "all 1 hosts of the batch have failed; nothing was done on h1, h2"},
		{"few enough fail", "serial = 5\n max_fail_percentage = 40", `"h0", "h1"`, "5 5 8", ""},
		{"too many fail", "serial = 5\n max_fail_percentage = 39", `"h0", "h1"`, "5 0", "2 of 5 hosts have failed, and max_fail_percentage is 39; nothing was done on h5"},
		{"too many fail of all", "max_fail_percentage = 0", `"h0"`, "10 0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			all := b.run(bg, fleet(c.arguments, c.bad), Options{Mode: Play})
			var plays []string
			said := ""
			for _, e := range all {
				switch e.Kind {
				case PlayStarted:
					plays = append(plays, fmt.Sprint(len(e.Hosts)))
				case Warning:
					said += e.Message
				}
			}
			if got := strings.Join(plays, " "); got != c.plays {
				t.Errorf("plays for %s hosts, want %s", got, c.plays)
			}
			if !strings.Contains(said, c.stopped) || (c.stopped == "") != (said == "") {
				t.Errorf("warnings %q, want %q", said, c.stopped)
			}
		})
	}
}

// Where hosts wait for each other, too many failures end the play for all of the batch, as with Ansible.
func TestTooManyFailAmidst(t *testing.T) {
	for _, c := range []struct{ arguments, other, next string }{
		{"strategy = \"linear\"\n serial = 4\n max_fail_percentage = 24.5", "changed one, skipped fail, not_run two", ""},
		{"strategy = \"linear\"\n serial = 4\n max_fail_percentage = 25", "changed one, skipped fail, changed two, changed three", "changed one, skipped fail, changed two, changed three"},
		{"serial = 4\n max_fail_percentage = 24.5", "changed one, skipped fail, changed two", ""},
	} {
		b := newBed(t)
		all := b.run(bg, fleet(c.arguments, `"h1"`), Options{})
		equal(t, c.arguments, []string{strings.Join(told(all, "h0"), ", "), strings.Join(told(all, "h4"), ", ")}, c.other, c.next)
		said := strings.Contains(jsonOf(t, all), "1 of 4 hosts have failed, and max_fail_percentage is 24.5, which ends play")
		if want := strings.Contains(c.other, "not_run"); said != want {
			t.Errorf("%s: said so: %v", c.arguments, said)
		}
	}
}

func TestOrderOfHosts(t *testing.T) {
	for order, want := range map[string]string{"inventory": "h0 h1 h2", "reverse_inventory": "h9 h8 h7", "reverse_sorted": "h9 h8 h7"} {
		b := newBed(t)
		all := b.run(bg, fleet("order = \""+order+"\"\n serial = 3", ""), Options{Mode: Play})
		for _, e := range all {
			if e.Kind == PlayStarted {
				if got := strings.Join(e.Hosts, " "); got != want {
					t.Errorf("%s: %s, want %s", order, got, want)
				}
				break
			}
		}
	}
}

// No more hosts are at a task than its throttle says, and what is before and behind it is not held up by that.
func TestThrottle(t *testing.T) {
	b := newBed(t)
	stop := make(chan struct{})
	for i := range 10 {
		b.hang[fmt.Sprintf("h%d", i)] = stop
	}
	ended := make(chan []Event)
	go func() {
		ended <- b.run(bg, strings.Replace(fleet("", ""), `act "one" {}`, `act "zero" {}
  act "hang" { throttle = 2 }`, 1), Options{Mode: Play})
	}()
	<-b.begun
	<-b.begun
	select {
	case host := <-b.begun:
		t.Errorf("%s is the third", host)
	case <-time.After(50 * time.Millisecond):
	}
	close(stop)
	all := <-ended
	for i := range 10 {
		if c := recapOf(t, all, fmt.Sprintf("h%d", i)); c.Failed != 0 || c.OK != 4 {
			t.Errorf("h%d: %+v", i, c)
		}
	}
}

// A host of a later batch that was lost as the far end of a task is not begun with.
func TestLostBeforeItsBatch(t *testing.T) {
	b := newBed(t)
	b.down["c"] = errors.New("it is down")
	all := b.run(bg, threeHosts+`play "p" {
  hosts  = "all"
  serial = 2
  pair "x" {
    from = "a"
    to   = "c"
  }
}`, Options{Mode: Play})
	for _, e := range all {
		if e.Kind == PlayStarted && slices.Contains(e.Hosts, "c") {
			t.Errorf("begun with %v", e.Hosts)
		}
	}
	if c := recapOf(t, all, "c"); c.Unreachable != 1 {
		t.Errorf("recap %+v", c)
	}
}
