package transport_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// needRoot skips tests that mount or change user.
func needRoot(t testing.TB, tools ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		lack(t, "root")
	}
	needTools(t, tools...)
}

// inMounts runs commands in a mount namespace of their own, with a tmpfs that
// forbids execution over each of dirs; the tmpfs of a second command is another.
func inMounts(t testing.TB, dirs ...string) (transporttest.Config, string) {
	config, home := withShell(t, "/bin/sh")
	config.Exec = func(ctx context.Context, cmd string, stdin io.Reader, stdout, stderr io.Writer) int {
		script := "set -e\n"
		for _, d := range dirs {
			script += "mount -t tmpfs -o noexec,mode=1777 tmpfs " + strings.ReplaceAll(d, "HOME", home) + "\n"
		}
		sh := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "sh", "-c", script+"exec sh -c \"$0\"", cmd)
		sh.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		return transporttest.Run(sh, stdin, stdout, stderr)
	}
	return config, home
}

func TestDirectoryMountedNoexec(t *testing.T) {
	needRoot(t, "unshare", "mount")
	config, _ := inMounts(t, "HOME", "/dev/shm", "/run")
	path := "/var/tmp/labctl-0"
	b := newBins(t)
	t.Cleanup(func() {
		_ = os.Remove(path + "/agent-" + b.hash)
		_ = os.Remove(path) // if it is empty
	})
	if got, err := talk(t, dialTest(t, config), b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := os.Stat(path + "/agent-" + b.hash); err != nil {
		t.Error(err)
	}
}

func TestEveryDirectoryMountedNoexec(t *testing.T) {
	needRoot(t, "unshare", "mount")
	config, _ := inMounts(t, "HOME", "/var/tmp", "/dev/shm", "/run", "/tmp")
	_, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{}, "hi")
	if err == nil {
		t.Fatal("no error")
	}
	t.Logf("message: %v", err)
	mention(t, err, "push agent", "no directory where a program may run", ".cache/labctl", "/var/tmp/labctl-0", "/dev/shm", "noexec")
}

// sudo as it is installed here, from root to a user without a home.
func TestRealSudo(t *testing.T) {
	needRoot(t, "sudo")
	other, err := user.Lookup("nobody")
	if err != nil {
		lack(t, "the user nobody")
	}
	path := "/var/tmp/labctl-" + other.Uid
	b := newBins(t)
	t.Cleanup(func() {
		_ = os.Remove(path + "/agent-" + b.hash)
		_ = os.Remove(path) // if it is empty
	})
	config, _ := withShell(t, "/bin/sh")
	c := dialTest(t, config)
	for range 2 {
		got, err := talk(t, c, b, transport.AgentOptions{Become: &transport.Become{User: "nobody"}}, "hi")
		if err != nil {
			t.Fatal(err)
		}
		if want := "uid " + other.Uid + "\nhi"; !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if len(b.opened) != 1 {
		t.Errorf("pushed %d times", len(b.opened))
	}
	_, err = talk(t, c, b, transport.AgentOptions{Become: &transport.Become{User: "no-such-user"}}, "hi")
	if err == nil {
		t.Fatal("no error")
	}
	t.Logf("message: %v", err)
	mention(t, err, "no-such-user")
}

// Where no agent comes any more, nobody waits for it much longer than the connection lives.
func TestNobodyWaitsForLong(t *testing.T) {
	t.Parallel()
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	b := newScriptBins(t, "true\n", 1000)
	pool := newPool(t, transport.Options{})
	cut := make(chan struct{})
	b.read = func([]byte) io.Reader {
		return readerFunc(func([]byte) (int, error) { <-cut; return 0, io.ErrUnexpectedEOF })
	}
	p, err := transport.StartAgent(t.Context(), dial(t, pool, me.target(t, "box", s.Addr, s.HostKey)), b, transport.AgentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	until := func(what string, there bool) {
		for end := time.Now().Add(10 * time.Second); (waiters(b.hash) > 0) != there; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s after ten seconds", what)
			}
		}
	}
	until("nobody waits", true)
	_ = p.Close()
	close(cut)
	_ = pool.Close()
	until("somebody waits still", false)
}

// waiters counts the processes that wait for the agent of that hash.
func waiters(hash string) (n int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, _ := os.ReadFile(path)
		if strings.Contains(string(line), hash) && strings.Contains(string(line), " wait:") {
			n++
		}
	}
	return n
}
