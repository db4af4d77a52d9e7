// Package view shows what a run does. Every view is a fold over runner.Event: Ansible's look for play and check, Terraform's
// for plan, one JSON event per line for machines. The package does not know how a run is made, and it must not learn: whatever
// a view shows has to be in an event, so that a recorded run replays to the same text.
//
// It is the only package that prints during a run, and these are its rules:
//   - results go to Options.Out, warnings and diagnostics to Options.Err; with JSON, Out carries events and nothing else;
//   - one goroutine owns both streams (terminal.go), because lines and the live region must not cross; it lets questions to the
//     user have the terminal (Pause), and is silent meanwhile;
//   - whatever comes from a host, a playbook or a tool passes clean before it reaches a terminal;
//   - sensitive values are masked before any view sees the event (redact.go);
//   - a first failed write ends all writing, and Close returns it.
package view

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"labctl/runner"
)

// Options say where and how to print. The zero value of Width stands for 80 columns.
type Options struct {
	Out, Err  io.Writer
	TTY       bool   // Out is a terminal that can move its cursor
	Width     int    // columns
	Color     bool   // SGR sequences are welcome
	Verbosity int    // number of -v
	Diff      bool   // --diff
	JSON      bool   // --json
	AdHoc     bool   // a run of one task, whose output is what is wanted
	Profile   bool   // --profile
	Past      bool   // the run is over, and shown again
	GitHub    bool   // in a job of GitHub Actions
	Workspace string // where GitHub has checked the repository out, or ""
	Version   string // of labctl, shown with -v
}

// View takes in the events of one run, one at a time, from any goroutine but never from two at once.
type View interface {
	// Event shows e, now or as soon as what belongs before it is complete.
	Event(e runner.Event)
	// Pause leaves the terminal to a question until resume is called: the region goes, and what happens meanwhile is shown
	// afterwards. It may be called from any goroutine; resume takes a second call for none.
	Pause() (resume func())
	// Close shows what is held back, gives the terminal back, and returns the first failed write (EPIPE, ENOSPC). It may be
	// called more than once.
	Close() error
}

// fold turns events into text. It is called from one goroutine and never reads the clock: time is that of the events.
type fold interface {
	event(e runner.Event)
	tick(now time.Time) // time has passed without an event
	finish()            // no event will come any more
}

// New returns the view of a run of the given mode.
func New(mode runner.Mode, o Options) View {
	if o.JSON {
		return newJSON(o)
	}
	p := newPrinter(o)
	return newTerminal(o, p, newFold(mode, o, p))
}

func newFold(mode runner.Mode, o Options, p *printer) (f fold) {
	if mode == runner.Plan {
		f = newPlan(o, p)
	} else {
		f = newPlay(o, p)
	}
	if o.Profile {
		f = newProfile(p, f)
	}
	if o.GitHub {
		f = newGitHub(o, p, f)
	}
	return f
}

// jsonView writes one event per line, as it is. The first one, run_started, carries the version of the vocabulary.
type jsonView struct {
	mu     sync.Mutex // against Pause
	enc    *json.Encoder
	err    error
	paused int
	held   []runner.Event
}

func newJSON(o Options) *jsonView {
	enc := json.NewEncoder(o.Out)
	enc.SetEscapeHTML(false)
	return &jsonView{enc: enc}
}

func (v *jsonView) Event(e runner.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held = append(v.held, e)
	if v.paused == 0 {
		v.flush()
	}
}

func (v *jsonView) Pause() (resume func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.paused++
	return sync.OnceFunc(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.paused--; v.paused == 0 {
			v.flush()
		}
	})
}

func (v *jsonView) flush() {
	for _, e := range v.held {
		if v.err == nil {
			v.err = v.enc.Encode(redact(e))
		}
	}
	v.held = v.held[:0]
}

func (v *jsonView) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.flush()
	return v.err
}
