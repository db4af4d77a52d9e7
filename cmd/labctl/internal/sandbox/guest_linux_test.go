package sandbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"labctl/modules/modulestest"
)

// needGuest fails where guests cannot be and that is demanded, and skips where it is not. What they boot from is set up, if need be.
func needGuest(t testing.TB) (base string) {
	t.Helper()
	needRoot(t)
	if err := CheckGuest(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	base, err := SetupGuest(t.Context(), func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// mixed is two guests and a host that shares this computer's kernel on one wire, behind a jump host that does so too.
var mixed = Topology{Name: "mixed", Hosts: []Host{
	{Name: "jump"},
	{Name: "g1", User: "vagrant", Jump: []string{"jump"}, Kernel: KernelGuest, NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.1/24"}}}},
	{Name: "g2", Jump: []string{"jump"}, Kernel: KernelGuest, NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.2/24", "fd00:1::2/64"}, MTU: 9000}}},
	{Name: "ns", Jump: []string{"jump"}, NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.3/24"}}}},
}}

// TestGuests boots guests once and tries on them all that makes them machines among others.
func TestGuests(t *testing.T) {
	base := needGuest(t)
	b := up(t, mixed)
	t.Run("machine", func(t *testing.T) {
		b := b.in(t)
		b.says("g1", "uname -r; hostname; cat /proc/1/comm; systemctl is-system-running", guestRelease(base)+"\ng1\nsystemd\nrunning")
		b.says("ns", "hostname; ping -c1 -W2 10.1.0.1 >/dev/null; echo $?", "ns\n0")
		b.says("g1", "ping -c1 -W2 10.1.0.3 >/dev/null; echo $?", "0")
		b.says("g2", "cat /sys/class/net/eth1/mtu; ip -br -6 address show dev eth1 | grep -o fd00:1::2/64", "9000\nfd00:1::2/64")
	})
	t.Run("kernel", func(t *testing.T) {
		b := b.in(t)
		for _, kind := range []string{"dummy", "bond", "vrf table 9", "ipip remote 10.1.0.2", "gretap remote 10.1.0.2", "sit remote 10.1.0.2",
			"geneve id 7 remote 10.1.0.2", "vlan id 5"} {
			on := ""
			if strings.HasPrefix(kind, "vlan") {
				on = "link eth1 "
			}
			b.must("g1", "ip link add "+on+"name t0 type "+kind+" && ip link delete t0")
		}
		b.must("g1", "tc qdisc add dev eth1 root netem delay 1ms && tc qdisc delete dev eth1 root")
		b.must("g1", "iptables-nft -A OUTPUT -p tcp --dport 9 -j ACCEPT && iptables-legacy -A OUTPUT -p tcp --dport 9 -j ACCEPT && nft add table inet t && nft delete table inet t")
		b.must("g1", "ovs-vsctl add-br ovs0 && ip -d link show ovs0 | grep -q openvswitch && ovs-vsctl del-br ovs0")
	})
	t.Run("wire", func(t *testing.T) {
		b := b.in(t)
		for i, g := range []string{"g1", "g2"} {
			b.must(g, "ip link add link eth1 name eth1.7 type vlan id 7 && ip address add 10.7.0."+[]string{"1", "2"}[i]+"/24 dev eth1.7 && ip link set eth1.7 up")
		}
		b.must("g1", "ping -c1 -W2 10.7.0.2")
		// A frame for a group, from a guest to the other two kinds of neighbour.
		listen := "timeout 10 tcpdump -c1 -ni eth1 udp port 7777 >/tmp/seen 2>/dev/null & sleep 1.5; wait; wc -l </tmp/seen"
		seen := make(chan string, 2)
		for _, h := range []string{"g2", "ns"} {
			go func() {
				out, _ := b.exec(h, listen)
				seen <- h + " " + out
			}()
		}
		b.must("g1", "ip route add 239.9.9.9 dev eth1; for i in 1 2 3 4 5 6 7 8; do echo x | nc -u -w0 239.9.9.9 7777; sleep 0.5; done")
		for range 2 {
			if s := <-seen; !strings.HasSuffix(s, " 1") {
				t.Errorf("multicast: %s", s)
			}
		}
	})
	t.Run("reboot", func(t *testing.T) { b.in(t).reboots("g1") })
	t.Run("repair", func(t *testing.T) { b.in(t).repairs("g2") })
}

// in is b for a part of the test.
func (b *bed) in(t *testing.T) *bed {
	c := *b
	c.TB = t
	return &c
}

// says runs a line and compares what it prints.
func (b *bed) says(host, line, want string) {
	b.Helper()
	if out, _ := b.exec(host, line); out != want {
		b.Errorf("%s: %s:\n%s\nwant\n%s", host, line, out, want)
	}
}

// reboots goes through the jump host, as a play would; the disk stays, and what the kernel held does not.
func (b *bed) reboots(host string) {
	b.must(host, "echo kept >/var/tmp/kept; echo lost >/run/lost; ip address add 10.99.0.1/24 dev eth1")
	before := b.must(host, "cat /proc/sys/kernel/random/boot_id")
	if _, err := b.ssh(host, "sudo", "systemctl", "reboot"); err != nil {
		b.Logf("reboot: %v (the connection may end first)", err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(300 * time.Millisecond) {
		out, err := b.ssh(host, "cat", "/proc/sys/kernel/random/boot_id")
		if err == nil && out != before {
			break
		}
		if time.Now().After(end) {
			b.Fatalf("%s does not come back: %s %v", host, out, err)
		}
	}
	b.says(host, "cat /var/tmp/kept; ls /run/lost 2>&1 | grep -c 'No such'; ip -br address show dev eth1 | grep -c 10.99; ip -br address show dev eth1 | grep -c 10.1.0.1", "kept\n1\n0\n1")
	b.says("ns", "ping -c1 -W2 10.1.0.1 >/dev/null; echo $?", "0")
}

// repairs kills a guest from outside, and brings it up again by up.
func (b *bed) repairs(host string) {
	b.must(host, "echo kept >/var/tmp/kept; sync")
	h, err := b.state.Host(host)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Kill(h.InitPID, syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); (process{h.InitPID, h.InitStart}).alive() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	b.up(mixed)
	b.says(host, "cat /var/tmp/kept; ping -c1 -W2 10.1.0.1 >/dev/null; echo $?", "kept\n0")
}

// TestAgentInGuest runs the conformance suites of the agent whose kinds of device this computer's kernel lacks on one that has them,
// with nothing excused: a kind that neither kernel knows is a failure here.
func TestAgentInGuest(t *testing.T) {
	needGuest(t)
	run := suitesForGuest()
	if run == "" {
		return // this kernel has every kind, and the agent's own tests run on it
	}
	b := up(t, Topology{Name: "agent", Hosts: []Host{{Name: "g", Kernel: KernelGuest}}})
	b.copyAgentTests("g")
	out, code := b.exec("g", "cd /root && export LABCTL_TEST_KERNEL=1 LABCTL_TEST_ALL_KINDS=1; { ./agent.test -test.v -test.run '^TestKernelModules$' && timeout 400 ./agent.test -test.v -test.run '"+run+"'; } >out 2>&1; code=$?; grep -vE '^ *(=== |--- PASS: .*/.*/)' out; exit $code")
	t.Log(out)
	if code != 0 {
		t.Errorf("the agent's suites end with %d in the guest", code)
	}
	if n := strings.Count(out, "--- PASS: TestNetworkOnKernel/"); n == 0 {
		t.Errorf("no suite ran for %s", run)
	}
}

// suitesForGuest is what go test -run takes for the suites that this computer's kernel cannot run; queueing disciplines are not
// asked for but taken to be missing.
func suitesForGuest() string {
	var names []string
	for _, s := range modulestest.Network() {
		if slices.ContainsFunc(s.Needs, func(kind string) bool {
			if strings.HasPrefix(kind, "qdisc ") {
				return true
			}
			return !slices.Contains(inNamespaces, kind) && !hasLinkKind(kind)
		}) {
			names = append(names, regexp.QuoteMeta(strings.ReplaceAll(s.Title(), " ", "_")))
		}
	}
	if names == nil {
		return ""
	}
	return "^(TestNetworkOnKernel|TestServicesOnSystemd|TestSystemdReload|TestRefusalsOnKernel|TestPlanKnowsTheKinds|TestBandwidthOfNetem)$/^(" + strings.Join(names, "|") + "|walk|refusal_.*)$"
}

// inNamespaces are needs that are no kinds of link.
var inNamespaces = []string{"ipset", "nftables", "tun"}

// copyAgentTests builds the tests of the agent and puts them into a host.
func (b *bed) copyAgentTests(host string) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "agent.test")
	build := exec.Command("go", "test", "-c", "-o", file, "labctl/agent/linux")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build the agent's tests: %v\n%s", err, out)
	}
	program, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer program.Close()
	code, err := Exec(context.Background(), b.dir, b.state.Name, host, ExecOptions{Argv: []string{"sh", "-c", "cat >/root/agent.test && chmod +x /root/agent.test"}, Stdin: program})
	if err != nil || code != 0 {
		b.Fatalf("copy the agent's tests: exit %d, %v", code, err)
	}
}
