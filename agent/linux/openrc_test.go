package linux

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/modulestest"

	"golang.org/x/sys/unix"
)

// openRC is where .ci/setup unpacks it.
const openRC = "/var/cache/labctl/openrc"

// openRCScript tells OpenRC of its daemon as OpenRC's start-stop-daemon does, which Debian leaves to dpkg's.
const openRCScript = `#!/sbin/openrc-run
command=/bin/sleep
command_args=1000
command_background=yes
pidfile=/run/lab-svc.pid
extra_started_commands=reload
reload() { echo reload >>/srv/log; }
start_post() {
	mkdir -p /run/openrc/daemons/lab-svc
	printf 'exec=/bin/sleep\nargv_0=/bin/sleep\nargv_1=1000\npidfile=/run/lab-svc.pid\n' >/run/openrc/daemons/lab-svc/001
}
`

// onOpenRC is a machine where OpenRC runs, with the service lab-svc.
func onOpenRC(t testing.TB) modulestest.Target {
	t.Helper()
	if _, err := os.Stat(openRC); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal("no OpenRC: run .ci/setup")
		}
		t.Skip("no OpenRC")
	}
	h := freshMachine(t)
	for _, dir := range []string{"/run", "/sys/fs/cgroup"} { // where OpenRC keeps its books, and would put its services
		if err := unix.Mount("fresh", dir, "tmpfs", 0, "mode=755"); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("overlay", "/usr", "overlay", 0, "lowerdir="+openRC+"/usr:/usr"); err != nil {
		t.Fatal(err)
	}
	tool(t, "sh", "-c", "rm -r /etc/init.d; cp -a "+openRC+"/etc/rc.conf /etc/; cd /etc; mkdir -p init.d conf.d runlevels/sysinit runlevels/boot runlevels/default; touch insserv.conf")
	writeFile(t, "/etc/init.d/lab-svc", openRCScript)
	if err := os.Chmod("/etc/init.d/lab-svc", 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "/run/openrc/softlevel", "") // as where it has booted
	tool(t, "openrc", "default")
	t.Cleanup(func() { _ = unix.Kill(labPid(), unix.SIGKILL) })
	return modulestest.Target{Host: h, Writes: h.Writes}
}

// labPid is the daemon's, or one that nobody has.
func labPid() int {
	b, _ := os.ReadFile("/run/lab-svc.pid")
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
		return pid
	}
	return math.MaxInt32
}

// TestServicesOnOpenRC runs the conformance suite with rc-service(8) and rc-update(8).
func TestServicesOnOpenRC(t *testing.T) {
	modulestest.Run(t, modulestest.ServiceSuite(false), onOpenRC)
}

// crash kills the daemon of lab-svc. OpenRC takes one that init has not waited for yet to be alive.
func crash(t testing.TB) {
	t.Helper()
	pid := labPid()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
}

// TestOpenRC: what has crashed does not run and is started again; a service is disabled in all runlevels, whichever they are; and what is
// done each time is done.
func TestOpenRC(t *testing.T) {
	h := onOpenRC(t).Host
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }()
	on := call("service", false, `{"name":"lab-svc","running":true,"enabled":true}`)
	apply(t, h, on)
	crash(t)
	if r := apply(t, h, on); len(r.Diff.Changes) != 1 || r.Diff.Changes[0].Path != "running" {
		t.Errorf("after a crash: %v", r.Diff)
	}
	if r := apply(t, h, on); r.Diff.Action != modules.None {
		t.Errorf("again: %v", r.Diff)
	}
	tool(t, "rc-update", "add", "lab-svc", "boot")
	off := call("service", false, `{"name":"lab-svc","enabled":false}`)
	apply(t, h, off)
	if r := apply(t, h, off); r.Diff.Action != modules.None {
		t.Errorf("disabled: %v", r.Diff)
	}
	apply(t, h, call("service", false, `{"name":"lab-svc","reloaded":true}`))
	if b, _ := os.ReadFile("/srv/log"); string(b) != "reload\n" {
		t.Errorf("did %q", b)
	}
}
