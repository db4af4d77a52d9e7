package modulestest

import (
	"testing"

	"labctl/modules/host"
)

func TestNetfilterOnMemory(t *testing.T) {
	for _, f := range []host.Family{host.IPv4, host.IPv6} {
		for _, s := range Netfilter(f, host.BackendNFT) {
			t.Run(s.Title(), func(t *testing.T) { Run(t, s, OnMemory) })
		}
	}
}
