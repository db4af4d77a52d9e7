package main

import (
	"os"
	"path/filepath"
	"testing"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/runner"
)

const rebootSite = `
host "jump" {}
host "box" {
  jump   = "jump"
  kernel = "guest"
}
play "reboot" {
  hosts  = "box"
  become = true
  wait_for_connection "box" { timeout = "2m" }
  command "touch /run/volatile /var/tmp/kept" {}
  reboot "it" {
    timeout  = "5m"
    register = "r"
  }
  stat "/run/volatile" { register = "volatile" }
  stat "/var/tmp/kept" { register = "kept" }
  assert "it has booted anew" { that = [!result.volatile.exists, result.kept.exists, result.r.elapsed > 1] }
}
`

// TestRebootThroughAJump reboots a machine that has a kernel of its own, and goes on with the play.
func TestRebootThroughAJump(t *testing.T) {
	t.Parallel()
	if !canSandbox(t) {
		return
	}
	if err := sandbox.CheckGuest(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.hcl"), []byte(rebootSite), 0o600); err != nil {
		t.Fatal(err)
	}
	bootGuests(t)
	bringUp(t, dir)
	for _, e := range events(t, 0, "play", "--sandbox", "--json", dir) {
		if e.Kind == runner.TaskDone && e.Task.Module == "reboot" {
			t.Logf("rebooted in %s: %s", e.Duration, e.Result.State)
		}
	}
}
