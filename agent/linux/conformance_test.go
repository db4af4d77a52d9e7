package linux

import (
	"errors"
	"os"
	"strings"
	"testing"

	"labctl/modules/host"
	"labctl/modules/modulestest"
)

// TestNetworkOnKernel runs the conformance suites of the network modules on the kernel, each on fresh namespaces.
func TestNetworkOnKernel(t *testing.T) {
	for _, s := range modulestest.Network() {
		t.Run(s.Title(), func(t *testing.T) {
			for _, kind := range s.Needs {
				needKind(t, kind)
			}
			modulestest.Run(t, s, onKernel)
		})
	}
}

// needKind skips the test where the kernel does not know a kind of device.
func needKind(t *testing.T, kind string) {
	t.Helper()
	h := freshHost(t)
	if qdisc, ok := strings.CutPrefix(kind, "qdisc "); ok {
		needQdisc(t, h, qdisc)
		return
	}
	switch kind {
	case "nftables":
		needTool(t, kind, mustNet(t, h, "").NFTables().Replace(ctxOf(t), "inet need", "table inet need {\n}\n"))
		return
	case "ipset":
		needTool(t, kind, mustNet(t, h, "").IPSets().Set(ctxOf(t), host.IPSet{Name: "need", Type: "hash:ip"}, nil))
		return
	}
	want := host.Link{Name: "need0", Kind: kind}
	switch kind {
	case "vxlan":
		want.Data = host.Attrs{"vni": 1.0}
	case "vlan_filtering":
		want.Kind, want.Data = "bridge", host.Attrs{kind: true}
	case "vrf":
		want.Data = host.Attrs{"table": 1.0}
	case "gre", "gretap", "ipip", "sit": // without a remote: gre0, tunl0, sit0
		want.Data = host.Attrs{"remote": "192.0.2.1"}
	case "ip6gre", "ip6gretap":
		want.Data = host.Attrs{"remote": "fd00::1"}
	case "geneve":
		want.Data = host.Attrs{"vni": 1.0, "remote": "192.0.2.1"}
	case "macvlan", "vlan", "ipvlan":
		if kind == "vlan" {
			want.Data = host.Attrs{"id": 1.0}
		}
		if err := mustNet(t, h, "").Links().Create(ctxOf(t), host.Link{Name: "below0", Kind: "veth"}); err != nil {
			t.Fatal(err)
		}
		want.Parent = &host.LinkRef{Name: "below0"}
	}
	err := mustNet(t, h, "").Links().Create(ctxOf(t), want)
	if err == nil {
		return
	}
	if os.Getenv("LABCTL_TEST_KERNEL") == "1" && !excused(kind) || !errors.Is(err, host.ErrUnsupported) && !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("kernel without %s: %v", kind, err)
	}
	t.Skipf("kernel without %s: %v", kind, err)
}

// modular are kinds that many kernels have as modules only, or not at all. Their suites are run in a guest of the sandbox, too
// (TestAgentInGuest of package sandbox), where LABCTL_TEST_ALL_KINDS excuses nothing.
var modular = map[string]bool{"vlan": true, "gre": true, "gretap": true, "ip6gre": true, "geneve": true, "ipip": true, "sit": true,
	"ipvlan": true, "vrf": true, "bond": true, "team": true, "dummy": true, "ifb": true, "wireguard": true, "vlan_filtering": true, "ip6gretap": true, "qdisc netem": true, "qdisc fq_codel": true,
	"systemd": true}

func excused(kind string) bool { return modular[kind] && os.Getenv("LABCTL_TEST_ALL_KINDS") == "" }

// needQdisc skips the test where the kernel does not know a queueing discipline.
func needQdisc(t *testing.T, h *Host, kind string) {
	t.Helper()
	parent := "root"
	if kind == "clsact" {
		parent = "ingress"
	}
	err := mustNet(t, h, "").Qdiscs().Set(ctxOf(t), host.Qdisc{Link: "lo", Parent: parent, Kind: kind})
	if err == nil {
		return
	}
	if os.Getenv("LABCTL_TEST_KERNEL") == "1" && !excused("qdisc "+kind) || !errors.Is(err, host.ErrNotExist) && !errors.Is(err, host.ErrUnsupported) {
		t.Fatalf("kernel without qdisc %s: %v", kind, err)
	}
	t.Skipf("kernel without qdisc %s: %v", kind, err)
}

// onKernel is a host of fresh namespaces that counts what it writes.
func onKernel(t testing.TB) modulestest.Target {
	h := freshHost(t)
	return modulestest.Target{Host: h, Writes: h.Writes}
}

// TestWorldOnKernel walks over all network modules at once.
func TestWorldOnKernel(t *testing.T) { modulestest.World(t, 150, onKernel) }

// needTool skips the test where a tool is not installed, or the kernel has not what it is for.
func needTool(t *testing.T, name string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("LABCTL_TEST_KERNEL") == "1" || !errors.Is(err, host.ErrUnsupported):
		t.Fatalf("host without %s: %v", name, err)
	default:
		t.Skipf("host without %s: %v", name, err)
	}
}
