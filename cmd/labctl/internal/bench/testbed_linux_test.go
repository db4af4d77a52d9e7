package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/sandbox"
)

// TestMain lets this program be the sandbox's and the fleet's processes too, and prints what the benchmarks have found out.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.InitVerb {
		os.Exit(sandbox.InitMain(os.Args[2:]))
	}
	fleetMain(os.Args[1:])
	code := m.Run()
	if err := found.report(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const jump = "jump"

// testbed is a jump host and machines behind it that are reached through it only.
type testbed struct {
	testing.TB
	dir   string // for configurations; short enough for the control sockets of ssh
	state *sandbox.State
}

// newTestbed brings a sandbox up in which every tool has n hosts of its own, named TOOL-1 to TOOL-n.
func newTestbed(b testing.TB, n int, tools ...string) *testbed {
	b.Helper()
	return newTestbedOf(b, "", n, tools...)
}

// newTestbedOf is newTestbed with hosts on a kernel (sandbox.Host).
func newTestbedOf(b testing.TB, kernel string, n int, tools ...string) *testbed {
	b.Helper()
	needRoot(b)
	if kernel == sandbox.KernelGuest {
		if _, err := sandbox.SetupGuest(b.Context(), func(line string) { b.Log(line) }); err != nil {
			b.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	topology := sandbox.Topology{Name: "bench", Hosts: []sandbox.Host{{Name: jump}}}
	for _, tool := range tools {
		for _, name := range hostNames(tool, n) {
			topology.Hosts = append(topology.Hosts, sandbox.Host{Name: name, Jump: []string{jump}, Kernel: kernel})
		}
	}
	b.Cleanup(func() {
		if err := sandbox.Down(context.Background(), dir, topology.Name); err != nil {
			b.Errorf("take the sandbox down: %v", err)
		}
	})
	state, err := sandbox.Up(context.Background(), dir, topology, sandbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	t := &testbed{TB: b, dir: dir, state: state}
	t.sshConfigs()
	return t
}

func hostNames(tool string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%s-%d", tool, i+1))
	}
	return names
}

// sshConfigs writes two configurations for OpenSSH: "plain", where every login is a whole one, and "mux", where the
// jump host's connection is shared, as somebody who has tuned Ansible has it.
func (t *testbed) sshConfigs() {
	t.Helper()
	var b bytes.Buffer
	if err := sandbox.SSHConfig(&b, t.state); err != nil {
		t.Fatal(err)
	}
	t.write("plain", b.String())
	fmt.Fprintf(&b, "Host %s\n  ControlMaster auto\n  ControlPersist 60s\n  ControlPath %s/jump.sock\n", jump, t.dir)
	t.write("mux", b.String())
}

// write puts a file into the testbed's directory and returns its path.
func (t *testbed) write(name, text string) string {
	t.Helper()
	path := filepath.Join(t.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// host is the sandbox's state of a host.
func (t *testbed) host(name string) sandbox.HostState {
	t.Helper()
	h, err := t.state.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ssh is the command that runs a line on a host through the jump host, with nothing shared or kept.
func (t *testbed) ssh(host, line string) *exec.Cmd {
	return exec.Command("ssh", "-F", filepath.Join(t.dir, "plain"), "-o", "BatchMode=yes", host, line)
}

// timed runs cmd to its end and returns how long it took, and what it said on standard output.
func timed(t testing.TB, run func(*exec.Cmd) error, cmd *exec.Cmd) (time.Duration, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := run(cmd)
	took := time.Since(start)
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, tail(stdout.String()), tail(stderr.String()))
	}
	return took, stdout.String()
}

// here runs a command in the namespace of this process.
func here(cmd *exec.Cmd) error { return cmd.Run() }

// tail keeps the last lines of what a tool said.
func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "...\n" + s[len(s)-most:]
	}
	return s
}

// fastest is the least of several times, the one that other load has disturbed least.
func fastest(times int, once func() time.Duration) time.Duration {
	best := once()
	for range times - 1 {
		best = min(best, once())
	}
	return best
}
