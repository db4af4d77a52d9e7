package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"labctl/transport/transporttest"
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

// TestWarmRelay keeps what goes through a relay, and the relay, which ends with its connection.
func TestWarmRelay(t *testing.T) {
	t.Parallel()
	w := newWarm(t)
	key, file := transporttest.NewKey(t)
	bastion := transporttest.NewSSHD(t, []ssh.PublicKey{key.PublicKey()}, "AllowTcpForwarding no")
	box := transporttest.NewSSHD(t, []ssh.PublicKey{key.PublicKey()})
	known := transporttest.KnownHosts(t, "[127.0.0.1]:"+strconv.Itoa(bastion.Port), bastion.HostKey, "[127.0.0.1]:"+strconv.Itoa(box.Port), box.HostKey)
	site := filepath.Join(t.TempDir(), "site.hcl")
	text := fmt.Sprintf(`ssh {
  user           = "root"
  identity_file  = %q
  identity_agent = "none"
  known_hosts    = %q
}
host "bastion" {
  address = "127.0.0.1"
  port    = %d
  relay   = true
}
host "box" {
  address = "127.0.0.1"
  port    = %d
  jump    = ["bastion"]
}
`, file, known, bastion.Port, box.Port)
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.run("run", "-F", "none", "--site", site, "box", "command", "true")
	}
	if n, m := bastion.Connections(), box.Connections(); n != 1 || m != 1 {
		t.Errorf("%d connections to the bastion, %d to the host", n, m)
	}
	if len(atHome(bastion.Home)) == 0 {
		t.Error("no relay runs")
	}
	if out := w.run("connections", "close", "*"); out != "Closed: 2.\n" {
		t.Errorf("said %q", out)
	}
	eventually(t, 5*time.Second, "what runs on the bastion", func() string { return strings.Join(atHome(bastion.Home), "; ") })
}

// atHome are the command lines of the processes with that HOME.
func atHome(home string) (out []string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		env, _ := os.ReadFile(p + "/environ")
		if slices.Contains(strings.Split(string(env), "\x00"), "HOME="+home) {
			line, _ := os.ReadFile(p + "/cmdline")
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

// TestWarmQuestion: Ctrl-C at the question of a login leaves the terminal as it was; the answer is asked for once in a minute.
func TestWarmQuestion(t *testing.T) {
	t.Parallel()
	w := newWarm(t)
	box := transporttest.NewBox(t, nil, "printf '%s\n' 'auth required pam_unix.so nodelay' 'account required pam_unix.so' 'session required pam_permit.so' > /etc/pam.d/sshd\n",
		"UsePAM yes", "KbdInteractiveAuthentication yes")
	site := filepath.Join(t.TempDir(), "site.hcl")
	text := fmt.Sprintf("host \"box\" {\n  address = \"127.0.0.1\"\n  port = %d\n  user = \"alice\"\n  identity_file = \"none\"\n  identity_agent = \"none\"\n  known_hosts = %q\n}\n",
		box.Port, transporttest.KnownHosts(t, "[127.0.0.1]:"+strconv.Itoa(box.Port), box.HostKey))
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		asked, typed string
		code         int
	}{
		{"(alice@box) Password", "\x03", exitInterrupted},
		{"(alice@box) Password", transporttest.AlicePassword + "\n", exitDone},
		{"", "", exitDone},
	} {
		s := sitWith(t, w.env, 24, 80, "ping", "-F", "none", "--site", site)
		if test.asked != "" {
			s.sees(test.asked)
			s.silent()
			s.typed(test.typed)
		}
		_ = s.cmd.Wait()
		if code := s.cmd.ProcessState.ExitCode(); code != test.code || *s.termios() != *s.before {
			t.Errorf("after %q: exit code %d, terminal %+v; said %s", test.typed, code, s.termios(), s.screen.String())
		}
	}
	if n := box.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// silent waits until what is typed is not shown.
func (s *seat) silent() {
	s.t.Helper()
	eventually(s.t, 5*time.Second, "the terminal shows what is typed", func() string {
		if s.termios().Lflag&unix.ECHO != 0 {
			return "ECHO"
		}
		return ""
	})
}
