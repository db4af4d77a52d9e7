package transport_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"testing"

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
