package planfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/runner"
)

var testKey = Key{1, 2, 3}

func step(host, address string, status runner.Status, d modules.Diff, call string) Event {
	return Event{Call: call, Event: runner.Event{Kind: runner.TaskDone, Play: "p", Host: host, Status: status, Diff: &d,
		Task: &runner.Task{Address: address, File: "site.hcl", Line: len(address)}}}
}

func mtu(before, after any) modules.Diff {
	return modules.Diff{Action: modules.Update, Changes: []modules.Change{{Path: "mtu", Before: before, After: after}}}
}

func becoming(e Event, user string) Event {
	task := *e.Task
	task.Become = user
	e.Task = &task
	return e
}

func TestCompare(t *testing.T) {
	saved := []Event{
		step("a", "bridge.br0", runner.Changed, mtu(1500, 1400), "x"),
		step("a", "command.true", runner.Changed, modules.Diff{Action: modules.Run}, "y"),
		step("a", "command.true", runner.Changed, modules.Diff{Action: modules.Run}, "z"),
	}
	none := modules.Diff{Action: modules.None}
	for _, c := range []struct {
		name string
		now  []Event
		want []string
	}{
		{"the same", saved, nil},
		{"state", append([]Event{step("a", "bridge.br0", runner.Changed, mtu(9000, 1400), "x")}, saved[1:]...),
			[]string{"a: bridge.br0: mtu was 1500 when the plan was made, and is 9000 now"}},
		{"wish", append([]Event{step("a", "bridge.br0", runner.Changed, mtu(1500, 1300), "w")}, saved[1:]...),
			[]string{"a: bridge.br0: mtu was to be 1400 when the plan was made, and is to be 1300 now"}},
		{"nothing left", append([]Event{step("a", "bridge.br0", runner.OK, none, "x")}, saved[1:]...),
			[]string{"a: bridge.br0: the plan says that it would be updated, and now it is as wanted already (mtu: 1500 -> 1400)"}},
		{"user", append([]Event{becoming(saved[0], "nobody")}, saved[1:]...), []string{"a: bridge.br0: the plan says that it is done as the login user, and now as nobody"}},
		{"call", append([]Event{step("a", "bridge.br0", runner.Changed, mtu(1500, 1400), "w")}, saved[1:]...),
			[]string{"a: bridge.br0: what it is called with is no more what it was"}},
		{"one less", saved[:2], []string{"a: command.true: it is in the plan, and would not be looked at now"}},
		{"one more", append(slices.Clone(saved), step("b", "bridge.br1", runner.Changed, modules.Diff{Action: modules.Create}, "v")),
			[]string{"b: bridge.br1: it is not in the plan, and now it would be created"}},
		{"order", []Event{saved[1], saved[0], saved[2]}, []string{"a: command.true: the tasks have another order than in the plan"}},
		{"gone", []Event{{Event: runner.Event{Kind: runner.Unreachable, Host: "a", Error: &runner.Error{Message: "no route"}}}},
			[]string{"a: it cannot be reached: no route"}},
	} {
		var got []string
		for _, m := range Compare(saved, c.now) {
			got = append(got, m.String())
		}
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestPlayedTwice: what a handler would have done is no difference of its own where what notified it is done.
func TestPlayedTwice(t *testing.T) {
	handler := step("a", "command.restart", runner.Changed, modules.Diff{Action: modules.Run}, "h")
	handler.Task.Handler = true
	probe := step("a", "ping.x", runner.UnknownYet, modules.Diff{}, "")
	saved := []Event{step("a", "bridge.br0", runner.Changed, mtu(1500, 1400), "x"), probe, handler}
	none := modules.Diff{Action: modules.None}
	for _, c := range []struct {
		name string
		now  []Event
		all  bool
		want []string
	}{
		{"played", []Event{step("a", "bridge.br0", runner.OK, none, "x"), probe}, true, []string{"a: bridge.br0: the plan says"}},
		{"something else", []Event{step("a", "bridge.br0", runner.Changed, mtu(9000, 1400), "x"), probe}, false, []string{"a: bridge.br0: mtu was 1500"}},
		{"the handler alone", []Event{saved[0], probe}, false, []string{"a: command.restart: it is in the plan, and would not be looked at now"}},
		{"the same", saved, false, nil},
	} {
		moved := Compare(saved, c.now)
		var got []string
		for _, m := range moved {
			got = append(got, m.String())
		}
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) || AllDone(moved) != c.all {
			t.Errorf("%s: got %q, all done %v", c.name, got, AllDone(moved))
		}
	}
}

func TestCompareShowsNoSecret(t *testing.T) {
	secret := func(v string) modules.Diff {
		return modules.Diff{Action: modules.Update, Changes: []modules.Change{{Path: "password", Before: v, After: "hidden", Sensitive: true}}}
	}
	got := Compare([]Event{step("a", "user.x", runner.Changed, secret("one"), "x")}, []Event{step("a", "user.x", runner.Changed, secret("two"), "x")})
	if len(got) != 1 || strings.Contains(got[0].String(), "one") || strings.Contains(got[0].String(), "two") {
		t.Errorf("got %v", got)
	}
}

// TestGuard allows what is planned, what is known after apply, and what a failure leads to.
func TestGuard(t *testing.T) {
	call := func(params string) *modules.Call {
		return &modules.Call{Module: "act", Params: json.RawMessage(params)}
	}
	known := call(`{"name":"a"}`)
	g := NewGuard(testKey, []Event{
		step("h", "act.a", runner.Changed, modules.Diff{Action: modules.Run}, testKey.Digest(runner.Event{Call: known, Task: &runner.Task{}})),
		step("h", "act.open", runner.UnknownYet, modules.Diff{}, ""),
	})
	ask := func(host, address string, c *modules.Call) string {
		e := step(host, address, "", modules.Diff{}, "").Event
		e.Call = c
		if err := g.Approve(e); err != nil {
			return err.Error()
		}
		return ""
	}
	other := becoming(step("h", "act.a", "", modules.Diff{}, ""), "nobody").Event
	other.Call = known
	if g.Approve(other) == nil {
		t.Error("a call may be made as another user than planned")
	}
	for _, c := range []struct{ host, address, params, want string }{
		{"h", "act.a", `{"name":"a"}`, ""},
		{"h", "act.a", `{"name":"b"}`, "what it is called with is not what was planned: nothing was done"},
		{"h", "act.open", `{"name":"z"}`, ""},
		{"h", "act.other", `{"name":"a"}`, "it is not in the plan: nothing was done"},
		{"i", "act.a", `{"name":"a"}`, "the plan says nothing of this host"},
	} {
		if got := ask(c.host, c.address, call(c.params)); got != c.want {
			t.Errorf("%s %s %s: got %q, want %q", c.host, c.address, c.params, got, c.want)
		}
	}
	ignored := step("h", "act.a", runner.Failed, modules.Diff{}, "").Event
	ignored.Ignored = true
	g.Event(ignored)
	if ask("h", "act.other", known) == "" {
		t.Error("behind a failure that is ignored, something else may be called")
	}
	g.Event(step("h", "act.a", runner.Failed, modules.Diff{}, "").Event)
	if got := ask("h", "act.other", known); got != "" {
		t.Errorf("behind a failure: %s", got)
	}
	if ask("h", "act.a", call(`{"name":"b"}`)) == "" {
		t.Error("behind a failure, what was planned may be called with anything")
	}
}

// TestOpenRefuses cuts a file at every length and changes every byte of it: it is opened as it was saved, or not at all.
func TestOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.plan")
	if err := Save(path, testKey, "v1", time.Hour, &Content{Site: "site.hcl", Events: []Event{step("a", "x.y", runner.OK, mtu(1, 2), "")}}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := func() (Key, error) { return testKey, nil }
	if _, c, err := Open(path, key, "v1"); err != nil || c.Site != "site.hcl" {
		t.Fatal(c, err)
	}
	if _, _, err := Open(path, key, "v2"); err == nil || !strings.Contains(err.Error(), "was made by labctl v1, this is v2") {
		t.Errorf("another version: %v", err)
	}
	try := func(what string, i int, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(path, key, "v1"); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s at %d: %v", what, i, err)
		}
	}
	for i := range whole {
		try("cut", i, whole[:i])
		changed := slices.Clone(whole)
		changed[i] ^= 1
		try("changed", i, changed)
	}
	try("longer", len(whole), append(slices.Clone(whole), 0))
}
