package linux

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/modules/modulestest"

	"golang.org/x/sys/unix"
)

// TestOVSOnKernel runs the conformance suites of the Open vSwitch modules on daemons of their own, on the userspace datapath.
func TestOVSOnKernel(t *testing.T) {
	for _, s := range modulestest.OVS() {
		t.Run(s.Title(), func(t *testing.T) {
			modulestest.Run(t, s, func(t testing.TB) modulestest.Target {
				h := ovsHost(t)
				return modulestest.Target{Host: h, Writes: h.Writes}
			})
		})
	}
}

// ovsHost is a fresh host with an Open vSwitch in its namespace.
func ovsHost(t testing.TB) *Host {
	t.Helper()
	h := freshHost(t)
	startOVS(t, h)
	return h
}

// startOVS runs ovsdb-server and ovs-vswitchd in the namespace of the calling thread, with all their files in a directory of
// the test's.
func startOVS(t testing.TB, h *Host) {
	t.Helper()
	startDB(t, h)
	startVSwitchd(t, h)
}

func startDB(t testing.TB, h *Host) {
	t.Helper()
	for _, tool := range []string{"ovsdb-server", "ovs-vswitchd", "ovsdb-tool", "ovs-vsctl"} {
		if h.lookTool(tool) != "" {
			continue
		}
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatalf("%s is not installed: package openvswitch-switch", tool)
		}
		t.Skipf("%s is not installed: package openvswitch-switch", tool)
	}
	dir := t.TempDir()
	h.vs.dir = dir
	ovsRun(t, h, "ovsdb-tool", "create", dir+"/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
	daemon(t, h, "ovsdb-server", dir+"/conf.db", "--remote=punix:"+dir+"/db.sock", "--unixctl="+dir+"/db.ctl")
	ovsRun(t, h, "ovs-vsctl", "--no-wait", "init")
}

// startVSwitchd returns when ovs-vswitchd runs.
func startVSwitchd(t testing.TB, h *Host) {
	t.Helper()
	daemon(t, h, "ovs-vswitchd", "unix:"+h.vs.dir+"/db.sock", "--unixctl="+h.vs.dir+"/vs.ctl")
}

// daemon starts a daemon of Open vSwitch, and stops it with the test.
func daemon(t testing.TB, h *Host, name string, args ...string) {
	t.Helper()
	pidfile := filepath.Join(h.vs.dir, name+".pid")
	ovsRun(t, h, name, append(args, "--pidfile="+pidfile, "--detach", "--no-chdir", "--log-file="+h.vs.dir+"/"+name+".log", "-vconsole:off")...)
	t.Cleanup(func() { stopDaemon(t, pidfile) })
}

func stopDaemon(t testing.TB, pidfile string) {
	b, err := os.ReadFile(pidfile)
	if err != nil {
		return // stopped before
	}
	var pid int
	if _, err := fmt.Sscan(string(b), &pid); err != nil {
		t.Fatalf("%s: %v", pidfile, err)
	}
	_ = unix.Kill(pid, unix.SIGTERM)
	exe := fmt.Sprintf("/proc/%d/exe", pid) // of one that is over, and that nobody has asked about, nothing is left but the number
	for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(2 * time.Millisecond) {
		if _, err := os.Readlink(exe); err != nil {
			break
		}
	}
	_ = os.Remove(pidfile)
}

// ovsRun runs a tool of Open vSwitch on the daemons of h and returns what it printed.
func ovsRun(t testing.TB, h *Host, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(h.lookTool(name), args...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+h.vs.dir, "OVS_DBDIR="+h.vs.dir, "OVS_LOGDIR="+h.vs.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
