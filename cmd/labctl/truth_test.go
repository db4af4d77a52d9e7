package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/runner"
)

// TestPlanIsTheTruth plans each testdata/truth/*.hcl, then plays it, on this machine: what the plan says of a task is what the
// play does, action by action, in the same order. What is known after apply may come out either way, and nothing else.
func TestPlanIsTheTruth(t *testing.T) {
	sites, err := filepath.Glob("testdata/truth/*.hcl")
	if err != nil || len(sites) == 0 {
		t.Fatal(sites, err)
	}
	t.Setenv("HOME", t.TempDir())
	for _, site := range sites {
		t.Run(strings.TrimSuffix(filepath.Base(site), ".hcl"), func(t *testing.T) {
			t.Setenv("OUT", filepath.Join(t.TempDir(), "out"))
			if err := os.Mkdir(os.Getenv("OUT"), 0o700); err != nil {
				t.Fatal(err)
			}
			plan, play := steps(t, "plan", site), steps(t, "play", site)
			if len(plan) == 0 {
				t.Fatal("the plan is empty")
			}
			for host := range play {
				holds(t, host, plan[host], play[host])
			}
			asSaved(t, site, play)
			for host, again := range steps(t, "plan", site) { // and a play leaves nothing to do but what always runs
				for _, e := range again {
					looks := e.Task != nil && e.Task.Check != nil && *e.Task.Check // what it would change stays
					if e.Status == runner.Changed && e.Diff.Action != modules.Run && !looks {
						t.Errorf("%s: after the play, %s", host, brief(e))
					}
				}
			}
		})
	}
}

// asSaved plays the site once more from the beginning, by way of a saved plan: it does the same, and nothing is refused.
func asSaved(t *testing.T, site string, play map[string][]runner.Event) {
	t.Helper()
	out, file := os.Getenv("OUT"), filepath.Join(t.TempDir(), "p.plan")
	if err := errors.Join(os.Rename(out, out+".played"), os.Mkdir(out, 0o700)); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := labctl(t, "plan", "-out", file, site); code != 0 {
		if !strings.Contains(errs, "the plan is not saved") {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		file = site
	}
	for host, again := range steps(t, "play", file) {
		if len(again) != len(play[host]) {
			t.Errorf("%s: %d tasks in place of %d", host, len(again), len(play[host]))
			continue
		}
		for i, e := range again {
			if brief(e) != brief(play[host][i]) {
				t.Errorf("%s:\nsaved %s %v\nplay  %s", host, brief(e), e.Error, brief(play[host][i]))
			}
		}
	}
}

// steps runs a verb and returns what became of the tasks of each host.
func steps(t *testing.T, verb, site string) map[string][]runner.Event {
	t.Helper()
	code, out, errs := labctl(t, verb, "--json", site)
	if code == exitUser && verb == "play" {
		t.Fatalf("%s: exit code %d\n%s\n%s", verb, code, errs, out)
	}
	all := map[string][]runner.Event{}
	for line := range strings.Lines(out) {
		var e runner.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == runner.TaskDone {
			all[e.Host] = append(all[e.Host], e)
		}
	}
	return all
}

// judged are tasks that say by what they see then whether they have changed something: a plan says that they run.
var judged = map[string]bool{"judged by what it returns": true}

// holds goes through a play beside its plan.
func holds(t *testing.T, host string, plan, play []runner.Event) {
	t.Helper()
	open := map[string]bool{} // tasks that are known after apply
	for _, e := range plan {
		if e.Status == runner.UnknownYet {
			open[at(e)] = true
		}
	}
	play = slices.DeleteFunc(slices.Clone(play), func(e runner.Event) bool {
		if open[at(e)] {
			known(t, host, plan, e)
			return true
		}
		return false
	})
	plan = slices.DeleteFunc(slices.Clone(plan), func(e runner.Event) bool { return open[at(e)] })
	for i := range max(len(plan), len(play)) {
		switch {
		case i >= len(plan):
			t.Errorf("%s: not in the plan: %s", host, brief(play[i]))
		case i >= len(play):
			t.Errorf("%s: not in the play: %s", host, brief(plan[i]))
		case plan[i].Status == runner.Changed && play[i].Status == runner.OK && judged[plan[i].Task.Name]:
		case brief(plan[i]) != brief(play[i]) || !sameChanges(plan[i], play[i]):
			t.Errorf("%s:\nplan %s\nplay %s", host, brief(plan[i]), brief(play[i]))
		}
	}
}

// known compares what a plan says of a task that is not wholly known: the action, if it tells one, and the attributes.
func known(t *testing.T, host string, plan []runner.Event, play runner.Event) {
	t.Helper()
	for _, e := range plan {
		if e.Task.Address != play.Task.Address || e.Diff == nil || e.Diff.Action == modules.None || play.Diff == nil || play.Status == runner.Skipped {
			continue
		}
		if e.Diff.Action != play.Diff.Action {
			t.Errorf("%s:\nplan %s\nplay %s", host, brief(e), brief(play))
		}
		for _, c := range e.Diff.Changes {
			i := slices.IndexFunc(play.Diff.Changes, func(p modules.Change) bool { return p.Path == c.Path })
			if !c.Unknown && c.After != nil && (i < 0 || !reflect.DeepEqual(c.After, play.Diff.Changes[i].After)) {
				t.Errorf("%s: %s: the plan says %s = %v, the play has %v", host, e.Task.Address, c.Path, c.After, play.Diff.Changes)
			}
		}
	}
}

func at(e runner.Event) string { return fmt.Sprintf("%s:%d", e.Task.File, e.Task.Line) }

func brief(e runner.Event) string {
	action := modules.None
	if e.Diff != nil {
		action = e.Diff.Action
	}
	status := e.Status
	if action == modules.Read { // made by the play only
		status = runner.OK
	}
	return fmt.Sprintf("%s/%s %s %s handler=%v ignored=%v rescued=%v", e.Play, e.Task.Address, status, action, e.Task.Handler, e.Ignored, e.Rescued)
}

// sameChanges compares attribute by attribute.
func sameChanges(a, b runner.Event) bool {
	var x, y []modules.Change
	if a.Diff != nil {
		x = a.Diff.Changes
	}
	if b.Diff != nil {
		y = b.Diff.Changes
	}
	return slices.EqualFunc(x, y, func(x, y modules.Change) bool {
		return x.Path == y.Path && (x.Unknown || reflect.DeepEqual(x.Before, y.Before)) && reflect.DeepEqual(x.After, y.After)
	})
}
