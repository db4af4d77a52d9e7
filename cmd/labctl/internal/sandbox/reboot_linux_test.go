package sandbox

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// TestReboot reboots one host of each kind, and sees that Down leaves nothing of either.
func TestReboot(t *testing.T) {
	needGuest(t)
	topology := Topology{Name: fmt.Sprintf("%s-%d", t.Name(), os.Getpid()), Hosts: []Host{
		{Name: "g", Kernel: KernelGuest, NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.1/24"}}}},
		{Name: "ns", NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.2/24"}}}},
	}}
	before := world(t, topology.Name)
	b := up(t, topology)
	for _, h := range []string{"g", "ns"} {
		b.must(h, "echo kept >/var/tmp/kept; ip address add 10.99.0.1/24 dev eth1")
	}
	mine := func() []int { return append(b.pids(), b.state.Supervisor.PID) }
	pids := mine()
	start := time.Now()
	if err := Reboot(context.Background(), b.dir, topology.Name, []string{"g", "ns"}, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("rebooted in %.1f s", time.Since(start).Seconds())
	b.says("g", "cat /var/tmp/kept; ip -br address show dev eth1 | grep -c 10.99; ping -c1 -W2 10.1.0.2 >/dev/null; echo $?", "kept\n0\n0")
	b.says("ns", "ls /var/tmp; ip -br address show dev eth1 | grep -c 10.99; ping -c1 -W2 10.1.0.1 >/dev/null; echo $?", "0\n0")
	for _, h := range []string{"g", "ns"} {
		if out, err := b.ssh(h, "hostname"); out != h {
			t.Errorf("ssh %s: %v: %s", h, err, out)
		}
	}
	if b.up(topology); len(b.state.Changed) > 0 {
		t.Errorf("up after a reboot: %q", b.state.Changed)
	}
	if err := Reboot(context.Background(), b.dir, topology.Name, []string{"nobody"}, nil); err == nil {
		t.Error("a host that is not there was rebooted")
	}
	pids = append(pids, mine()...)
	if err := Down(context.Background(), b.dir, topology.Name); err != nil {
		t.Fatal(err)
	}
	nothingNew(t, topology.Name, before)
	for _, pid := range pids {
		if named(pid).alive() {
			t.Errorf("process %d lives", pid)
		}
	}
}
