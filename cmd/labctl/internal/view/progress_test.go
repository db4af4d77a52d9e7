package view

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"labctl/runner"
)

// fleet is a play in which n hosts have been at a task for as many seconds as their number says.
func fleet(n int) *progress {
	p := newProgress()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("host%04d", i)
	}
	p.event(runner.Event{Time: at(-float64(n)), Kind: runner.PlayStarted, Hosts: names})
	for i, h := range names {
		p.event(runner.Event{Time: at(-float64(i)), Kind: runner.TaskSent, Host: h, Task: &runner.Task{Name: "task"}})
	}
	return p
}

// TestProgressOfMany: of a thousand hosts those are shown that wait longest, and how many others there are.
func TestProgressOfMany(t *testing.T) {
	p := fleet(1000)
	p.event(runner.Event{Time: at(0), Kind: runner.Unreachable, Host: "host0003"})
	p.event(runner.Event{Time: at(0), Kind: runner.TaskDone, Host: "host0004", Status: runner.Failed, Task: &runner.Task{Name: "task"}})
	got := strings.Join(p.lines(at(0), 4, 79), "\n")
	want := "16m40s, 999 of 1000 hosts at work, 2 failed, 1 task done\n" +
		"  host0998  task  16m38s\n" +
		"  host0999  task  16m39s\n" +
		"  … and 997 more"
	if got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	for n := range 12 {
		for _, width := range []int{0, 1, 5, 40} {
			lines := p.lines(at(0), n, width)
			if len(lines) > n {
				t.Errorf("%d lines, %d are allowed", len(lines), n)
			}
			for _, l := range lines {
				if textWidth(l) > max(width, 1) {
					t.Errorf("%q has %d cells, %d are allowed", l, textWidth(l), width)
				}
			}
		}
	}
}

// TestProgressWide: columns stand below each other in cells, not in characters.
func TestProgressWide(t *testing.T) {
	p := newProgress()
	for _, h := range []string{"東京", "b", "cdef"} {
		p.event(runner.Event{Time: at(0), Kind: runner.Connecting, Host: h})
	}
	for _, l := range p.lines(at(1), 10, 40)[1:] {
		if at := textWidth(l[:strings.Index(l, "connecting")]); at != 8 {
			t.Errorf("%q has its second column at %d, want 8", l, at)
		}
	}
}

func TestProgressRetry(t *testing.T) {
	p := newProgress()
	task := &runner.Task{Name: "wait"}
	for _, e := range []runner.Event{
		{Kind: runner.TaskSent, Task: task},
		{Kind: runner.TaskRetry, Task: task, Retries: 3},
	} {
		e.Host, e.Time = "a", at(0)
		p.event(e)
	}
	if got := p.lines(at(2), 3, 79)[1]; got != "  a  wait, again (3 left)  2.0s" {
		t.Errorf("%q", got)
	}
	p.event(runner.Event{Kind: runner.TaskSent, Host: "a", Task: task, Time: at(2)})
	if got := p.lines(at(3), 3, 79)[1]; got != "  a  wait  1.0s" {
		t.Errorf("sent again: %q", got)
	}
}

func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "0.0s", 1250 * time.Millisecond: "1.2s", 61 * time.Second: "1m01s", 62 * time.Minute: "1h02m", 49 * time.Hour: "49h00m",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// BenchmarkRegion is one drawing of the region; there are ten in a second.
func BenchmarkRegion(b *testing.B) {
	for _, hosts := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			p := fleet(hosts)
			for b.Loop() {
				p.lines(at(0), regionLines, 79)
			}
		})
	}
}
