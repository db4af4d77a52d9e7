package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/reaptest"
)

// needRoot skips where no sandbox can be; with LABCTL_TEST_KERNEL=1 that is a failure.
func needRoot(t testing.TB) {
	t.Helper()
	if err := Check(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// bed is a sandbox for a test.
type bed struct {
	testing.TB
	dir   string
	state *State
}

// up brings a topology up under a directory of the test's own, and down again at its end.
func up(t testing.TB, topology Topology) *bed {
	t.Helper()
	needRoot(t)
	b := &bed{TB: t, dir: t.TempDir()}
	if err := reaptest.Register(b.dir + " " + topology.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(b.dir, topology.Name, logFile))
			t.Logf("log of the sandbox: %s", log)
			b.explain()
		}
		if err := Down(context.Background(), b.dir, topology.Name); err != nil && !errors.Is(err, ErrNotUp) {
			t.Errorf("down: %v", err)
		}
	})
	b.up(topology)
	return b
}

// explain logs what a failed login leaves to read.
func (b *bed) explain() {
	if b.state == nil {
		return
	}
	for _, h := range b.state.Hosts {
		var out bytes.Buffer
		_, err := Exec(context.Background(), b.dir, b.state.Name, h.Name, ExecOptions{Stdout: &out, Stderr: &out,
			Argv: []string{"sh", "-c", "ip -br address; ip route; ip neigh; tail -5 /var/log/sshd.log; dmesg | grep -c 'table overflow'"}})
		b.Logf("%s: %v\n%s", h.Name, err, out.String())
	}
}

func (b *bed) up(topology Topology) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), guestTimeout+time.Minute)
	defer cancel()
	state, err := Up(ctx, b.dir, topology, Options{})
	if err != nil {
		b.Fatalf("up: %v", err)
	}
	b.state = state
}

// exec runs a shell line in a host.
func (b *bed) exec(host, line string) (string, int) {
	b.Helper()
	var out bytes.Buffer
	code, err := Exec(context.Background(), b.dir, b.state.Name, host, ExecOptions{Argv: []string{"sh", "-c", line}, Stdout: &out, Stderr: &out})
	if err != nil {
		b.Fatalf("exec in %s: %v", host, err)
	}
	return strings.TrimSpace(out.String()), code
}

// must is exec for a line that has to succeed.
func (b *bed) must(host, line string) string {
	b.Helper()
	out, code := b.exec(host, line)
	if code != 0 {
		b.Fatalf("%s: %s: exit %d: %s", host, line, code, out)
	}
	return out
}

// ssh logs in as a client would, with OpenSSH and the configuration that SSHConfig writes.
func (b *bed) ssh(host string, command ...string) (string, error) {
	b.Helper()
	config := filepath.Join(b.dir, "ssh_config")
	f, err := os.Create(config)
	if err != nil {
		b.Fatal(err)
	}
	if err := SSHConfig(f, b.state); err != nil {
		b.Fatal(err)
	}
	f.Close()
	out, err := exec.Command("ssh", append([]string{"-F", config, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", host}, command...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (b *bed) pids() (pids []int) {
	for _, h := range b.state.Hosts {
		pids = append(pids, h.InitPID)
	}
	return pids
}

// world is what a sandbox of that name could leave behind, and what else there is: its directory, mounts,
// links, named namespaces and processes.
func world(t testing.TB, name string) (things []string) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, t.Name()) || strings.Contains(line, "- overlay ") {
			things = append(things, line)
		}
	}
	links, _ := filepath.Glob("/sys/class/net/*")
	names, _ := filepath.Glob("/run/netns/*")
	things = append(append(things, links...), names...)
	routes, _ := exec.Command("ip", "route").Output()
	things = append(things, strings.Split(string(routes), "\n")...)
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, e := range entries {
		if text, _ := os.ReadFile(e); bytes.Contains(text, []byte(InitVerb)) && bytes.Contains(text, []byte(name)) {
			things = append(things, e+" "+string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	return things
}

// nothingNew waits until everything there is was there before: other tests on this computer come and go.
func nothingNew(t testing.TB, name string, before []string) {
	t.Helper()
	var left []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		left = slices.DeleteFunc(world(t, name), func(s string) bool { return slices.Contains(before, s) })
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("the sandbox shows or is left: %q", left)
}

// own is the office under a name that nothing else on this computer has.
func own(t testing.TB) Topology {
	topology := office
	topology.Name = fmt.Sprintf("%s-%d", t.Name(), os.Getpid())
	return topology
}
