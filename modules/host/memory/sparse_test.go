package memory_test

import (
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// A snapshot that was written by hand may say of a device no more than that it is there.
func TestSparseSnapshot(t *testing.T) {
	h := memory.FromSnapshot(&host.Snapshot{Version: host.SnapshotVersion, NetNS: map[string]*host.NetState{"": {
		Links: []host.Link{{Name: "br0", Kind: "bridge"}, {Name: "v0", Kind: "veth"}, {Name: "vrf0", Kind: "vrf"}},
	}}})
	ctx := t.Context()
	n, err := h.Net(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	up, mtu, vrf := true, 1400, "vrf0"
	for _, l := range []host.Link{{Name: "v0", Up: &up}, {Name: "v0", MTU: &mtu}, {Name: "br0", Up: &up}, {Name: "v0", Master: &vrf}} {
		if err := n.Links().Set(ctx, l); err != nil {
			t.Error(err)
		}
	}
	if err := n.Addrs().Add(ctx, host.Addr{Link: "v0", CIDR: "10.0.0.1/24"}); err != nil {
		t.Error(err)
	}
}
