package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSecondUpChangesNothing(t *testing.T) {
	b := up(t, office)
	pids, supervisor := b.pids(), b.state.Supervisor
	links := b.must("boxA", "ip -o link; ip -o addr; ip route")
	b.up(office)
	if len(b.state.Changed) > 0 {
		t.Errorf("second up: %q", b.state.Changed)
	}
	if !slices.Equal(pids, b.pids()) || supervisor != b.state.Supervisor {
		t.Errorf("second up: pids %v, were %v", b.pids(), pids)
	}
	if now := b.must("boxA", "ip -o link; ip -o addr; ip route"); now != links {
		t.Errorf("second up: %s\nwere\n%s", now, links)
	}
}

func TestUpRepairs(t *testing.T) {
	b := up(t, office)
	pids := b.pids()
	if err := (process{b.state.Hosts[1].InitPID, b.state.Hosts[1].InitStart}).kill(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.up(office)
	if now := b.pids(); now[0] != pids[0] || now[1] == pids[1] || now[2] != pids[2] {
		t.Errorf("up after the death of boxA: pids %v, were %v", now, pids)
	}
	b.must("boxA", "ping -c1 -W1 192.168.50.5")
	if out, err := b.ssh("boxA", "hostname"); out != "boxA" {
		t.Errorf("ssh boxA: %v: %s", err, out)
	}
	// A host that has cut itself off comes back with its state.
	b.must("boxB", "touch /etc/mine; ip addr flush dev mgmt0; ip link set mgmt0 down")
	b.must("jump-host", "ip route flush dev mgmt1")
	b.up(office)
	if out, err := b.ssh("boxB", "ls /etc/mine"); out != "/etc/mine" {
		t.Errorf("ssh boxB: %v: %s", err, out)
	}
	// The supervisor takes all with it, and up makes it anew, with the same keys and entries.
	entry, key := b.state.Hosts[0].Entry, b.state.Hosts[0].HostKey
	if err := b.state.Supervisor.kill(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, h := range b.state.Hosts {
		if err := (process{h.InitPID, h.InitStart}).wait(5 * time.Second); err != nil {
			t.Errorf("%s survives the supervisor: %v", h.Name, err)
		}
	}
	b.up(office)
	if h := b.state.Hosts[0]; h.Entry != entry || h.HostKey != key {
		t.Errorf("jump-host came back as %s %s, was %s %s", h.Entry, h.HostKey, entry, key)
	}
	if out, err := b.ssh("boxB", "hostname"); out != "boxB" {
		t.Errorf("ssh boxB: %v: %s", err, out)
	}
}

func TestTopologyChanges(t *testing.T) {
	b := up(t, office)
	pids := b.pids()
	next := Topology{Name: "office", Hosts: []Host{office.Hosts[0], office.Hosts[1], {Name: "boxC", User: "vagrant", Jump: []string{"jump-host"}}}}
	next.Hosts[1].NICs = []NIC{{Name: "enp0s9", Network: "other", Addresses: []string{"10.0.0.1/24"}}}
	b.up(next)
	if now := b.pids(); !slices.Equal(now[:2], pids[:2]) {
		t.Errorf("pids %v, were %v", now, pids)
	}
	if out := b.must("boxA", "ip -br link | awk -F'[@ ]' '{print $1}' | xargs"); out != "lo mgmt0 enp0s9" && out != "lo enp0s9 mgmt0" {
		t.Errorf("links of boxA: %s", out)
	}
	if out, code := b.exec("jump-host", "ip route | grep 192.168.178.4"); code == 0 {
		t.Errorf("jump-host still has a route to boxB: %s", out)
	}
	if out := b.must("jump-host", "getent hosts boxC"); !strings.HasPrefix(out, b.state.Hosts[2].IP.String()) {
		t.Errorf("boxC on jump-host: %s", out)
	}
	if out, err := b.ssh("boxC", "hostname"); out != "boxC" {
		t.Errorf("ssh boxC: %v: %s", err, out)
	}
}

func BenchmarkUp30(b *testing.B) {
	needRoot(b)
	topology := Topology{Name: "bench", Networks: []string{"lan"}, Hosts: []Host{{Name: "jump"}}}
	for i := range 29 {
		topology.Hosts = append(topology.Hosts, Host{Name: fmt.Sprintf("box%d", i), Jump: []string{"jump"},
			NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{fmt.Sprintf("10.9.0.%d/24", i+1)}}}})
	}
	for b.Loop() {
		dir := b.TempDir()
		if _, err := Up(context.Background(), dir, topology, Options{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := Down(context.Background(), dir, "bench"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
