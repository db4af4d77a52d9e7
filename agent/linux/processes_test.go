package linux

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"labctl/modules/host"
	"labctl/modules/modulestest"

	"golang.org/x/sys/unix"
)

// TestProcessesOnKernel runs the conformance suites of the modules that keep processes running.
func TestProcessesOnKernel(t *testing.T) {
	for _, s := range modulestest.Processes() {
		t.Run(s.Title(), func(t *testing.T) { modulestest.Run(t, s, onKernel) })
	}
}

// TestProcessIsAsAsked looks at a process from outside.
func TestProcessIsAsAsked(t *testing.T) {
	h, dir := freshHost(t), t.TempDir()
	const cwd = "/usr" // that anybody may enter
	if err := h.NetNS().Create(ctxOf(t), "boxA"); err != nil {
		t.Fatal(err)
	}
	p := host.Process{Name: "shell", NetNS: "boxA", Dir: cwd, User: "daemon", Stdout: dir + "/out", PIDFile: dir + "/pid", Env: map[string]string{"A": "1 2"},
		Argv: []string{"sh", "-c", `echo "$A $PWD $(id -un)"; echo err >&2; exec sleep 1000`}}
	if err := h.Processes().Start(ctxOf(t), p); err != nil {
		t.Fatal(err)
	}
	got, err := h.Processes().Get(ctxOf(t), "shell")
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := os.ReadFile(dir + "/pid")
	out, _ := os.ReadFile(dir + "/out")
	if want := "1 2 " + cwd + " daemon\nerr\n"; string(out) != want || string(pid) != strconv.Itoa(got.PID)+"\n" {
		t.Errorf("it printed %q, want %q; pid file %q, pid %d", out, want, pid, got.PID)
	}
	if sid, err := unix.Getsid(got.PID); err != nil || sid != got.PID {
		t.Errorf("its session is %d (%v), want %d", sid, err, got.PID)
	}
	if err := h.NetNS().Delete(ctxOf(t), "boxA"); err != nil {
		t.Fatal(err)
	}
	if got, err = h.Processes().Get(ctxOf(t), "shell"); err != nil || got.NetNS != host.MovedNetNS {
		t.Errorf("without its namespace's name: %+v, %v", got, err)
	}
	if err := unix.Kill(got.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); started(got.PID) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
	if got, err := h.Processes().Get(ctxOf(t), "shell"); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("after its end: %+v, %v", got, err)
	}
}

func TestProcessThatEndsAtOnce(t *testing.T) {
	h, dir := freshHost(t), t.TempDir()
	err := h.Processes().Start(ctxOf(t), host.Process{Name: "p", Argv: []string{"sh", "-c", "echo why; exit 3"}, Stdout: dir + "/out"})
	if err == nil || !strings.Contains(err.Error(), "ended at once: exit status 3: why") {
		t.Errorf("%v", err)
	}
	if err := h.Processes().Start(ctxOf(t), host.Process{Name: "p", Argv: []string{"true"}, User: "nobody-here"}); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("a user that is not there: %v", err)
	}
	if all, err := h.Processes().List(ctxOf(t)); len(all) != 0 || err != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestStubbornProcess has a process, and a child of it, that do not mind SIGTERM.
func TestStubbornProcess(t *testing.T) {
	h := freshHost(t)
	if err := h.Processes().Start(ctxOf(t), host.Process{Name: "p", Argv: []string{"sh", "-c", "trap '' TERM; sleep 1000 & wait; wait; sleep 1000"}}); err != nil {
		t.Fatal(err)
	}
	got, err := h.Processes().Get(ctxOf(t), "p")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Processes().Stop(ctxOf(t), "p"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); unix.Kill(-got.PID, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("its group does not end")
		}
	}
}

func TestResponder(t *testing.T) {
	h := freshHost(t)
	up := true
	if err := mustNet(t, h, "").Links().Set(ctxOf(t), host.Link{Name: "lo", Up: &up}); err != nil {
		t.Fatal(err)
	}
	start := func(r host.Responder) error {
		return h.Processes().Start(ctxOf(t), host.Process{Name: "r" + strconv.Itoa(r.Port), Responder: &r})
	}
	for _, r := range []host.Responder{{Port: 8800, Status: 200, Body: "Hello!\n"}, {Port: 8801, Status: 503, Address: "::1"}} {
		if err := start(r); err != nil {
			t.Fatal(err)
		}
		for _, addr := range []string{"127.0.0.1", "[::1]"} {
			for range 3 {
				status, body, err := mustNet(t, h, "").Probes().HTTP(ctxOf(t), "http://"+addr+":"+strconv.Itoa(r.Port)+"/x", 5*time.Second)
				if r.Address != "" && addr != "[::1]" {
					if !errors.Is(err, host.ErrRefused) {
						t.Errorf("%s answers for %s: %v", addr, r.Address, err)
					}
				} else if err != nil || status != r.Status || string(body) != r.Body {
					t.Errorf("%+v at %s: %d %q, %v", r, addr, status, body, err)
				}
			}
		}
	}
	if err := start(host.Responder{Port: 8800, Status: 200, Address: "127.0.0.1"}); err == nil || !strings.Contains(err.Error(), "ended at once: exit status 1: ") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a second one on the port: %v", err)
	}
}
