package linux

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"labctl/modules"
)

// TestRebootCommand has a command in place of the one that restarts the machine.
func TestRebootCommand(t *testing.T) {
	h, file := freshHost(t), t.TempDir()+"/called"
	m, err := modules.Default.Lookup("reboot")
	if err != nil {
		t.Fatal(err)
	}
	run := func(command string) error {
		params, _ := json.Marshal(map[string]string{"name": "it", "command": command})
		_, err := m.Apply(ctxOf(t), h, modules.Call{Module: "reboot", Params: params})
		return err
	}
	if err := run("touch " + file); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := run("echo it must not >&2; exit 3"); err == nil || !strings.HasPrefix(err.Error(), "restart the machine: exit status 3: it must not") {
		t.Error(err)
	}
}
