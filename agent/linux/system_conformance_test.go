package linux

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/modules/modulestest"

	"golang.org/x/sys/unix"
)

// freshMachine is freshHost with a file system and a name of its own: what the test writes to the directories named here goes
// to an overlay that is gone with its thread.
func freshMachine(t testing.TB) *Host {
	t.Helper()
	h := freshHost(t)
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		t.Fatalf("unshare: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	scratch, err := os.MkdirTemp("", "machine") // t.TempDir may have commas, which separate the options of a mount
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("scratch", scratch, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatalf("mount scratch: %v", err)
	}
	t.Cleanup(func() {
		_ = unix.Unmount(scratch, unix.MNT_DETACH)
		_ = os.Remove(scratch)
	})
	for _, dir := range []string{"/etc", "/home", "/root", "/srv", "/var"} {
		overlay(t, scratch, dir)
	}
	return h
}

// overlay lets writes to dir go to scratch.
func overlay(t testing.TB, scratch, dir string) {
	t.Helper()
	name := strings.ReplaceAll(dir, "/", "_")
	upper, work := filepath.Join(scratch, name), filepath.Join(scratch, name+"-work")
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+upper+",workdir="+work); err != nil {
		t.Fatalf("overlay %s: %v", dir, err)
	}
}

// machine is a fresh machine with known accounts and files.
func machine(t testing.TB) modulestest.Target {
	h := freshMachine(t)
	if err := modulestest.Furnish(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	return modulestest.Target{Host: h, Writes: h.Writes}
}

// TestSystemOnMachine runs the conformance suites of the modules that manage the machine, with its tools.
func TestSystemOnMachine(t *testing.T) {
	for _, s := range modulestest.System() {
		t.Run(s.Title(), func(t *testing.T) { modulestest.Run(t, s, machine) })
	}
}

// TestSystemWithoutTools runs those of accounts on a machine that has no useradd(8).
func TestSystemWithoutTools(t *testing.T) {
	for _, s := range modulestest.System() {
		if s.Module != "user" && s.Module != "group" {
			continue
		}
		t.Run(s.Title(), func(t *testing.T) {
			modulestest.Run(t, s, func(t testing.TB) modulestest.Target {
				tg := machine(t)
				tg.Host.(*Host).nf.path = []string{"/nothing"}
				if _, tools := tg.Host.Accounts().(userTools); tools {
					t.Fatal("useradd is found")
				}
				return tg
			})
		})
	}
}
