package planfile

import (
	"testing"

	"labctl/modules"
	"labctl/runner"
)

// onTarget is what became of a task of a host that runs on t.
func onTarget(host, call string, a modules.Action) Event {
	st := runner.OK
	if a != modules.None {
		st = runner.Changed
	}
	return Event{runner.Event{Kind: runner.TaskDone, Play: "p", Host: host, Peer: "t", Status: st, Task: &runner.Task{Address: "file./x"},
		Diff: &modules.Diff{Action: a}}, call}
}

// Which of the hosts that do the same on another one comes first is no difference; that something else is to be done is one.
func TestSharedTasks(t *testing.T) {
	saved := []Event{onTarget("a", "1", modules.Create), onTarget("b", "1", modules.None)}
	for _, c := range []struct {
		name string
		now  []Event
		same bool
	}{
		{"the other one first", []Event{onTarget("b", "1", modules.Create), onTarget("a", "1", modules.None)}, true},
		{"nothing to do", []Event{onTarget("b", "1", modules.None), onTarget("a", "1", modules.None)}, false},
		{"something else", []Event{onTarget("b", "1", modules.Update), onTarget("a", "1", modules.None)}, false},
		{"another call", []Event{onTarget("b", "2", modules.Create), onTarget("a", "1", modules.None)}, false},
	} {
		was, is := done(saved), done(c.now)
		moved := append(compareHost("a", was["a"], is["a"]), compareHost("b", was["b"], is["b"])...)
		if (len(moved) == 0) != c.same {
			t.Errorf("%s: moved %v", c.name, moved)
		}
	}
	if !joint(done(saved))[placeOf(saved[0].Event)] || len(joint(map[string][]Event{"a": saved[:1]})) != 0 {
		t.Error("a task of two hosts on one is not told from that of one host")
	}
}
