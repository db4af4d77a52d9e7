package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"labctl/cmd/labctl/internal/reaptest"
	"labctl/cmd/labctl/internal/sandbox"
	"labctl/runner"
)

// TestLabs runs the scripts of every ready playbook, lab.txtar beside its site.hcl and others for its variants: each is a shell
// session in a copy of the lab's directory that brings it up, proves what it is to show, damages it and mends it. Its command
// converge is what any lab must hold, see there.
func TestLabs(t *testing.T) {
	t.Parallel()
	sites, err := filepath.Glob("../../playbooks/labs/*/site.hcl")
	if err != nil || len(sites) == 0 {
		t.Fatalf("no playbooks found: %v", err)
	}
	// What takes longest is last, as the last of the parallel tests begins first.
	weight := func(site string) string { return fmt.Sprint(mayBootGuests(t, site)) }
	slices.SortFunc(sites, func(a, b string) int {
		return strings.Compare(weight(a)+b, weight(b)+a) // 08-vlan is the last of those with guests, as it has three
	})
	for _, site := range sites {
		dir := filepath.Dir(abs(t, site))
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			for _, part := range []string{"lab.txtar", "README.md"} {
				if _, err := os.Stat(filepath.Join(dir, part)); err != nil {
					t.Fatalf("a lab has a script that proves it and a page that says what to look at: %v", err)
				}
			}
			if !canSandbox(t) {
				return
			}
			if mayBootGuests(t, site) {
				bootGuests(t)
			}
			labScript(t, dir)
		})
	}
}

// The page for those who come from Ansible says of two playbooks that they are one: they are played here.
func TestComparedWithAnsible(t *testing.T) {
	t.Parallel()
	if canSandbox(t) {
		labScript(t, abs(t, "../../docs/ansible"))
	}
}

// mayBootGuests reports whether hosts of a site may get a kernel of their own, which keeps all processors busy.
func mayBootGuests(t *testing.T, site string) bool {
	b, err := os.ReadFile(site)
	if err != nil {
		t.Fatal(err)
	}
	script, _ := os.ReadFile(filepath.Join(filepath.Dir(site), "lab.txtar")) // that there is none is told below
	return bytes.Contains(b, []byte("kernel")) && !bytes.Contains(script, []byte("datapath=netdev"))
}

// guests counts the tests whose machines have kernels of their own: each keeps half a processor or more busy.
var guests = make(chan struct{}, 1+runtime.NumCPU())

// bootGuests waits for its turn to boot guests, which ends with the test.
func bootGuests(t *testing.T) {
	guests <- struct{}{}
	t.Cleanup(func() { <-guests })
}

func labScript(t *testing.T, dir string) {
	scripts, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Cd = filepath.Join(env.WorkDir, filepath.Base(dir))
			env.Defer(func() { downBelow(env.WorkDir) })
			return errors.Join(reaptest.Register(env.WorkDir), os.Mkdir(filepath.Join(env.WorkDir, "home"), 0o700), os.CopyFS(env.Cd, os.DirFS(dir)))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"converge": convergeLab},
	})
}

// convergeLab is the command converge [ARGUMENT...] holds of the lab in the working directory, whatever state it is in: what the plan lists is what the
// play does, byte for byte; the second play changes nothing, nor does verify, which runs the probes alone, and the kernels see
// no write; the plan is empty then. With "!" it demands that there was nothing to do in the first place.
func convergeLab(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(".")
	st, err := sandbox.Load(sandbox.DefaultDir, sandboxName(dir))
	ts.Check(err)
	verb := func(want int, name string, more ...string) []runner.Event {
		all, err := runEvents(want, slices.Concat([]string{name, "--sandbox", "--json"}, more, args, []string{dir})...)
		ts.Check(err)
		return all
	}
	pending := 2
	if neg {
		pending = 0
	}
	planned := verb(pending, "plan", "--detailed-exitcode")
	if diff := cmp.Diff(changes(planned), changes(verb(0, "play"))); diff != "" {
		ts.Fatalf("the plan is not what the play did (-plan +play):\n%s", diff)
	}
	monitors, err := watch(st)
	ts.Check(err)
	second := verb(0, "play")
	verb(0, "verify")
	for _, e := range second {
		if e.Kind == runner.TaskDone && e.Status != runner.OK && e.Status != runner.Skipped {
			ts.Fatalf("second play: %s on %s is %s: %+v", e.Task.Address, e.Host, e.Status, e.Diff)
		}
	}
	for name, m := range monitors {
		if text := m(); text != "" {
			ts.Fatalf("second play: the kernel of %s has seen changes:\n%s", name, text)
		}
	}
	verb(0, "plan", "--detailed-exitcode")
}

