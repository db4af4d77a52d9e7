package runner

import (
	"os"
	"path/filepath"
	"testing"

	"labctl/inventory"
	"labctl/transport/sshconfig"
)

// A host that was found in an ssh_config has its settings from there, by the name that it has there, whatever else is read; what the
// inventory and the command line say goes before.
func TestTargetOfItsOwnConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own := write("own", "Host box\n  HostName 10.0.0.1\n  User own\n  Port 2200\n  ProxyJump gate\nHost gate\n  HostName 203.0.113.7\n")
	config, err := sshconfig.Load(write("user", "Host *\n  User other\n  ConnectTimeout 7\n"))
	if err != nil {
		t.Fatal(err)
	}
	config.CommandLine = []string{"HostKeyAlias=given"}
	targets := Targets(&inventory.Inventory{}, config)
	h := &inventory.Host{Name: "other-name", Address: "10.0.0.2", SSH: inventory.SSH{ConfigFile: own, ConfigHost: "box", Port: 2201}}
	got, err := targets(h)
	if err != nil {
		t.Fatal(err)
	}
	if got.Address != "10.0.0.2" || got.User != "own" || got.Port != 2201 || got.ConnectTimeout != 0 || got.HostKeyAlias != "given" || got.Via == nil || got.Via.Address != "203.0.113.7" {
		t.Errorf("%+v", got)
	}
	h.Address = "10.0.0.1"
	if got, err = targets(h); err != nil || got.Address != "10.0.0.1" {
		t.Errorf("%+v %v", got, err)
	}
	h.ConfigFile = filepath.Join(dir, "none")
	if _, err = targets(h); err == nil {
		t.Error("no fault")
	}
}

// A hop that ssh_config knows becomes one that may be a relay by a host block of its name, with all else as it is there.
func TestHostOfSSHConfigAsARelay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("Host gate\n  HostName 203.0.113.7\n  User carol\n  Port 2200\n  ProxyJump outer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := sshconfig.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	gate := &inventory.Host{Name: "gate", Address: "gate", SSH: inventory.SSH{Relay: true}}
	got, err := Targets(&inventory.Inventory{}, config)(gate)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Relay || got.Address != "203.0.113.7" || got.Port != 2200 || got.User != "carol" || got.Via == nil || got.Via.Name != "outer" || got.Via.Relay {
		t.Errorf("%+v", got)
	}
}
