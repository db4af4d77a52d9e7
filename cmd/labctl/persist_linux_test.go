package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// warm runs labctl with connections kept as they are where nothing is said of it. The process that keeps them ends with the test.
type warm struct {
	t   *testing.T
	env []string
}

func newWarm(t *testing.T) *warm {
	dir, err := os.MkdirTemp("", "warm") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(dir)
		eventually(t, 5*time.Second, "keepers of "+dir, func() string {
			for _, k := range keepers() {
				if strings.Contains(k, dir) {
					return k
				}
			}
			return ""
		})
	})
	return &warm{t: t, env: append(os.Environ(), "XDG_RUNTIME_DIR="+dir, persistVariable+"=")}
}

func (w *warm) command(args ...string) *exec.Cmd {
	cmd := exec.Command("labctl", args...)
	cmd.Env = w.env
	return cmd
}

func (w *warm) run(args ...string) string {
	w.t.Helper()
	cmd := w.command(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("labctl %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// TestWarmRuns logs in once for all runs of a minute, whatever they are, but for those that want a login of their own.
func TestWarmRuns(t *testing.T) {
	t.Parallel()
	w := newWarm(t)
	site, sshd := sshdAndSite(t)
	expect := func(connections int, what string) {
		t.Helper()
		if n := sshd.Connections(); n != connections {
			t.Errorf("%s: %d connections, not %d", what, n, connections)
		}
	}
	w.run("ping", "-F", "none", "--site", site)
	expect(1, "ping")
	w.run("run", "-F", "none", "--site", site, "box", "command", "true")
	expect(1, "run after ping")
	w.run("facts", "-F", "none", "--site", site, "box")
	expect(1, "facts after run")
	if out := w.run("ssh", "-F", "none", "--site", site, "box", "echo", "hello"); out != "hello\n" {
		t.Errorf("ssh said %q", out)
	}
	expect(2, "ssh")
	w.run("ping", "-F", "none", "--no-persist", "--site", site)
	expect(3, "ping --no-persist")
	w.env = append(w.env, persistVariable+"=off")
	w.run("ping", "-F", "none", "--site", site)
	expect(4, "ping with LABCTL_PERSIST=off")
	w.env = append(w.env, persistVariable+"=1")
	w.run("ping", "-F", "none", "--site", site)
	expect(4, "ping with LABCTL_PERSIST=1")
	eventually(t, 5*time.Second, "connections", func() string {
		return strings.TrimPrefix(w.run("connections"), "No connection is kept.\n")
	})
}

// TestWarmInterrupted: Ctrl-C ends what runs on the host, and not the connection.
func TestWarmInterrupted(t *testing.T) {
	t.Parallel()
	w := newWarm(t)
	site, sshd := sshdAndSite(t)
	mark := filepath.Join(t.TempDir(), "mark")
	cmd := w.command("run", "-F", "none", "--site", site, "box", "command", "wait", `argv=["sh", "-c", "echo > `+mark+`; exec sleep 60"]`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the command has not begun", func() string {
		if _, err := os.Stat(mark); err != nil {
			return err.Error()
		}
		return ""
	})
	_ = cmd.Process.Signal(syscall.SIGINT)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
	eventually(t, 5*time.Second, "uses", func() string {
		if out := w.run("connections"); strings.Contains(out, " yes ") {
			return out
		}
		return ""
	})
	var k kept
	if out := w.run("connections", "--json"); json.Unmarshal([]byte(out), &k) != nil || k.Host != "box" || k.User != "root" || k.Used || k.Expires == nil {
		t.Errorf("listed %s", out)
	}
	w.run("ping", "-F", "none", "--site", site)
	if n := sshd.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if out := w.run("connections", "close", "b*"); out != "Closed: 1.\n" {
		t.Errorf("said %q", out)
	}
}
