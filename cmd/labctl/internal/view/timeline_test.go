package view

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"labctl/runner"

	"pgregory.net/rapid"
)

// script is what every host of a generated play says, and in which order they come to speak.
type script struct {
	hosts []string
	lines map[string][]spoken
}

type spoken struct {
	task runner.Task
	text string
}

// drawScript lets each host go through the same tasks; some repeat by key, some say nothing, some stop early.
func drawScript(t *rapid.T) script {
	tasks := rapid.IntRange(0, 8).Draw(t, "tasks")
	keys := make([]int, tasks)
	for i := range keys {
		keys[i] = rapid.IntRange(0, 3).Draw(t, "keys")
	}
	s := script{lines: map[string][]spoken{}}
	for i := range rapid.IntRange(1, 5).Draw(t, "hosts") {
		h := fmt.Sprintf("h%d", i)
		s.hosts = append(s.hosts, h)
		for n := range rapid.IntRange(0, tasks).Draw(t, "stops after") {
			for k := range max(keys[n], 1) {
				task := runner.Task{Name: fmt.Sprint("task ", n), Module: "m", File: "f", Line: n + 1}
				if keys[n] > 0 {
					task.Key = fmt.Sprint("k", k)
				}
				text := fmt.Sprintf("%s %d %d", h, n, k)
				if rapid.IntRange(0, 9).Draw(t, "silent") == 0 {
					text = ""
				}
				s.lines[h] = append(s.lines[h], spoken{task, text})
			}
		}
	}
	return s
}

// TestTimelineOrder: whatever the interleaving and however time passes, every line is shown once, in its host's order, under
// the header of its task; and when nobody is slow, no header is shown twice.
func TestTimelineOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScript(t)
		patient := rapid.Bool().Draw(t, "patient")
		var shown []string
		headers := map[string]int{}
		header := ""
		tl := newTimeline(
			func(task runner.Task) { header = task.Name; headers[header]++ },
			func(text string) { shown = append(shown, header+": "+text) })
		tl.start(s.hosts)
		want := map[string][]string{}
		clock, left := 0.0, slices.Clone(s.hosts)
		for len(left) > 0 {
			i := rapid.IntRange(0, len(left)-1).Draw(t, "next")
			h := left[i]
			if !patient {
				clock += rapid.Float64Range(0, 2).Draw(t, "seconds")
			}
			tl.tick(at(clock))
			if len(s.lines[h]) == 0 {
				tl.leave(h)
				left = slices.Delete(left, i, i+1)
				continue
			}
			line := s.lines[h][0]
			s.lines[h] = s.lines[h][1:]
			tl.add(h, line.task, line.text)
			if line.text != "" {
				want[h] = append(want[h], line.task.Name+": "+line.text)
			}
		}
		if tl.held != 0 {
			t.Fatalf("%d lines held back although all hosts are done", tl.held)
		}
		for _, h := range s.hosts {
			var got []string
			for _, l := range shown {
				if strings.Contains(l, ": "+h+" ") {
					got = append(got, l)
				}
			}
			if !slices.Equal(got, want[h]) {
				t.Fatalf("%s: shown %q, said %q", h, got, want[h])
			}
		}
		for name, n := range headers {
			if patient && n > 1 {
				t.Fatalf("header of %s shown %d times: %q", name, n, shown)
			}
		}
	})
}

// TestTimelinePatience: a line that is ahead of a slow host waits a second and no longer.
func TestTimelinePatience(t *testing.T) {
	var shown []string
	tl := newTimeline(func(runner.Task) {}, func(text string) { shown = append(shown, text) })
	tl.start([]string{"fast", "slow"})
	tl.tick(at(0))
	tl.add("fast", runner.Task{Name: "one"}, "1")
	tl.add("fast", runner.Task{Name: "two"}, "2")
	tl.tick(at(0.9))
	if got := strings.Join(shown, ""); got != "1" {
		t.Errorf("after 0.9 s: %q, want the line of the first task only", got)
	}
	tl.tick(at(1))
	if got := strings.Join(shown, ""); got != "12" {
		t.Errorf("after 1 s: %q, want both lines", got)
	}
}
