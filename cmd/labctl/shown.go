package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"labctl/cmd/labctl/internal/view"
	"labctl/runner"
)

// viewFlags say how a run is shown, and where else it is told of.
type viewFlags struct {
	diff    bool
	json    bool
	color   colorWhen
	noLive  bool
	profile bool
	github  *bool // nil: as the environment says
	junit   string
	noLog   bool
}

func (f *viewFlags) register(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.diff, "diff", "D", false, "show what changes, attribute by attribute and line by line")
	fs.BoolVar(&f.json, "json", false, "print events as JSON, one a line")
	fs.Var(&f.color, "color", "always, never, or auto: on a terminal")
	fs.BoolVar(&f.noLive, "no-live", false, "do not draw on a terminal what is going on (also LABCTL_LIVE=0)")
	fs.BoolVar(&f.profile, "profile", false, "say at the end which tasks took longest")
	fs.BoolFunc("github", "print annotations and groups for GitHub Actions (the default in its jobs)", func(s string) error {
		on, err := strconv.ParseBool(s)
		f.github = &on
		return err
	})
	fs.StringVar(&f.junit, "junit", "", "write a report for CI systems to this FILE, in JUnit's form")
}

// apply puts what the flags say over what the streams and the environment do.
func (f *viewFlags) apply(o *view.Options) {
	o.Diff, o.JSON, o.Profile = f.diff, f.json, f.profile
	o.TTY = o.TTY && !f.noLive
	if f.github != nil {
		o.GitHub = *f.github
	}
	o.Color = f.color.or(o.Color)
}

// colorWhen is always, never or auto, as of ls(1) and grep(1); "" is auto.
type colorWhen string

var colors = []string{"always", "never", "auto"}

func (c *colorWhen) Set(s string) error {
	if !slices.Contains(colors, s) {
		return errors.New("always, never or auto")
	}
	*c = colorWhen(s)
	return nil
}

func (c *colorWhen) String() string { return string(*c) }
func (c *colorWhen) Type() string   { return "WHEN" }

func (c colorWhen) or(auto bool) bool {
	switch c {
	case "always":
		return true
	case "never":
		return false
	}
	return auto
}

// report is the file of --junit. Its methods are nil-safe.
type report struct {
	name   string
	events view.JUnit
}

// report begins one, if it is asked for: with what holds if labctl does not come to write the end of it.
func (f *viewFlags) report() (*report, error) {
	if f.junit == "" {
		return nil, nil
	}
	var unfinished view.JUnit
	unfinished.Unfinished(time.Now())
	return &report{name: f.junit}, writeJUnit(f.junit, &unfinished)
}

func (r *report) event(e runner.Event) {
	if r != nil {
		r.events.Event(e)
	}
}

func (r *report) close() error {
	if r == nil {
		return nil
	}
	return writeJUnit(r.name, &r.events)
}

func writeJUnit(name string, j *view.JUnit) error {
	var b strings.Builder
	err := j.Write(&b)
	if err == nil {
		err = os.WriteFile(name, []byte(b.String()), 0o666)
	}
	if err != nil {
		return fmt.Errorf("write report of --junit: %w", err)
	}
	return nil
}

// leaveClean takes what a run has drawn from the screen, if the terminal takes that soon.
func (a *app) leaveClean() {
	v := a.running.Load()
	if v == nil {
		return
	}
	done := make(chan struct{})
	go func() { (*v).Pause(); close(done) }()
	select {
	case <-done:
	case <-time.After(200 * time.Millisecond):
	}
}
