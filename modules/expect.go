package modules

import (
	"fmt"
	"slices"

	"labctl/modules/codec"
)

// Departs says how a difference is not the one that a plan has shown, "" if it is. What the plan did not know may be anything, and
// what is sensitive is not in it.
func (d Diff) Departs(plan Diff) string {
	if d.Action != plan.Action {
		return fmt.Sprintf("the plan has %s, and now it would be %s", plan.Action, d.Action)
	}
	for _, p := range plan.Changes {
		i := slices.IndexFunc(d.Changes, func(c Change) bool { return c.Path == p.Path })
		switch {
		case i < 0:
			return p.Path + " is as wanted now"
		case p.Sensitive || d.Changes[i].Sensitive:
		case !p.Unknown && !alike(p.Before, d.Changes[i].Before):
			return fmt.Sprintf("%s was %s when the plan was made, and is %s now", p.Path, compact(p.Before), compact(d.Changes[i].Before))
		case !p.UnknownAfter && !alike(p.After, d.Changes[i].After):
			return fmt.Sprintf("%s was to be %s when the plan was made, and is to be %s now", p.Path, compact(p.After), compact(d.Changes[i].After))
		}
	}
	for _, c := range d.Changes {
		if !slices.ContainsFunc(plan.Changes, func(p Change) bool { return c.Path == p.Path }) {
			return c.Path + " was as wanted when the plan was made"
		}
	}
	return ""
}

// alike compares plain JSON values.
func alike(a, b any) bool {
	x, errX := codec.Marshal(a)
	y, errY := codec.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
