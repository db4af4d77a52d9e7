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
	if code := p.wait(10 * time.Second); code != exitInterrupted || time.Since(start) > 4*time.Second {
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

// worst is a machine with all that makes one hard at once: nothing but one session at a time, of a shell that is no sh and
// talks, without sftp, and where one may write no program may run. The file systems are remounted in the box alone.
const worst = becomeSetup + `
sed -i 's|:/home/alice:.*|:/home/alice:/bin/tcsh|' /etc/passwd
cat > /home/alice/.tcshrc <<'END'
echo "Welcome, do not disturb"; sh -c 'echo welcome >&2'
READS
END
chown alice: /home/alice/.tcshrc
for dir in /tmp /home /dev/shm; do mount --bind $dir $dir; mount -o remount,bind,noexec $dir; done
`

// A whole play on the worst of machines, as who logs in and as another user, on a terminal and without.
func TestWorstMachine(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]string{
		"sudo":       "sed -i 's/READS/set answer = $</' /home/alice/.tcshrc\n",
		"requiretty": "sed -i /READS/d /home/alice/.tcshrc; echo 'Defaults requiretty' >> /etc/sudoers\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tasks = `
  copy "DIR/content" { content = "what stands here" }
  copy "DIR/src" { src = "large" }
  template "DIR/template" {
    content = "${host.name} is ${facts.hostname}\n"
    mode    = "0600"
  }
  line "DIR/lines" {
    line   = "one"
    create = true
  }
  command "see" { shell = "cd DIR && cat content lines && cmp src /var/tmp/src && pwd" }
`
			dir := becomeSite(t, worst+setup, "", `
play "as alice" {
  hosts = "a"`+strings.ReplaceAll(tasks, "DIR", "/var/tmp")+`}
play "as root" {
  hosts  = "a"
  become = true`+strings.ReplaceAll(tasks, "DIR", "/root")+`}
`, "MaxSessions 1")
			put(t, filepath.Join(dir, "large"), strings.Repeat("a line\n\x00\x03\x04\x1a\xff", 50_000), 0o600)
			words := []string{"play", "-v", "--become-password-file", "alice"}
			for _, changed := range []string{"changed=10", "changed=2 "} {
				said, status := inSite(t, dir, words...)
				if status != exitDone || !strings.Contains(said, changed) {
					t.Errorf("want %s, status %d:\n%s", changed, status, said)
				}
			}
		})
	}
}
