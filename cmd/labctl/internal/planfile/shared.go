package planfile

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// shared is a task that runs on another host, by where it stands there and what it is called with: hosts that have it do the same to
// one object, and whichever comes first is the one that changes it.
type shared struct {
	place
	call string
}

// arrange has those that share a task come in the order of their names, as if they had been asked so: which of them was first is no
// difference between two plans.
func arrange(hosts map[string][]Event) {
	at := map[shared][]*Event{}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		for i := range hosts[name] {
			if e := &hosts[name][i]; e.Peer != "" && e.Task != nil && e.Call != "" {
				k := shared{placeOf(e.Event), e.Call}
				at[k] = append(at[k], e)
			}
		}
	}
	for _, list := range at {
		came := make([]Event, len(list))
		for i, e := range list {
			came[i] = *e
		}
		slices.SortStableFunc(came, func(a, b Event) int { return strings.Compare(cameOf(a), cameOf(b)) })
		for i, e := range list {
			e.Status, e.Diff, e.Error = came[i].Status, came[i].Diff, came[i].Error
		}
	}
}

// cameOf is what became of a task, as text: "changed" comes before "ok".
func cameOf(e Event) string {
	b, _ := json.Marshal(e.Diff) // plain data
	return string(e.Status) + string(b)
}

// joint are the places of tasks that several hosts have on one.
func joint(hosts map[string][]Event) map[place]bool {
	first, out := map[place]string{}, map[place]bool{}
	for name, list := range hosts {
		for _, e := range list {
			if e.Peer == "" || e.Task == nil {
				continue
			}
			p := placeOf(e.Event)
			if first[p] != "" && first[p] != name {
				out[p] = true
			}
			first[p] = name
		}
	}
	return out
}
