package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// testReport tells of tests as go test does.
type testReport struct {
	verbose, json bool

	mu     sync.Mutex
	out    io.Writer
	failed bool
	err    error // of the output
}

// testEvent is one of go tool test2json.
type testEvent struct {
	Time    time.Time
	Action  string
	Package string
	Output  string  `json:",omitempty"`
	Elapsed float64 `json:",omitempty"`
}

func (r *testReport) begin(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.json:
		r.event(testEvent{Action: "start", Package: name})
	case r.verbose:
		r.print("=== RUN   %s\n", name)
	}
}

// end tells how a test has ended. What was said is shown of one that has failed.
func (r *testReport) end(name, said string, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	action, verdict := "pass", "ok  "
	if err != nil {
		r.failed, action, verdict = true, "fail", "FAIL"
		said += "labctl: " + err.Error() + "\n"
	}
	if r.json {
		for line := range strings.Lines(said) {
			r.event(testEvent{Action: "output", Package: name, Output: line})
		}
		r.event(testEvent{Action: action, Package: name, Elapsed: took.Round(time.Millisecond).Seconds()})
		return
	}
	if err != nil {
		r.print("--- FAIL: %s (%.2fs)\n", name, took.Seconds())
	}
	if err != nil || r.verbose {
		for line := range strings.Lines(said) {
			r.print("    %s", line)
		}
	}
	r.print("%s\t%s\t%.3fs\n", verdict, name, took.Seconds())
}

// close tells how all of it has ended.
func (r *testReport) close() error {
	if r.err != nil {
		return r.err
	}
	if !r.failed {
		return nil
	}
	if !r.json {
		r.print("FAIL\n")
	}
	return exitError(exitFailed)
}

func (r *testReport) print(format string, args ...any) {
	if _, err := fmt.Fprintf(r.out, format, args...); r.err == nil {
		r.err = err
	}
}

func (r *testReport) event(e testEvent) {
	e.Time = time.Now()
	if err := json.NewEncoder(r.out).Encode(e); r.err == nil {
		r.err = err
	}
}
