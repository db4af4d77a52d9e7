package runner

import (
	"context"
	"errors"
	"slices"
	"testing"
)

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
