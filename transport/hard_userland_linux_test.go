package transport_test

import (
	"runtime"
	"strings"
	"testing"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// busyboxRoot is a set-up that leaves alice nothing but busybox, in a root directory without any library.
const busyboxRoot = `
mkdir -p /run/root/bin /run/root/dev /run/root/home/alice /run/root/var/tmp /run/root/tmp
cp "$(command -v busybox)" /run/root/bin/busybox
for x in $(busybox --list | grep -vx busybox); do ln -sf busybox /run/root/bin/$x; done
mkdir /run/root/proc; mount --bind /proc /run/root/proc
mknod -m 666 /run/root/dev/null c 1 3; mknod -m 666 /run/root/dev/zero c 1 5
chown alice: /run/root/home/alice
chmod 1777 /run/root/var/tmp /run/root/tmp
`

// A machine with another userland, and another libc or none: of the agent nothing is linked to one, and its scripts run by
// whatever sh there is.
func TestBusyboxUserland(t *testing.T) {
	needRoot(t, "busybox")
	for name, test := range map[string]struct{ setup, dir string }{
		"as it is":    {"", "/home/alice/.cache/labctl"},
		"no /proc":    {"umount /run/root/proc", "/home/alice/.cache/labctl"},
		"noexec home": {"mount -t tmpfs -o noexec,mode=1777 tmpfs /run/root/home; mkdir -m 700 /run/root/home/alice; chown alice: /run/root/home/alice", "/var/tmp/labctl-2000"},
		"full home":   {"mount -t tmpfs -o size=64k,mode=1777 tmpfs /run/root/home; mkdir -m 700 /run/root/home/alice; chown alice: /run/root/home/alice", "/var/tmp/labctl-2000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := asAlice(t, hardLogin{shell: "/bin/sh"}.setup("")+busyboxRoot+test.setup, "ChrootDirectory /run/root", "SetEnv PATH=/bin")
			b := newBins(t)
			if test.setup == "" {
				b.forms = []string{"xz", "gzip", ""}
			}
			for range 2 {
				if got, err := talk(t, c, b, transport.AgentOptions{}, "frames"); err != nil || got != hello+"frames" {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if len(b.opened) != 1 || b.opened[0] != b.forms[0] {
				t.Errorf("pushed as %q", b.opened)
			}
			if out, _ := run(t, c, "ls "+test.dir, ""); out != "agent-"+b.hash+"\n" {
				t.Errorf("%s holds %q", test.dir, out)
			}
			if out, _ := run(t, c, "ls /; readlink /bin/sh", ""); strings.Contains(out, "lib") || !strings.Contains(out, "busybox") {
				t.Errorf("there is %q: the test is not what it says", out)
			}
		})
	}
}

// Machines of other types get the agent of theirs.
func TestForeignMachines(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Log("not tried: only an amd64 machine can be like others here")
		return
	}
	for arch, machine := range map[string]string{"386": "i686", "arm64": "aarch64"} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			me := newLogin(t)
			s := transporttest.NewForeignBox(t, arch, me.keys(), "")
			target := me.target(t, "box", s.Addr, s.HostKey)
			target.User = "alice"
			c := dial(t, newPool(t, transport.Options{}), target)
			if out, _ := run(t, c, "uname -m", ""); out != machine+"\n" {
				t.Errorf("the machine says that it is %q", out)
			}
			b := newBinsFor(t, arch)
			for range 2 {
				if got, err := talk(t, c, b, transport.AgentOptions{}, "frames"); err != nil || got != hello+"frames" {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if len(b.opened) != 1 {
				t.Errorf("pushed %d times", len(b.opened))
			}
		})
	}
}
