package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDownLeavesNothing(t *testing.T) {
	needRoot(t)
	topology := own(t)
	before := world(t, topology.Name)
	b := up(t, topology)
	b.must("boxA", "ip netns add inner; setsid sleep 1000 >/dev/null 2>&1 &")
	pids := append(b.pids(), b.state.Supervisor.PID)
	nothingNew(t, "no process, only links and mounts", before)
	if err := Down(context.Background(), b.dir, topology.Name); err != nil {
		t.Fatal(err)
	}
	nothingNew(t, topology.Name, before)
	for _, pid := range pids {
		if named(pid).alive() {
			t.Errorf("process %d lives", pid)
		}
	}
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("directory is still there: %v", err)
	}
}

func TestInterruptedUp(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for i := range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i*40)*time.Millisecond)
		if _, err := Up(ctx, dir, office, Options{}); err != nil {
			t.Logf("after %d ms: %v", i*40, err)
		}
		cancel()
		if i%2 == 0 {
			if err := Down(context.Background(), dir, office.Name); err != nil && !errors.Is(err, ErrNotUp) {
				t.Fatalf("down after an interrupted up: %v", err)
			}
		}
	}
	b := up(t, office)
	if out, err := b.ssh("boxA", "hostname"); out != "boxA" {
		t.Errorf("ssh boxA: %v: %s", err, out)
	}
}

// TestKilledUp kills the process of Up at many moments; the next one goes on from whatever is there.
func TestKilledUp(t *testing.T) {
	needRoot(t)
	topology := own(t)
	before := world(t, topology.Name)
	dir := t.TempDir()
	for i := range 12 {
		cmd := exec.Command("/proc/self/exe", "up", dir, topology.Name)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*8) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if i%3 == 2 {
			if err := Down(context.Background(), dir, topology.Name); err != nil && !errors.Is(err, ErrNotUp) {
				t.Fatalf("down after a killed up: %v", err)
			}
		}
	}
	if _, err := Up(context.Background(), dir, topology, Options{}); err != nil {
		t.Fatalf("up after a killed up: %v", err)
	}
	b := &bed{TB: t, dir: dir}
	b.up(topology)
	if len(b.state.Changed) > 0 {
		t.Errorf("second up after a killed up: %q", b.state.Changed)
	}
	if out, err := b.ssh("boxA", "hostname"); out != "boxA" {
		t.Errorf("ssh boxA: %v: %s", err, out)
	}
	if err := Down(context.Background(), dir, topology.Name); err != nil {
		t.Fatal(err)
	}
	nothingNew(t, topology.Name, before)
}

// TestSudoer brings a sandbox up as sudo would, and logs in as the person who called it.
func TestSudoer(t *testing.T) {
	needRoot(t)
	t.Setenv("SUDO_UID", "65534")
	t.Setenv("SUDO_GID", "65534")
	b := up(t, office)
	if err := os.Chmod(filepath.Dir(b.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(b.dir, "ssh_config")
	var text bytes.Buffer
	if err := SSHConfig(&text, b.state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ssh", "-F", config, "-o", "BatchMode=yes", "boxA", "hostname")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "boxA\n" {
		t.Errorf("ssh as nobody: %v: %s", err, out)
	}
	for _, name := range []string{hostKeys, controlSock, pidFile} {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(b.state.Dir, name), &st); err != nil || st.Uid != 0 || name != controlSock && st.Mode&0o77 != 0 {
			t.Errorf("%s: %v, owner %d, mode %o", name, err, st.Uid, st.Mode)
		}
	}
}

// TestInheritedFiles opens a pipe as a careless caller does. Whoever waits for its end must not wait for the sandbox.
func TestInheritedFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	careless := func() {
		if _, err := unix.FcntlInt(w.Fd(), unix.F_SETFD, 0); err != nil {
			t.Fatal(err)
		}
	}
	careless()
	b := up(t, office)
	careless()
	b.must("boxA", "setsid sleep 1000 >/dev/null 2>&1 </dev/null &")
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a process of the sandbox holds the pipe: %d, %v", n, err)
	}
}

func TestTwoUpsAtOnce(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	var group sync.WaitGroup
	states := make([]*State, 4)
	for i := range states {
		group.Go(func() {
			var err error
			if states[i], err = Up(context.Background(), dir, office, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, s := range states[1:] {
		if s == nil || s.Supervisor != states[0].Supervisor || s.Hosts[1].InitPID != states[0].Hosts[1].InitPID {
			t.Errorf("two ups made two sandboxes: %+v and %+v", s, states[0])
		}
	}
	if err := Down(context.Background(), dir, office.Name); err != nil {
		t.Fatal(err)
	}
}

// TestUpAgainstDown lets Up and Down of one sandbox race; each does its whole work or says why not.
func TestUpAgainstDown(t *testing.T) {
	needRoot(t)
	dir, topology := t.TempDir(), own(t)
	before := world(t, topology.Name)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for range 4 {
				if _, err := Up(context.Background(), dir, topology, Options{}); err != nil && !errors.Is(err, ErrNotUp) {
					t.Errorf("up: %v", err)
				}
			}
		})
		group.Go(func() {
			for range 8 {
				if err := Down(context.Background(), dir, topology.Name); err != nil && !errors.Is(err, ErrNotUp) {
					t.Errorf("down: %v", err)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	group.Wait()
	if err := Down(context.Background(), dir, topology.Name); err != nil && !errors.Is(err, ErrNotUp) {
		t.Error(err)
	}
	nothingNew(t, topology.Name, before)
}

func TestDirectoryRemovedByHand(t *testing.T) {
	b := up(t, office)
	if err := os.RemoveAll(filepath.Join(b.dir, office.Name)); err != nil {
		t.Fatal(err)
	}
	if err := b.state.Supervisor.wait(5 * time.Second); err != nil {
		t.Errorf("the supervisor stays without its directory: %v", err)
		_ = b.state.Supervisor.kill(5 * time.Second)
	}
}
