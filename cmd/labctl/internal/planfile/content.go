package planfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"labctl/runner"
)

// Content is what a plan is: how it was asked for, what it was made of, and what it says.
type Content struct {
	Site    string              `json:"site"` // as it was named
	Dir     string              `json:"dir"`  // where that was
	Options map[string][]string `json:"options,omitempty"`
	Files   map[string]string   `json:"files"`          // SHA-256 by name
	Ways    map[string]string   `json:"ways,omitempty"` // by host: how it was reached
	Events  []Event             `json:"events"`
}

// Event is an event of the plan, without secrets, and by what the call of its task is recognised.
type Event struct {
	runner.Event
	Call string `json:"call,omitempty"`
}

// Recorder keeps the events of a run that a plan is made of.
type Recorder struct {
	Key    Key
	Redact func(runner.Event) runner.Event // takes secrets out
	Events []Event
}

// Event takes in what happens. What only matters while a run lasts is left out, and so is the state of objects: it is large,
// and nothing of the plan shows it.
func (r *Recorder) Event(e runner.Event) {
	switch e.Kind {
	case runner.TaskSent, runner.Connecting, runner.Pushing, runner.Connected, runner.Debug, runner.TaskVoid, runner.Recap:
		return
	}
	own := Event{Event: r.Redact(e), Call: r.Key.Digest(e)}
	own.Event.Call = nil
	if own.Result != nil {
		result := *own.Result
		result.State = nil
		own.Result = &result
	}
	r.Events = append(r.Events, own)
}

// Sums are the digests of files by name.
func Sums(files map[string][]byte) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		sum := sha256.Sum256(text)
		out[name] = hex.EncodeToString(sum[:])
	}
	return out
}

// Same reports which of the files that a plan was made of is another now, before any of them is looked into.
func (c *Content) Same() error {
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("the plan was made of %s, in %s: %w: play it from where it was made", name, c.Dir, err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != c.Files[name] {
			return fmt.Errorf("%s has changed since the plan was made: plan again", name)
		}
	}
	return nil
}

// Added reports a file that the site is made of now and that the plan did not know.
func (c *Content) Added(files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if c.Files[name] == "" {
			return fmt.Errorf("%s is part of the site, and was not when the plan was made: plan again", name)
		}
	}
	return nil
}

// Hosts are those that something of the plan is done on, or for.
func Hosts(events []Event) []string {
	found := map[string]bool{}
	for _, e := range events {
		found[e.Host], found[e.Peer] = true, true
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

// Elsewhere tells which hosts are reached in another way than when the plan was made: they may be other machines, in the same state.
func (c *Content) Elsewhere(way func(host string) string) []Moved {
	var out []Moved
	for _, h := range slices.Sorted(maps.Keys(c.Ways)) {
		if now := way(h); now != c.Ways[h] && now != "" {
			out = append(out, Moved{Host: h, What: "it was reached " + c.Ways[h] + " when the plan was made, and is reached " + now + " now"})
		}
	}
	return out
}

// done are the events that say what becomes of each host: its tasks, in order, and that it cannot be reached.
func done(events []Event) map[string][]Event {
	out := map[string][]Event{}
	for _, e := range events {
		if e.Kind == runner.TaskDone && e.Task != nil || e.Kind == runner.Unreachable {
			out[e.Host] = append(out[e.Host], e)
		}
	}
	arrange(out)
	return out
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
