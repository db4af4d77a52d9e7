package view

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"labctl/cmd/labctl/internal/screentest"
	"labctl/runner"
)

// TestTerminalLeavesPlainText: with the live region drawn in between, the screen ends up as if it had never been there.
func TestTerminalLeavesPlainText(t *testing.T) {
	for _, name := range []string{"play", "slow", "plan", "interrupted", "unicode"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events := readEvents(t, "testdata/"+name+".jsonl")
				s := &screentest.Screen{}
				v := New(events[0].Run.Mode, Options{Out: s, Err: s, TTY: true})
				for i, e := range events {
					if i > 0 {
						time.Sleep(e.Time.Sub(events[i-1].Time))
					}
					v.Event(e)
				}
				time.Sleep(time.Second)
				if err := v.Close(); err != nil {
					t.Fatal(err)
				}
				if want := replay(events, Options{}); s.String() != want {
					t.Errorf("screen:\n%s\nwant:\n%s", s, want)
				}
			})
		})
	}
}

func TestTerminalRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screentest.Screen{}
		v := New(runner.Play, Options{Out: s, Err: s, TTY: true, Width: 40})
		start := time.Now()
		v.Event(runner.Event{Time: start, Kind: runner.Connecting, Host: "boxA"})
		v.Event(runner.Event{Time: start, Kind: runner.Connected, Host: "boxB"})
		v.Event(runner.Event{Time: start, Kind: runner.TaskSent, Host: "boxB", Task: &runner.Task{Name: "a name that does not fit into forty columns"}})
		time.Sleep(1250 * time.Millisecond)
		want := "1.2s, 2 of 2 hosts at work, 0 tasks do…\n" +
			"  boxA  connecting  1.2s\n" +
			"  boxB  a name that does not fit…  1.2s\n"
		if got := s.String(); got != want {
			t.Errorf("region:\n%s\nwant:\n%s", got, want)
		}
		if err := v.Close(); err != nil || s.String() != "" {
			t.Errorf("after Close: %q, %v, want an empty screen", s, err)
		}
	})
}

// Tasks travel behind the connection: once that is there, the region says which one the host is at.
func TestTerminalRegionBehindConnection(t *testing.T) {
	p := newProgress()
	one, two := &runner.Task{Name: "one"}, &runner.Task{Name: "two", Key: "k"}
	for _, c := range []struct {
		event runner.Event
		want  string
	}{
		{runner.Event{Kind: runner.Connecting}, "connecting"},
		{runner.Event{Kind: runner.TaskSent, Task: one}, "connecting"},
		{runner.Event{Kind: runner.TaskSent, Task: two}, "connecting"},
		{runner.Event{Kind: runner.Connected}, "one"},
		{runner.Event{Kind: runner.TaskDone, Task: one, Status: runner.OK}, "two (item=k)"},
	} {
		c.event.Host = "a"
		p.event(c.event)
		if got := p.hosts["a"].what; got != c.want {
			t.Errorf("%s: %q, want %q", c.event.Kind, got, c.want)
		}
	}
}

// TestTerminalThrottle: however many events there are, the screen is redrawn ten times a second and the region stays small.
func TestTerminalThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screentest.Screen{}
		v := New(runner.Play, Options{Out: s, Err: s, TTY: true})
		for i := range 1000 {
			v.Event(runner.Event{Time: time.Now(), Kind: runner.Connecting, Host: fmt.Sprintf("host%04d", i)})
			time.Sleep(time.Millisecond)
		}
		v.Close()
		if s.Most() > regionLines+1 {
			t.Errorf("region of %d lines, want at most %d", s.Most()-1, regionLines)
		}
		if most := 11 * regionLines * 80; s.Raw() > most {
			t.Errorf("%d bytes in a second, want at most %d", s.Raw(), most)
		}
	})
}

