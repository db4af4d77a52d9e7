package linux

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"
)

// TestKernelModules runs the conformance suite with modprobe(8) on a kernel that has modules.
func TestKernelModules(t *testing.T) {
	h := freshMachine(t)
	m, err := h.KernelModules().Get(t.Context(), "dummy")
	if err != nil {
		t.Fatal(err)
	}
	if !m.Loaded && !m.Available {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" && !excused("dummy") {
			t.Fatal("kernel without the module dummy")
		}
		t.Skip("kernel without the module dummy")
	}
	if m.Loaded && os.Getenv("LABCTL_TEST_ALL_KINDS") == "" {
		t.Skip("the module dummy is in use here: the suite runs in a guest of the sandbox")
	}
	modulestest.Run(t, modulestest.KernelModuleSuite(), machine)
}

// TestKernelModuleThatIsNone: a name that the kernel does not have is an error in a plan and in a play; what is built in is loaded.
func TestKernelModuleThatIsNone(t *testing.T) {
	h := freshMachine(t)
	for name, on := range map[string]host.Host{"plan": memory.New(h), "play": h} {
		if _, err := tryApply(t, on, benchCall("kernel_module", `{"name":"lab-none"}`)); !errors.Is(err, host.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if r := apply(t, on, call("kernel_module", true, `{"name":"lab-none"}`)); r.Diff.Action != "none" {
			t.Errorf("%s absent: %v", name, r.Diff)
		}
	}
	m := host.KernelModule{Name: "a_b"}
	readShown(&m, "insmod /lib/modules/6/c-d.ko.xz \ninsmod /lib/modules/6/a-b.ko x=1\n")
	if fmt.Sprint(m) != "{a_b false false true [c_d]}" {
		t.Error(m)
	}
	readShown(&m, "builtin a_b\n")
	if !m.Builtin || m.Available {
		t.Error(m)
	}
}
