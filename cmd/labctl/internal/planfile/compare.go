package planfile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"labctl/modules"
	"labctl/runner"
)

// Moved is one thing that is not as a plan says.
type Moved struct {
	Host, Address, What string

	done bool // what it would do is done already
}

func (m Moved) String() string {
	if m.Address == "" {
		return m.Host + ": " + m.What
	}
	return m.Host + ": " + m.Address + ": " + m.What
}

// Compare tells how a plan that was made anew differs from the saved one, host by host. Nothing means that it still holds.
func Compare(saved, now []Event) []Moved {
	was, is := done(saved), done(now)
	all := maps.Clone(was)
	maps.Copy(all, is)
	var out []Moved
	for _, host := range slices.Sorted(maps.Keys(all)) {
		out = append(out, compareHost(host, was[host], is[host])...)
	}
	return out
}

// AllDone reports whether nothing else has moved than what a plan would do: it has been played.
func AllDone(moved []Moved) bool {
	return len(moved) > 0 && !slices.ContainsFunc(moved, func(m Moved) bool { return !m.done })
}

// place is where a step stands: of those of the same name, the how manieth it is.
type place struct {
	play, address string
	peer          string // the other host that is involved
	handler       bool
	nth           int
}

func placed(events []Event) (order []place, at map[place]Event) {
	at = map[place]Event{}
	for _, e := range events {
		p := place{play: e.Play, address: "unreachable", peer: e.Peer}
		if e.Task != nil {
			p.address, p.handler = e.Task.Address, e.Task.Handler
		}
		for at[p].Kind != "" {
			p.nth++
		}
		at[p] = e
		order = append(order, p)
	}
	return order, at
}

func compareHost(host string, saved, now []Event) (out []Moved) {
	if i := slices.IndexFunc(now, func(e Event) bool { return e.Kind == runner.Unreachable }); i >= 0 { // then nothing else is known of it
		return []Moved{{Host: host, What: "it " + outcome(now[i])}}
	}
	before, was := placed(saved)
	after, is := placed(now)
	var handlers []Moved // which nobody notifies any more
	for _, p := range before {
		m := Moved{Host: host, Address: p.address}
		if e, there := is[p]; there {
			m.What, m.done = difference(was[p], e), isDone(was[p], e)
		} else {
			m.What = "it is in the plan, and would not be looked at now"
		}
		switch {
		case p.handler && is[p].Kind == "":
			handlers = append(handlers, m)
		case m.What != "":
			out = append(out, m)
		}
	}
	for _, p := range after {
		if _, there := was[p]; !there {
			out = append(out, Moved{Host: host, Address: p.address, What: "it is not in the plan, and now it " + outcome(is[p])})
		}
	}
	switch {
	case len(out) > 0: // that is why the handlers have gone
	case len(handlers) > 0:
		out = handlers
	case !slices.Equal(before, after):
		out = append(out, Moved{Host: host, Address: after[0].address, What: "the tasks have another order than in the plan"})
	}
	return out
}

// isDone reports whether what a step would have done is done.
func isDone(was, is Event) bool {
	return was.Status == runner.Changed && is.Status == runner.OK && actionOf(is) == modules.None
}

// difference says how a step is not as planned, "" if it is.
func difference(was, is Event) string {
	switch {
	case as(was.Task) != as(is.Task):
		return "the plan says that it is done as " + userOf(was) + ", and now as " + userOf(is)
	case was.Status != is.Status, actionOf(was) != actionOf(is):
		what := "the plan says that it " + outcome(was) + ", and now it " + outcome(is)
		if why := attributes(was.Diff, is.Diff); why != "" && actionOf(is) != modules.None {
			what += ": " + why
		} else if why := values(was.Diff); why != "" && actionOf(is) == modules.None {
			what += " (" + why + ")"
		}
		return what
	case !same(was.Diff, is.Diff):
		return attributes(was.Diff, is.Diff)
	case was.Call != is.Call:
		return "what it is called with is no more what it was when the plan was made, in what a plan does not show: a secret, a file, or an option"
	case was.Message != is.Message:
		return "the plan says " + was.Message + ", and now " + is.Message
	}
	return ""
}

// userOf is who does a step.
func userOf(e Event) string { return cmp.Or(as(e.Task), "the login user") }

func actionOf(e Event) modules.Action {
	if e.Diff == nil {
		return modules.None
	}
	return e.Diff.Action
}

// outcome says what becomes of an object, in words that follow "it".
func outcome(e Event) string {
	if e.Kind == runner.Unreachable {
		return "cannot be reached: " + message(e.Error)
	}
	switch e.Status {
	case runner.Failed:
		return "fails: " + message(e.Error)
	case runner.Skipped:
		return "is skipped"
	case runner.NotRun:
		return "is not run"
	case runner.UnknownYet:
		return "depends on what is known after apply"
	}
	switch actionOf(e) {
	case modules.Create:
		return "would be created"
	case modules.Update:
		return "would be updated"
	case modules.Replace:
		return "would be replaced"
	case modules.Delete:
		return "would be destroyed"
	case modules.Run:
		return "would run"
	case modules.Read:
		return "would be read"
	}
	return "is as wanted already"
}

func message(e *runner.Error) string {
	if e == nil {
		return "no reason was given"
	}
	return e.Message
}

// attributes says which attributes differ in two differences, and how.
func attributes(was, is *modules.Diff) string {
	old, new := changes(was), changes(is)
	all := maps.Clone(old)
	maps.Copy(all, new)
	var parts []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		a, before := old[path]
		b, now := new[path]
		switch {
		case same(a, b):
		case !before:
			parts = append(parts, fmt.Sprintf("%s was as wanted when the plan was made, and is %s now", path, value(b, b.Before)))
		case !now:
			parts = append(parts, fmt.Sprintf("%s was %s when the plan was made, and is as wanted now", path, value(a, a.Before)))
		case !same(a.Before, b.Before) || a.Unknown != b.Unknown:
			parts = append(parts, fmt.Sprintf("%s was %s when the plan was made, and is %s now", path, value(a, a.Before), value(b, b.Before)))
		default:
			parts = append(parts, fmt.Sprintf("%s was to be %s when the plan was made, and is to be %s now", path, value(a, a.After), value(b, b.After)))
		}
	}
	return list(parts)
}

// values says what a plan would change.
func values(d *modules.Diff) string {
	var parts []string
	if d != nil {
		for _, c := range d.Changes {
			parts = append(parts, fmt.Sprintf("%s: %s -> %s", c.Path, value(c, c.Before), value(c, c.After)))
		}
	}
	return list(parts)
}

func list(parts []string) string {
	text := ""
	for i, p := range parts {
		if i > 0 {
			text += "; "
		}
		text += p
	}
	return text
}

func changes(d *modules.Diff) map[string]modules.Change {
	out := map[string]modules.Change{}
	if d != nil {
		for _, c := range d.Changes {
			out[c.Path] = c
		}
	}
	return out
}

func value(c modules.Change, v any) string {
	switch {
	case c.Sensitive:
		return "(sensitive)"
	case v == nil && c.Unknown:
		return "(known after apply)"
	case v == nil:
		return "unset"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if len(text) > 100 {
		return string(text[:100]) + "…"
	}
	return string(text)
}
