package memory_test

import (
	"context"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// A device on which IPv6 is disabled loses its IPv6 routes, those over a link-local gateway too, which hang on no address.
// IPv4 stays. (Seen on the kernel by the random walk of all network modules.)
func TestDisablingIPv6TakesItsRoutes(t *testing.T) {
	up, mtu := true, 1500
	h := memory.FromSnapshot(&host.Snapshot{Version: host.SnapshotVersion, NetNS: map[string]*host.NetState{"": {
		Links: []host.Link{{Name: "v0", Kind: "veth", Index: 2, Up: &up, MTU: &mtu}},
		Addrs: []host.Addr{{Link: "v0", CIDR: "10.0.0.1/24"}},
		Routes: []host.Route{
			{Family: 6, Dst: "fd0a::/16", Type: "unicast", Table: 254, Metric: 1024, Via: "fe80::1", Dev: "v0"},
			{Family: 4, Dst: "10.9.0.0/16", Type: "unicast", Table: 254, Via: "10.0.0.2", Dev: "v0"},
		},
		Sysctls: map[string]string{"net.ipv6.conf.v0.disable_ipv6": "0"},
	}}})
	ctx := context.Background()
	n, err := h.Net(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Sysctls().Set(ctx, "net.ipv6.conf.v0.disable_ipv6", "1"); err != nil {
		t.Fatal(err)
	}
	for family, want := range map[int]int{6: 0, 4: 1} {
		got, err := n.Routes().List(ctx, host.RouteFilter{Family: family})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != want {
			t.Errorf("IPv%d has %d routes, want %d: %v", family, len(got), want, got)
		}
	}
}
