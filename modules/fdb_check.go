package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[FDBCheck]{
		Name: "fdb_check",
		Doc:  "Checks what a bridge or a VXLAN device knows of a MAC address.",
		Example: `fdb_check "02:00:00:00:00:04" {
  master  = "myBridge"
  dev     = "enp0s8"
  learned = true
}
fdb_check "00:00:00:00:00:00" {
  dev = "vxlan0"
  dst = "239.255.0.1"
}
`,
		Validate: (*FDBCheck).validate, Probe: probeFDB,
	})
}

// FDBCheck is an entry of a forwarding database that is expected.
type FDBCheck struct {
	LLAddr  string  `json:"lladdr" lab:"key" doc:"MAC address; 00:00:00:00:00:00 is the entry of a VXLAN device for all others."`
	Dev     *string `json:"dev,omitempty" doc:"Device that the address is behind: a port of a bridge, or a VXLAN device."`
	Master  *string `json:"master,omitempty" doc:"Bridge that holds the entry, \"\" for one that the device itself holds."`
	Dst     *string `json:"dst,omitempty" doc:"Of a VXLAN device: the address of the remote end."`
	VNI     *int    `json:"vni,omitempty" doc:"Of a VXLAN device: the VNI, when it is not that of the device."`
	VLAN    *int    `json:"vlan,omitempty" doc:"VLAN of the entry."`
	Learned *bool   `json:"learned,omitempty" doc:"true: learned from traffic, and ageing. false: local or configured."`
	Presence
}

func (c *FDBCheck) validate() error {
	return firstFault(c.Presence.validate(), validLLAddr("lladdr", &c.LLAddr), validIP("dst", c.Dst))
}

func probeFDB(ctx context.Context, h host.Host, want *FDBCheck) (*FDBCheck, error) {
	near, err := want.find(ctx, "fdb entry "+want.LLAddr, want, func() (found []any, why string, err error) {
		n, err := want.net(ctx, h)
		if err != nil {
			return nil, "", err
		}
		all, err := n.Neighs().FDB(ctx, "")
		for _, e := range all {
			if e.MAC == want.LLAddr {
				found = append(found, &FDBCheck{LLAddr: e.MAC, Dev: &e.Link, Master: &e.Master, Dst: &e.Dst, VNI: &e.VNI, VLAN: &e.VLAN,
					Learned: ptr(e.State == "dynamic"), Presence: want.Presence})
			}
		}
		return found, why, err
	})
	return near.(*FDBCheck), err
}