// bringUp makes the sandbox of a site and takes it down at the end of the test.
func bringUp(t *testing.T, dir string) *sandbox.State {
	t.Helper()
	name := sandboxName(dir)
	if err := reaptest.Register(abs(t, dir)); err != nil {
		t.Fatal(err)
	}
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
	all, err := runEvents(want, args...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func runEvents(want int, args ...string) ([]runner.Event, error) {
	code, out, errs := runLabctl(args...)
	if code != want {
		human := append([]string(nil), args...)
		for i, a := range human {
			if a == "--json" {
				human[i] = "-vv"
			}
		}
		_, text, more := runLabctl(human...)
		return nil, fmt.Errorf("labctl %s exits %d, not %d\n%s%s\nonce more, in words:\n%s%s",
			strings.Join(args, " "), code, want, failures(out), errs, text, more)
	}
	var all []runner.Event
	dec := json.NewDecoder(strings.NewReader(out))
	for dec.More() {
		var e runner.Event
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("event %d: %w", len(all), err)
		}
		all = append(all, e)
	}
	return all, nil
}

// failures returns the lines of JSON output that tell of one.
func failures(out string) string {
	var bad strings.Builder
	for line := range strings.Lines(out) {
		if strings.Contains(line, `"error":`) {
			bad.WriteString(line)
		}
	}
	return bad.String()
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
func watch(st *sandbox.State) (map[string]func() string, error) {
	out := map[string]func() string{}
	for _, h := range st.Hosts {
		settle(st, h.Name)
		ctx, cancel := context.WithCancel(context.Background())
		var text bytes.Buffer
		done := make(chan error, 1)
		go func() {
			_, err := sandbox.Exec(ctx, sandbox.DefaultDir, st.Name, h.Name, sandbox.ExecOptions{Stdout: &text, Stderr: os.Stderr,
				Argv: []string{"ip", "-o", "monitor", "link", "address", "route", "rule", "netconf"}})
			done <- err
		}()
		out[h.Name] = func() string {
			cancel()
			<-done
			return written(text.String())
		}
	}
	time.Sleep(time.Second) // until they listen
	return out, nil
}

// written leaves out what the kernel tells of by itself, and on a busy machine late: link-local addresses, and once more each port
// of a bridge when its forward delay is over (br_forward_delay_timer_expired in net/bridge/br_stp_timer.c), without STP, too. That
// comes in the bridge's own family, which says nothing of queues.
func written(events string) string {
	var rest strings.Builder
	for line := range strings.Lines(events) {
		late := strings.Contains(line, " fe80::") || strings.Contains(line, " master ") && !strings.Contains(line, " qdisc ")
		if !late && strings.Trim(line, " \\\n") != "" {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// settle waits until the addresses that a play has made are past duplicate address detection, of which the kernel tells, too.
func settle(st *sandbox.State, host string) {
	for range 100 {
		var text bytes.Buffer
		_, err := sandbox.Exec(context.Background(), sandbox.DefaultDir, st.Name, host, sandbox.ExecOptions{Stdout: &text,
			Argv: []string{"ip", "-6", "-o", "address", "show", "tentative"}})
		if err != nil || text.Len() == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
