package sandbox

import (
	"os"
	"testing"
	"time"
)

// needGuest fails where guests cannot be and that is demanded, and skips where it is not.
func needGuest(t testing.TB) {
	t.Helper()
	needRoot(t)
	if err := CheckGuest(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// mixed is two guests and a host that shares this computer's kernel on one wire, behind a jump host that does so too.
var mixed = Topology{Name: "mixed", Hosts: []Host{
	{Name: "jump"},
	{Name: "g1", User: "vagrant", Jump: []string{"jump"}, Kernel: KernelGuest, NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.1/24"}}}},
	{Name: "g2", Jump: []string{"jump"}, Kernel: KernelGuest, NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.2/24", "fd00:1::2/64"}, MTU: 9000}}},
	{Name: "ns", Jump: []string{"jump"}, NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{"10.1.0.3/24"}}}},
}}

func TestGuests(t *testing.T) {
	needGuest(t)
	t.Log(guestBase())
	start := time.Now()
	b := up(t, mixed)
	t.Log("up in", time.Since(start))
	for _, c := range [][3]string{
		{"g1", "uname -r; hostname; systemctl is-system-running", "6.1.176\ng1\nrunning"},
		{"g1", "ping -c4 -i0.3 -W1 10.1.0.2", ""},
		{"g1", "ping -c1 -W1 10.1.0.3 >/dev/null; echo $?", "0"},
		{"ns", "ping -c1 -W1 10.1.0.1 >/dev/null; echo $?", "0"},
		{"g1", "systemd-analyze; head -c 300 /proc/meminfo", ""},
	} {
		if out, _ := b.exec(c[0], c[1]); out != c[2] {
			t.Errorf("%s: %s:\n%s\nwant\n%s", c[0], c[1], out, c[2])
		}
	}
	out, err := b.ssh("g1", "id -un; sudo id -un; uname -r")
	t.Log(out, err)
	for range 2 {
	s2 := time.Now()
	b.up(mixed)
	t.Log("second up", time.Since(s2), b.state.Changed)
	}
	if os.Getenv("HOLD")!="" {time.Sleep(150*time.Second)}
}
