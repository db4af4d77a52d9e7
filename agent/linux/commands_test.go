package linux

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

func shell(script string) host.Exec { return host.Exec{Argv: []string{"sh", "-c", script}} }

func TestRun(t *testing.T) {
	ctx, c, dir := context.Background(), New().Commands(), t.TempDir()
	for _, tt := range []struct {
		name string
		exec host.Exec
		out  string
		rc   int
	}{
		{"status", shell("echo out; echo err >&2; exit 3"), "out\n", 3},
		{"signal", shell("kill -TERM $$"), "", 143},
		{"stdin", host.Exec{Argv: []string{"cat"}, Stdin: []byte("in")}, "in", 0},
		{"no stdin", host.Exec{Argv: []string{"cat"}}, "", 0},
		{"environment", host.Exec{Argv: []string{"sh", "-c", `echo "$A"`}, Env: []string{"A=b c"}}, "b c\n", 0},
		{"directory", host.Exec{Argv: []string{"pwd"}, Dir: dir}, dir + "\n", 0},
		{"sbin is in the path", host.Exec{Argv: []string{"sh", "-c", "command -v iptables >/dev/null || test ! -e /usr/sbin/iptables"}}, "", 0},
	} {
		r, err := c.Run(ctx, tt.exec)
		if err != nil || string(r.Stdout) != tt.out || r.Status != tt.rc {
			t.Errorf("%s: %q %q %d, %v", tt.name, r.Stdout, r.Stderr, r.Status, err)
		}
	}
}

func TestRunWhatIsNotThere(t *testing.T) {
	ctx, c, dir := context.Background(), New().Commands(), t.TempDir()
	plain := filepath.Join(dir, "plain")
	_ = os.WriteFile(plain, nil, 0o644)
	for _, tt := range []struct {
		exec host.Exec
		kind error
		text string
	}{
		{host.Exec{Argv: []string{"no-such-program"}}, host.ErrNotExist, "run no-such-program: no such file"},
		{host.Exec{Argv: []string{plain}}, host.ErrPermission, "permission denied"},
		{host.Exec{Argv: []string{"true"}, Dir: "/no/such"}, host.ErrNotExist, "run in /no/such: no such file"},
		{host.Exec{Argv: []string{"true"}, NetNS: "no-such-netns"}, host.ErrNoNetNS, "no-such-netns"},
	} {
		_, err := c.Run(ctx, tt.exec)
		if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v: %v", tt.exec, err)
		}
	}
}

func TestOutputIsCut(t *testing.T) {
	r, err := New().Commands().Run(context.Background(), shell("yes | head -c 3000000; echo end >&2"))
	if err != nil || r.Status != 0 || len(r.Stdout) > maxOutput+100 || !bytes.HasSuffix(r.Stdout, []byte("[1951424 bytes more were cut off]\n")) {
		t.Errorf("%d bytes, %q, %+v", len(r.Stdout), r.Stdout[max(0, len(r.Stdout)-60):], err)
	}
	if string(r.Stderr) != "end\n" {
		t.Errorf("stderr: %q", r.Stderr)
	}
}

func TestCancelEndsTheGroup(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	pids := filepath.Join(t.TempDir(), "pids")
	start := time.Now()
	// The first child goes at SIGTERM; the second, and the shell, do not.
	r, err := New().Commands().Run(ctx, shell("trap '' TERM; sleep 60 & echo $! >"+pids+"; echo begun; sleep 60"))
	if !errors.Is(err, context.DeadlineExceeded) || string(r.Stdout) != "begun\n" {
		t.Errorf("%q, %v", r.Stdout, err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %s", d)
	}
	b, _ := os.ReadFile(pids)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("child %d lives", pid)
	_ = unix.Kill(pid, unix.SIGKILL)
}

func TestDaemonDoesNotHoldTheCommand(t *testing.T) {
	start := time.Now()
	r, err := New().Commands().Run(context.Background(), shell("sleep 7 & echo $!"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(r.Stdout)))
	defer func() { _ = unix.Kill(pid, unix.SIGKILL) }()
	if err != nil || r.Status != 0 || time.Since(start) > 5*time.Second {
		t.Errorf("%q, %v after %s", r.Stdout, err, time.Since(start))
	}
	if unix.Kill(pid, 0) != nil {
		t.Error("the daemon was ended")
	}
}

func TestRunInNetNS(t *testing.T) {
	h := freshHost(t)
	if err := h.NetNS().Create(ctxOf(t), "other"); err != nil {
		t.Fatal(err)
	}
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for ref, same := range map[string]bool{"": true, "other": false, filepath.Join(h.dir, "other"): false} {
		r, err := h.Commands().Run(ctxOf(t), host.Exec{Argv: []string{"readlink", "/proc/self/ns/net"}, NetNS: ref})
		if got := strings.TrimSpace(string(r.Stdout)); err != nil || (got == own) != same || got == "" {
			t.Errorf("netns %q: %q, %v; own is %q", ref, got, err, own)
		}
	}
}
