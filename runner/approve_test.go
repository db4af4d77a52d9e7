package runner

import (
	"context"
	"errors"
	"slices"
	"testing"

	"labctl/agent/wire"
	"labctl/modules"
)

// TestExpect has the agent refuse what would do something else than planned, before it does anything.
func TestExpect(t *testing.T) {
	b := newBed(t)
	expect := func(e Event) *modules.Diff {
		d := &modules.Diff{Action: modules.Create, Changes: []modules.Change{{Path: "say", After: "one"}}}
		if e.Task.Label == "b" {
			d = &modules.Diff{Action: modules.Update, Changes: []modules.Change{{Path: "say", Before: "zero", After: "two"}}}
		}
		return d
	}
	all := b.run(context.Background(), `
host "h" { address = "192.0.2.1" }
play "p" {
  hosts = "h"
  note "a" { say = "one" }
  block {
    note "b" { say = "two" }
    note "c" { say = "three" }
    rescue { act "d" {} }
  }
}`, Options{Expect: expect})
	equal(t, "told", told(all, "h"), "changed note : a", "failed note : b", "not_run note : c")
	if b.notes["h/"].Say != "one" {
		t.Errorf("the note says %q", b.notes["h/"].Say)
	}
	for _, e := range all {
		if e.Error != nil && (e.Error.Kind != wire.KindMoved || e.Error.Message != `the host has moved since the plan was made, nothing was done: say was "zero" when the plan was made, and is "one" now`) {
			t.Errorf("%s: %s", e.Error.Kind, e.Error.Message)
		}
	}
}

// TestApprove has a task refused that was not planned: it is not sent, nothing behind it is, and no block rescues it.
func TestApprove(t *testing.T) {
	b := newBed(t)
	approve := func(e Event) error {
		if string(e.Call.Params) == `{"name":"b"}` {
			return errors.New("it is not in the plan")
		}
		return nil
	}
	all := b.run(context.Background(), `
host "h" { address = "192.0.2.1" }
play "p" {
  hosts = "h"
  act "a" {}
  block {
    act "b" {}
    act "c" {}
    rescue { act "d" {} }
  }
}`, Options{Approve: approve})
	equal(t, "done", b.done, "h/: a")
	equal(t, "told", told(all, "h"), "changed a", "failed b", "not_run c")
	if !slices.ContainsFunc(all, func(e Event) bool { return e.Error != nil && e.Error.Kind == KindNotPlanned && !e.Rescued }) {
		t.Error("no event says that it was not planned")
	}
}
