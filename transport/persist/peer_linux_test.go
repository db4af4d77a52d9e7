package persist

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOnlyItsUser is answered, even where the modes of socket and directory let everybody in.
func TestOnlyItsUser(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal("needs root: to be another user")
		}
		t.Skip("needs root: to be another user")
	}
	dir, err := os.MkdirTemp("", "persist")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		Serve(l, path, nil)
		close(ended)
	}()
	t.Cleanup(func() { _ = os.RemoveAll(dir); <-ended })
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(path, 0o777)); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	for uid, answered := range map[uint32]bool{0: true, 65534: false} {
		cmd := exec.Command("nc", "-N", "-U", path)
		cmd.Dir = "/"
		cmd.Stdin = strings.NewReader(`{"Op":"list"}` + "\n")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.Output()
		if got := strings.Contains(string(out), `"Heard":true`); got != answered || answered && err != nil {
			t.Errorf("user %d: %q, %v", uid, out, err)
		}
	}
}
