package linux

import (
	"testing"

	"labctl/modules/host"
	"labctl/modules/modulestest"
)

// TestNetfilterOnKernel runs the conformance suites of the iptables modules on both back ends and both families.
func TestNetfilterOnKernel(t *testing.T) {
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		for _, f := range []host.Family{host.IPv4, host.IPv6} {
			for _, s := range modulestest.Netfilter(f, backend) {
				t.Run(s.Title(), func(t *testing.T) {
					modulestest.Run(t, s, func(t testing.TB) modulestest.Target {
						h := netfilterHost(t)
						return modulestest.Target{Host: h, Writes: h.Writes}
					})
				})
			}
		}
	}
}
