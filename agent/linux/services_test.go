package linux

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"

	"golang.org/x/sys/unix"
)

// labScript is a script as LSB core describes them. What is done to it is in /srv/log.
const labScript = `#!/bin/sh
### BEGIN INIT INFO
# Provides:          lab-svc
# Required-Start:
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: lab
### END INIT INFO
alive() { test -e /srv/pid && kill -0 $(cat /srv/pid) 2>/dev/null; }
echo $1 >>/srv/log
case $1 in
start) alive || { sleep 1000 & echo $! >/srv/pid; } ;;
stop) alive && kill $(cat /srv/pid); rm -f /srv/pid ;;
restart) $0 stop; $0 start ;;
reload) alive ;;
status) alive || exit 3 ;;
*) exit 2 ;;
esac
exit 0
`

// onScripts is a machine without an init system that runs, but with the script lab-svc.
func onScripts(t testing.TB) modulestest.Target {
	t.Helper()
	needTools(t, "service", "update-rc.d")
	h := freshMachine(t)
	if err := unix.Mount("run", "/run", "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "/etc/init.d/lab-svc", labScript)
	if err := os.Chmod("/etc/init.d/lab-svc", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b, _ := os.ReadFile("/srv/pid")
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	})
	return modulestest.Target{Host: h, Writes: h.Writes}
}

// TestServicesByScript runs the conformance suite with service(8) and update-rc.d(8).
func TestServicesByScript(t *testing.T) {
	modulestest.Run(t, modulestest.ServiceSuite(false), onScripts)
}

// TestScriptStatus: a script that has no action status, or does not know, is not asked, and says so instead of being started each time;
// it can be restarted. What starts while the machine boots, before any runlevel, is enabled too.
func TestScriptStatus(t *testing.T) {
	h := onScripts(t).Host
	for name, text := range map[string]string{"lab-mute": "echo $1 >>/srv/mute; test $1 = restart", "lab-unsure": `test "$1" != status || exit 4`} {
		writeFile(t, "/etc/init.d/"+name, "#!/bin/sh\n"+text+"\n")
		if err := os.Chmod("/etc/init.d/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
		for where, on := range map[string]host.Host{"plan": memory.New(h), "play": h} {
			if _, err := tryApply(t, on, call("service", false, `{"name":"`+name+`","running":true}`)); err == nil || !strings.Contains(err.Error(), "does not tell whether it runs") {
				t.Errorf("%s of %s: %v", where, name, err)
			}
			if r := apply(t, on, call("service", false, `{"name":"`+name+`","restarted":true}`)); r.Diff.Action != modules.Update {
				t.Errorf("%s of %s restarted: %v", where, name, r.Diff)
			}
		}
	}
	if b, _ := os.ReadFile("/srv/mute"); string(b) != "restart\n" {
		t.Errorf("did %q", b)
	}
	if err := os.Symlink("../init.d/lab-mute", "/etc/rcS.d/S07lab-mute"); err != nil {
		t.Fatal(err)
	}
	if r := apply(t, h, benchCall("service", `{"name":"lab-mute","enabled":true}`)); r.Diff.Action != modules.None {
		t.Errorf("started at boot: %v", r.Diff)
	}
}

// TestScriptFails: what a script says is in the error, and scripts say it on stdout (init-functions of the LSB).
func TestScriptFails(t *testing.T) {
	h := onScripts(t).Host
	writeFile(t, "/etc/init.d/lab-svc", "#!/bin/sh\n[ $1 != status ] || exit 3\necho no configuration\nexit 6\n")
	if _, err := tryApply(t, h, benchCall("service", `{"name":"lab-svc","running":true}`)); err == nil || !strings.Contains(err.Error(), "no configuration") {
		t.Error(err)
	}
}

const labUnit = "/usr/lib/systemd/system/lab-svc.service"

// onSystemd is this machine, where systemd runs, with the unit lab-svc.
func onSystemd(t testing.TB) modulestest.Target {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err != nil || os.Getenv("LABCTL_TEST_ALL_KINDS") == "" {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" && !excused("systemd") {
			t.Fatalf("no systemd: %v", err)
		}
		t.Skip("no systemd that may be changed: the suite runs in a guest of the sandbox")
	}
	end := func() {
		tool(t, "sh", "-c", "systemctl unmask lab-svc; systemctl disable --now lab-svc; rm "+labUnit+"; systemctl daemon-reload")
	}
	t.Cleanup(end)
	writeUnit(t, "one")
	return modulestest.Target{Host: freshHost(t)}
}

