package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/runner"
)

// TestLabs plays every ready playbook in a sandbox of its own: what the plan lists is what the play does, the second play
// changes nothing and writes nothing, and the plan is empty then.
func TestLabs(t *testing.T) {
	sites, err := filepath.Glob("../../playbooks/*/*/site.hcl")
	if err != nil || len(sites) == 0 {
		t.Fatalf("no playbooks found: %v", err)
	}
	for _, site := range sites {
		t.Run(filepath.Base(filepath.Dir(site)), func(t *testing.T) {
			if canSandbox(t) {
				playLab(t, filepath.Dir(site))
			}
		})
	}
}

func playLab(t *testing.T, dir string) {
	st := bringUp(t, dir)
	planned := events(t, 2, "plan", "--sandbox", "--detailed-exitcode", "--json", dir)
	played := events(t, 0, "play", "--sandbox", "--json", dir)
	if diff := cmp.Diff(changes(planned), changes(played)); diff != "" {
		t.Errorf("the plan is not what the play did (-plan +play):\n%s", diff)
	}
	monitors := watch(t, st)
	for _, e := range events(t, 0, "play", "--sandbox", "--json", dir) {
		if e.Kind == runner.TaskDone && e.Status != runner.OK && e.Status != runner.Skipped {
			t.Errorf("second play: %s on %s is %s: %+v", e.Task.Address, e.Host, e.Status, e.Diff)
		}
	}
	for name, m := range monitors {
		if text := m(); text != "" {
			t.Errorf("second play: the kernel of %s has seen changes:\n%s", name, text)
		}
	}
	events(t, 0, "plan", "--sandbox", "--detailed-exitcode", "--json", dir)
}

// bringUp makes the sandbox of a site and takes it down at the end of the test.
func bringUp(t *testing.T, dir string) *sandbox.State {
	t.Helper()
	name := sandboxName(dir)
	t.Cleanup(func() {
		if err := sandbox.Down(context.Background(), sandbox.DefaultDir, name); err != nil {
			t.Errorf("down: %v", err)
		}
	})
	if code, out, errs := labctl(t, "sandbox", "up", dir); code != 0 {
		t.Fatalf("sandbox up exits %d\n%s%s", code, out, errs)
	}
	st, err := sandbox.Load(sandbox.DefaultDir, name)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// events runs labctl with --json and returns what it said.
func events(t *testing.T, want int, args ...string) []runner.Event {
	t.Helper()
	code, out, errs := labctl(t, args...)
	if code != want {
		human := append([]string(nil), args...)
		for i, a := range human {
			if a == "--json" {
				human[i] = "-vv"
			}
		}
		_, text, more := labctl(t, human...)
		t.Fatalf("labctl %s exits %d, not %d\n%s\nin words:\n%s%s", strings.Join(args, " "), code, want, errs, text, more)
	}
	var all []runner.Event
	dec := json.NewDecoder(strings.NewReader(out))
	for dec.More() {
		var e runner.Event
		if err := dec.Decode(&e); err != nil {
			t.Fatalf("event %d: %v", len(all), err)
		}
		all = append(all, e)
	}
	return all
}

// changes lists, host by host in order, every change that events tell of.
func changes(all []runner.Event) map[string][]string {
	out := map[string][]string{}
	for _, e := range all {
		if e.Kind == runner.TaskDone && e.Diff != nil && e.Diff.Action.Changes() {
			b, err := json.Marshal(e.Diff)
			if err != nil {
				panic(err) // it came from JSON
			}
			out[e.Host] = append(out[e.Host], e.Task.Address+" "+string(b))
		}
	}
	return out
}

// watch listens to the kernel of every host. Each function returned stops one and returns what it has seen; neighbours are
// left out, since probes make those.
func watch(t *testing.T, st *sandbox.State) map[string]func() string {
	t.Helper()
	out := map[string]func() string{}
	for _, h := range st.Hosts {
		var text bytes.Buffer
		cmd := exec.Command("nsenter", "--net="+h.NetNS, "ip", "-o", "monitor", "link", "address", "route", "rule", "netconf")
		cmd.Stdout, cmd.Stderr = &text, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatalf("ip monitor: %v", err)
		}
		out[h.Name] = func() string {
			_ = cmd.Process.Signal(os.Interrupt)
			_ = cmd.Wait()
			return text.String()
		}
	}
	time.Sleep(200 * time.Millisecond) // until they listen
	return out
}
