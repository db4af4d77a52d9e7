package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/sandbox"
)

// What the kernels of guests have, and that of the computer that runs the tests may not. The keys are of no use elsewhere.
const (
	guestMakes = `set -e
ip link add d0 type dummy && ip link set d0 up
ip link add d1 type dummy && ip link add d2 type dummy
ip link add bond0 type bond mode active-backup miimon 100
ip link set d1 master bond0 && ip link set d2 master bond0 && ip link set bond0 up
ip link add link d0 name d0.10 type vlan id 10 && ip link set d0.10 up && ip addr add 10.10.0.1/24 dev d0.10
ip link add link d0 name qq type vlan proto 802.1ad id 20
ip link add br0 type bridge vlan_filtering 1 && ip link set br0 up
ip link add v0 type veth peer name v1 && ip link set v0 master br0 up
bridge vlan add dev v0 vid 10 pvid untagged && bridge vlan add dev v0 vid 20-22 && bridge vlan add dev br0 vid 20 self
ip link add vrf1 type vrf table 10 && ip link set vrf1 up && ip link set v1 master vrf1
ip link add gr type gretap remote 192.0.2.9 local 192.0.2.1 key 5
ip link add gnv type geneve id 9 remote 192.0.2.9
tc qdisc add dev d0 root netem delay 100ms 10ms loss 0.5%
tc qdisc add dev d0.10 root fq_codel
ovs-vsctl add-br ovs0 -- add-port ovs0 p1 tag=10 -- set interface p1 type=internal`
	guestUnmakes = `set -e
for l in d0.10 qq bond0 d0 d1 d2 v0 br0 vrf1 gr gnv wg0; do ip link del $l; done
ovs-vsctl del-br ovs0`
	guestTunnel = `play "wg" {
  hosts  = "g"
  become = true
  wireguard "wg0" {
    private_key = "KBqRyOZR0CIB7vHT5mEQf3q2HkO4cHPwU6yVUGpNZ3w="
    listen_port = 51820
    peer {
      public_key  = "t5K7KIvcKSxaKRXTXAWWMhnehgv2HBGUP6678TUdL1I="
      allowed_ips = ["10.77.0.0/24"]
      endpoint    = "192.0.2.5:51820"
    }
  }
}`
)

// TestImportOfAGuest imports what a machine with all of labctl's devices is: the plan is empty there, and where nothing of it is
// left a play makes the same. Its private key is not shown.
func TestImportOfAGuest(t *testing.T) {
	t.Parallel()
	if !canSandbox(t) {
		return
	}
	if err := sandbox.CheckGuest(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "inventory.hcl"), `host "g" { kernel = "guest" }`, 0o600)
	site := filepath.Join(dir, "site.hcl")
	labctl := func(words ...string) string {
		t.Helper()
		out, err := exec.Command("labctl", words...).CombinedOutput()
		if err != nil {
			t.Fatalf("labctl %s: %v\n%s", strings.Join(words, " "), err, out)
		}
		return string(out)
	}
	planned := func() {
		t.Helper()
		if said := labctl("plan", "--sandbox", dir); !strings.Contains(said, "No changes.") {
			t.Errorf("the plan is not empty:\n%s", said)
		}
	}
	bootGuests(t)
	bringUp(t, dir)
	eventually(t, 2*time.Minute, "a systemd that answers", func() string { // which takes its time while the guest boots
		out, err := sandboxExec(dir, "g", "systemctl", "list-unit-files", "--no-pager")
		if err != nil {
			return out + err.Error()
		}
		return ""
	})
	inSandbox(t, dir, "g", "sh", "-c", guestMakes)
	put(t, site, guestTunnel, 0o600)
	labctl("play", "--sandbox", dir)
	put(t, site, "", 0o600)
	found := labctl("import", "g", "--site", dir, "--sandbox")
	for _, want := range []string{`bond "bond0" { ports = ["d1", "d2"]  mode = "active-backup"  miimon = 100 }`, `vlan "d0.10" { id = 10  dev = "d0" }`,
		`vrf "vrf1" { table = 10 }`, `pvid = 10`, `listen_port = 51820`, `delay = "100ms"  jitter = "10ms"  loss = "0.5%"`, `geneve "gnv"`, `tag = "10"`,
		`#   the keys of wireguard "wg0"`} {
		if !strings.Contains(found, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if strings.Contains(found, "KBqRyOZR0CIB") {
		t.Error("it shows the private key")
	}
	if t.Failed() {
		t.Fatal(found)
	}
	put(t, site, found, 0o600)
	planned()
	inSandbox(t, dir, "g", "sh", "-c", guestUnmakes)
	labctl("play", "--sandbox", dir)
	planned()
	put(t, site, "", 0o600)
	if again := labctl("import", "g", "--site", dir, "--sandbox"); again != found {
		t.Errorf("played where nothing of it was left it makes\n%s\nand was\n%s", again, found)
	}
}
