package sandbox

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func TestLoginThroughJumpHost(t *testing.T) {
	b := up(t, office)
	for _, h := range office.Hosts {
		out, err := b.ssh(h.Name, "hostname; whoami; sudo -n id -u; sudo -n sh -c 'echo $HOME'")
		if want := h.Name + "\nvagrant\n0\n/root"; err != nil || out != want {
			t.Errorf("ssh %s: %v\n%s\nwant\n%s", h.Name, err, out, want)
		}
	}
	if out, _ := b.ssh("boxA", "echo $SSH_CONNECTION"); !regexp.MustCompile(`^34\.89\.221\.226 \d+ 192\.168\.178\.3 22$`).MatchString(out) {
		t.Errorf("boxA sees connection %q", out)
	}
	if out, _ := b.ssh("jump-host", "echo $SSH_CONNECTION"); !regexp.MustCompile(`^198\.18\.0\.1 \d+ 34\.89\.221\.226 22$`).MatchString(out) {
		t.Errorf("jump-host sees connection %q", out)
	}
	for _, h := range b.state.Hosts {
		if (h.Entry == "") != (len(h.Jump) > 0) {
			t.Errorf("%s: entry %q", h.Name, h.Entry)
		}
	}
	// Neither from this computer nor from outside, where the relay is, is there a way round the jump host.
	if err := exec.Command("ping", "-c1", "-W1", "192.168.178.3").Run(); err == nil {
		t.Error("boxA answers this computer directly")
	}
	if out, code := b.exec("boxA", "ping -c1 -W1 198.18.0.1"); code == 0 {
		t.Errorf("boxA reaches the outside: %s", out)
	}
	if out, code := b.exec("boxA", "ping -c1 -W1 192.168.178.4"); code == 0 {
		t.Errorf("boxA reaches its sibling over the management wire: %s", out)
	}
	if out := b.must("jump-host", "sysctl -n net.ipv4.ip_forward"); out != "0" {
		t.Errorf("jump-host forwards: %s", out)
	}
}

func TestWire(t *testing.T) {
	b := up(t, office)
	if out := b.must("boxA", "ip -6 address show tentative"); out != "" { // at once: no duplicate address detection
		t.Errorf("tentative addresses:\n%s", out)
	}
	b.must("boxA", "ping -c1 -W1 192.168.50.5")
	b.must("boxA", "ping -c1 -W1 fd00:50::5")
	b.must("boxA", "ping -c1 -W1 boxB")
	if out := b.must("boxB", "cat /sys/class/net/enp0s8/address /sys/class/net/enp0s8/mtu"); out != "02:00:00:00:00:0b\n9000" {
		t.Errorf("enp0s8 of boxB: %s", out)
	}
	// Multicast: all hosts of the link answer, the other one among them.
	b.must("boxB", "sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0")
	if out, _ := b.exec("boxA", "ping -c2 -W1 -I enp0s8 224.0.0.1"); !strings.Contains(out, "from 192.168.50.5") {
		t.Errorf("no answer to multicast: %s", out)
	}
	if out, code := b.exec("jump-host", "ping -c1 -W1 192.168.50.4"); code == 0 {
		t.Errorf("jump-host reaches a network that it is not on: %s", out)
	}
}

func TestJumpChain(t *testing.T) {
	b := up(t, Topology{Name: "chain", Hosts: []Host{
		{Name: "j1", Address: "127.0.0.1", Port: 2200},
		{Name: "j2", Address: "inner.example", Jump: []string{"j1"}},
		{Name: "t", Address: "10.0.0.9", Jump: []string{"j1", "j2"}},
		{Name: "short", Address: "10.0.0.9", Port: 24, Jump: []string{"j3"}}, // the address of t, in another world
		{Name: "j3", Jump: []string{"j1"}, NICs: []NIC{{Name: "lan", Network: "lan", Addresses: []string{"10.1.0.1/24"}}}},
		{Name: "six", Address: "fd00::6", Jump: []string{"j3"}},
		{Name: "lan", Address: "10.1.0.2", Jump: []string{"j3"}, NICs: []NIC{{Name: "lan", Network: "lan", Addresses: []string{"10.1.0.2/24"}}}},
		{Name: "ten6", Address: "2001:db8::1"},
	}})
	for _, h := range b.state.Hosts {
		if out, err := b.ssh(h.Name, "hostname"); out != h.Name {
			t.Errorf("ssh %s: %v: %s", h.Name, err, out)
		}
	}
	if out := b.must("lan", "ip -br link | awk -F'[@ ]' '{print $1}' | xargs"); out != "lo lan" {
		t.Errorf("a host reached over a declared network has links %s", out)
	}
	if out, code := b.exec("j1", "ping -c1 -W1 10.0.0.9"); code == 0 {
		t.Errorf("j1 reaches what is behind j2: %s", out)
	}
}

// TestSameAddress has two hosts behind one public address, told apart by the port as behind a NAT.
func TestSameAddress(t *testing.T) {
	b := up(t, Topology{Name: "nat", Hosts: []Host{{Name: "a", Address: "203.0.113.1", Port: 2201}, {Name: "b", Address: "203.0.113.1", Port: 2202},
		{Name: "c", Address: "203.0.113.1", Port: 2203}}})
	for _, host := range []string{"a", "b", "c"} {
		if out, err := b.ssh(host, "hostname"); out != host {
			t.Errorf("ssh %s: %v: %s", host, err, out)
		}
	}
}
