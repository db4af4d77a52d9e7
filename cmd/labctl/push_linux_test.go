package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport/transporttest"
)

// Ctrl-C while the agent is on its way over a slow line: nothing has been done, nothing is left, and the next play begins anew.
func TestInterruptWhilePushing(t *testing.T) {
	t.Parallel()
	key, file := transporttest.NewKey(t)
	s := transporttest.NewBox(t, []ssh.PublicKey{key.PublicKey()}, "")
	home := fmt.Sprintf("/proc/%d/root/home/alice", s.PID)
	wire := transporttest.NewSlowWire(t, s.Addr, 64<<10)
	dir, cache := t.TempDir(), filepath.Join(home, ".cache/labctl")
	site := fmt.Sprintf(`ssh {
  user           = "alice"
  identity_file  = %q
  identity_agent = "none"
  host_key       = %q
}
host "slow" {
  address = "127.0.0.1"
  port    = %s
}
host "fast" {
  address = "127.0.0.1"
  port    = %d
}
play "p" {
  hosts = "*"
  copy "/home/alice/done" { content = "x" }
}
`, file, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.HostKey))), strings.TrimPrefix(wire.Addr, "127.0.0.1:"), s.Port)
	put(t, filepath.Join(dir, "site.hcl"), site, 0o600)
	p := launch(t, "play", "--limit", "slow", dir)
	eventually(t, 20*time.Second, "push", func() string {
		if coming, _ := filepath.Glob(filepath.Join(cache, ".push-*")); len(coming) == 0 {
			return "nothing on its way"
		}
		return ""
	})
	start := time.Now()
	p.signal(syscall.SIGINT)
	if code := p.wait(10 * time.Second); code != exitInterrupted || time.Since(start) > 2*time.Second {
		t.Errorf("exit code %d after %s", code, time.Since(start))
	}
	if out := p.out.String(); !strings.Contains(out, "slow: nothing was done") || strings.Contains(out, "UNREACHABLE") {
		t.Errorf("it says\n%s%s", out, p.err.String())
	}
	eventually(t, 5*time.Second, "end of the push", func() string {
		left, _ := os.ReadDir(cache)
		if len(left) > 0 {
			return fmt.Sprint(left)
		}
		return ""
	})
	if _, err := os.Stat(filepath.Join(home, "done")); err == nil {
		t.Error("the task was done after all")
	}
	if said, status := inSite(t, dir, "play", "--limit", "fast"); status != exitDone || !strings.Contains(said, "changed=1 ") {
		t.Errorf("the next play: status %d\n%s", status, said)
	}
}
