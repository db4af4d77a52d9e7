package linux

import (
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// TestSourceOfARouteMustBeReady: an IPv6 address of a device that is down cannot be a source yet; model and kernel agree.
func TestSourceOfARouteMustBeReady(t *testing.T) {
	for _, nodad := range []bool{false, true} {
		h := freshHost(t)
		ctx := ctxOf(t)
		for _, on := range []struct {
			name string
			host host.Host
		}{{"model", memory.New(h)}, {"kernel", h}} { // the model first: it is loaded when first asked
			n, err := on.host.Net(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Links().Create(ctx, host.Link{Name: "v0", Kind: "veth"}); err != nil {
				t.Fatal(err)
			}
			if err := n.Addrs().Add(ctx, host.Addr{Link: "v0", CIDR: "fd00::1/64", NoDAD: nodad}); err != nil {
				t.Fatal(err)
			}
			err = n.Routes().Add(ctx, host.Route{Family: 6, Dst: "fd09::/64", Type: "throw", Src: "fd00::1"})
			if (err == nil) != nodad {
				t.Errorf("%s, nodad = %t: %v", on.name, nodad, err)
			}
		}
	}
}
