package linux

import (
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/modulestest"

	"golang.org/x/sys/unix"
)

func TestRefusalsOnMachine(t *testing.T) {
	for _, r := range modulestest.MachineRefusals() {
		t.Run(r.Call.Module, func(t *testing.T) { r.Try(t, machine(t)) })
	}
}

// What nothing is there to make is absent.
func TestAbsentWhereThereIsNone(t *testing.T) {
	h := freshMachine(t)
	h.engine.sockets = nil
	if err := unix.Mount("none", "/var/spool", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []modules.Call{modulestest.Absent("container", `{"name":"web1"}`), modulestest.Absent("cron", `{"name":"a","job":"/bin/a"}`)} {
		if r, err := modules.Default[c.Module].Apply(t.Context(), h, c); err != nil || r.Diff.Action != modules.None {
			t.Errorf("%s: %v %v", c.Module, r.Diff.Action, err)
		}
	}
}

// TestHostnameInContainer: where /proc/sys cannot be written, as in containers, the name is set all the same.
func TestHostnameInContainer(t *testing.T) {
	h := freshMachine(t)
	for _, flags := range []uintptr{unix.MS_BIND, unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY} {
		if err := unix.Mount("/proc/sys", "/proc/sys", "", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	c := modulestest.State("hostname", `{"name":"boxa"}`)
	if _, err := modules.Default["hostname"].Apply(t.Context(), h, c); err != nil {
		t.Fatal(err)
	}
	if now, err := mustNet(t, h, "").Sysctls().Get(t.Context(), "kernel.hostname"); now != "boxa" || err != nil {
		t.Errorf("%q %v", now, err)
	}
}

// A process that runs without listening on its port is not as it should be, however often it is looked at.
func TestProcessThatNeverListens(t *testing.T) {
	h := freshMachine(t)
	m, c := modules.Default["process"], modulestest.State("process", `{"name":"p","argv":["sleep","60"],"port":4444,"wait":"100ms"}`)
	for range 2 {
		if _, err := m.Apply(t.Context(), h, c); err == nil || !strings.Contains(err.Error(), "does not listen on port 4444") {
			t.Errorf("%v", err)
		}
	}
	c.Absent = true
	if r, err := m.Apply(t.Context(), h, c); err != nil || r.Diff.Action != modules.Delete {
		t.Errorf("%v %v", r.Diff.Action, err)
	}
}