func writeUnit(t testing.TB, what string) {
	t.Helper()
	writeFile(t, labUnit, "[Unit]\nDescription="+what+"\n[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
	tool(t, "systemctl", "daemon-reload")
}

// TestServicesOnSystemd runs the conformance suite with systemctl(1).
func TestServicesOnSystemd(t *testing.T) {
	modulestest.Run(t, modulestest.ServiceSuite(true), onSystemd)
}

// TestSystemdReload: a unit whose file changed is read again once, and a plan that changes the file says so.
func TestSystemdReload(t *testing.T) {
	h := onSystemd(t).Host
	apply(t, h, benchCall("service", `{"name":"lab-svc","running":true}`))
	c := benchCall("service", `{"name":"lab-svc.service","daemon_reload":true,"restarted":true}`)
	text := host.Content{Inline: []byte("[Service]\nExecStart=/bin/sleep 2000\n"), Size: 37}
	model := memory.New(h)
	var planned, applied modules.Result
	// The model first: it looks at the host until it has been told otherwise.
	for _, to := range []struct {
		on host.Host
		r  *modules.Result
	}{{model, &planned}, {h, &applied}} {
		on := to.on
		if err := on.Files().Write(t.Context(), labUnit, text, host.FileAttrs{}); err != nil {
			t.Fatal(err)
		}
		if on == h {
			tool(t, "sleep", "1.1") // systemd compares times of files by the second
		}
		*to.r = apply(t, on, c)
	}
	if fmt.Sprint(planned.Diff) != fmt.Sprint(applied.Diff) || len(applied.Diff.Changes) != 2 {
		t.Errorf("plan:  %v\napply: %v", planned.Diff, applied.Diff)
	}
	if out := tool(t, "systemctl", "show", "-p", "ExecStart", "lab-svc"); !strings.Contains(out, "2000") {
		t.Error(out)
	}
}

// TestServiceActions: what is done each time is done each time, and starts what does not run.
func TestServiceActions(t *testing.T) {
	h := onScripts(t).Host
	for _, params := range []string{`{"name":"lab-svc","reloaded":true}`, `{"name":"lab-svc","reloaded":true}`, `{"name":"lab-svc","restarted":true}`, `{"name":"lab-svc","running":true,"restarted":true}`} {
		c := call("service", false, params)
		planned, applied := apply(t, memory.New(h), c), apply(t, h, c)
		if fmt.Sprint(planned.Diff) != fmt.Sprint(applied.Diff) || applied.Diff.Action != modules.Update {
			t.Errorf("plan: %v, apply: %v", planned.Diff, applied.Diff)
		}
	}
	b, _ := os.ReadFile("/srv/log")
	did := strings.Join(strings.Fields(strings.ReplaceAll(string(b), "status", "")), " ")
	if did != "start reload restart stop start restart stop start" {
		t.Error(did)
	}
}

// TestServicePlanned: a plan takes a service to come with packages that are to be installed before, or with its file; otherwise
// one that is not there is an error.
func TestServicePlanned(t *testing.T) {
	onApt(t)
	h := onScripts(t).Host
	none := benchCall("service", `{"name":"lab-none","running":true,"enabled":true}`)
	for name, on := range map[string]host.Host{"plan": memory.New(h), "play": h} {
		if _, err := mustModule(t, "service").Apply(t.Context(), on, none); !errors.Is(err, host.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	model := memory.New(h)
	apply(t, model, benchCall("package", `{"name":"lab-one","update_cache":true}`))
	if r := apply(t, model, none); len(r.Diff.Changes) != 2 || r.Diff.Action != modules.Update {
		t.Errorf("with a package before: %v", r.Diff)
	}
	if r := apply(t, model, none); r.Diff.Action != modules.None {
		t.Errorf("again: %v", r.Diff)
	}
	model = memory.New(h)
	apply(t, model, benchCall("copy", `{"dest":"/etc/init.d/lab-none","content":"#!/bin/sh\n","mode":"0755"}`))
	if r := apply(t, model, none); len(r.Diff.Changes) != 2 {
		t.Errorf("with its file before: %v", r.Diff)
	}
}
