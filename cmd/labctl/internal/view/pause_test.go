package view

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"labctl/cmd/labctl/internal/screentest"
	"labctl/runner"
)

// While a question has the terminal, neither the region nor a line may appear; afterwards both do.
func TestPauseLeavesTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screentest.Screen{}
		v := New(runner.Play, Options{Out: s, Err: s, TTY: true, Width: 40})
		v.Event(runner.Event{Time: time.Now(), Kind: runner.Connecting, Host: "boxA"})
		time.Sleep(time.Second)
		if !strings.Contains(s.String(), "connecting") {
			t.Fatalf("no region: %q", s)
		}
		one, two := v.Pause(), v.Pause()
		_, _ = s.Write([]byte("Password: "))
		v.Event(runner.Event{Time: time.Now(), Kind: runner.Unreachable, Host: "boxB", Error: &runner.Error{Message: "gone"}})
		time.Sleep(time.Minute)
		one()
		one()
		time.Sleep(time.Second)
		if s.String() != "Password: " {
			t.Errorf("the question is mixed up: %q", s)
		}
		_, _ = s.Write([]byte("\n"))
		two()
		time.Sleep(time.Second)
		if out := s.String(); !strings.HasPrefix(out, "Password: \n") || !strings.Contains(out, "connecting") || !strings.Contains(out, "gone") {
			t.Errorf("afterwards it shows %q", out)
		}
		_ = v.Close()
		v.Pause()() // of a view that is closed
	})
}

func TestPauseHoldsBackJSON(t *testing.T) {
	var out bytes.Buffer
	v := New(runner.Play, Options{Out: &out, JSON: true})
	resume := v.Pause()
	v.Event(runner.Event{Kind: runner.Connecting, Host: "boxA"})
	if out.Len() > 0 {
		t.Errorf("the question is mixed up: %q", &out)
	}
	resume()
	if !strings.Contains(out.String(), "boxA") {
		t.Errorf("afterwards it holds %q", &out)
	}
}

// What was sent before a question stands above it.
func TestPauseShowsWhatWasBefore(t *testing.T) {
	for range 50 {
		var out bytes.Buffer
		v := New(runner.Play, Options{Out: &out, Err: &out})
		v.Event(runner.Event{Time: time.Now(), Kind: runner.Unreachable, Host: "boxB", Error: &runner.Error{Message: "gone"}})
		v.Pause()
		if !strings.Contains(out.String(), "gone") {
			t.Fatalf("above the question there is %q", &out)
		}
		_ = v.Close()
	}
}