// TestPlainFlush: without a terminal, a line goes out at once, and what is held back goes out without another event.
func TestPlainFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screentest.Screen{}
		v := New(runner.Play, Options{Out: s, Err: s})
		done := func(task string) {
			v.Event(runner.Event{Time: time.Now(), Kind: runner.TaskDone, Host: "fast", Status: runner.OK, Task: &runner.Task{Name: task}})
		}
		v.Event(runner.Event{Time: time.Now(), Kind: runner.PlayStarted, Hosts: []string{"fast", "slow"}})
		done("one")
		done("two")
		synctest.Wait()
		if got := strings.Count(s.String(), "ok: [fast]"); got != 1 {
			t.Errorf("at once: %d lines, want 1:\n%s", got, s)
		}
		time.Sleep(1200 * time.Millisecond)
		if got := strings.Count(s.String(), "ok: [fast]"); got != 2 {
			t.Errorf("after 1.2 s: %d lines, want 2:\n%s", got, s)
		}
		v.Close()
	})
}

// TestBrokenPipe: the reader of a pipe has gone. The run is not disturbed, and Close says so.
func TestBrokenPipe(t *testing.T) {
	for name, o := range map[string]Options{"lines": {}, "json": {JSON: true}, "terminal": {TTY: true}} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			r.Close()
			o.Out, o.Err = w, &bytes.Buffer{}
			v := New(runner.Play, o)
			for _, e := range readEvents(t, "testdata/play.jsonl") {
				v.Event(e)
			}
			if err := v.Close(); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("Close: %v, want EPIPE", err)
			}
			if err := v.Close(); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("second Close: %v, want EPIPE", err)
			}
		})
	}
}

// flaky refuses its first write and counts the others.
type flaky struct{ writes int }

func (f *flaky) Write(b []byte) (int, error) {
	if f.writes++; f.writes == 1 {
		return 0, syscall.ENOSPC
	}
	return len(b), nil
}

// TestFirstFailureEndsWriting: what comes after a gap would be taken for the whole.
func TestFirstFailureEndsWriting(t *testing.T) {
	for _, json := range []bool{false, true} {
		f := &flaky{}
		v := New(runner.Play, Options{Out: f, Err: f, JSON: json})
		for _, e := range readEvents(t, "testdata/play.jsonl") {
			v.Event(e)
			time.Sleep(time.Millisecond)
		}
		if err := v.Close(); !errors.Is(err, syscall.ENOSPC) || f.writes != 1 {
			t.Errorf("json %v: Close: %v after %d writes, want ENOSPC after 1", json, err, f.writes)
		}
	}
}

// TestStreams: warnings go to Err and nothing else does.
func TestStreams(t *testing.T) {
	var out, errs bytes.Buffer
	v := New(runner.Play, Options{Out: &out, Err: &errs})
	for _, e := range readEvents(t, "testdata/play.jsonl") {
		v.Event(e)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "[WARNING]") || strings.Count(errs.String(), "[WARNING]: ") != 2 || strings.Contains(errs.String(), "boxB") {
		t.Errorf("Out:\n%s\nErr:\n%s", &out, &errs)
	}
}

func BenchmarkPlay(b *testing.B) {
	const hosts, tasks = 1000, 50
	for b.Loop() {
		p := newPrinter(Options{})
		f := newFold(runner.Play, Options{}, p)
		var names []string
		for h := range hosts {
			names = append(names, fmt.Sprint("host", h))
		}
		f.event(runner.Event{Kind: runner.PlayStarted, Hosts: names})
		for n := range tasks {
			task := runner.Task{Name: fmt.Sprint("task ", n), File: "site.hcl", Line: n}
			for _, h := range names {
				f.event(runner.Event{Kind: runner.TaskDone, Host: h, Task: &task, Status: runner.OK})
			}
		}
		f.finish()
	}
}

// TestEventAfterClose: a straggler neither blocks nor prints.
func TestEventAfterClose(t *testing.T) {
	var out bytes.Buffer
	v := New(runner.Play, Options{Out: &out, Err: &out})
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for range 1000 { // more than the queue holds
		v.Event(runner.Event{Kind: runner.Warning, Message: "late"})
	}
	if out.Len() > 0 {
		t.Errorf("printed %q after Close", &out)
	}
}
