package modules

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

func init() {
	Register(Spec[NeighCheck]{
		Name: "neigh_check",
		Doc:  "Checks what the ARP or NDP table holds for an address.",
		Example: `neigh_check "192.168.50.4" {
  dev    = "enp0s8"
  lladdr = "02:00:00:00:00:04"
}
`,
		Validate: (*NeighCheck).validate, Probe: probeNeigh,
	})
}

// NeighCheck is an entry that is expected. One for which ARP was not answered is none.
type NeighCheck struct {
	IP     string  `json:"ip" lab:"key" doc:"IPv4 or IPv6 address of the neighbour."`
	Dev    *string `json:"dev,omitempty" doc:"Device that it is reached by."`
	LLAddr *string `json:"lladdr,omitempty" doc:"Its MAC address."`
	State  *string `json:"state,omitempty" enum:"permanent,reachable,stale,delay,probe,incomplete,failed,noarp" doc:"State of the entry; any with a MAC address if unset."`
	Presence
}

func (c *NeighCheck) validate() error {
	return firstFault(c.Presence.validate(), validIP("ip", &c.IP), validLLAddr("lladdr", c.LLAddr))
}

func probeNeigh(ctx context.Context, h host.Host, want *NeighCheck) (*NeighCheck, error) {
	near, err := want.find(ctx, "neighbour "+want.IP, want, func() (found []any, why string, err error) {
		n, err := want.net(ctx, h)
		if err != nil {
			return nil, "", err
		}
		all, err := n.Neighs().List(ctx, "")
		for _, e := range all {
			switch {
			case e.IP != want.IP || e.Proxy:
			case e.MAC == "" && want.State == nil:
				why = fmt.Sprintf("there is no MAC address: ARP or NDP on %s was not answered (state %s)", e.Link, e.State)
			default:
				found = append(found, &NeighCheck{IP: e.IP, Dev: &e.Link, LLAddr: &e.MAC, State: &e.State, Presence: want.Presence})
			}
		}
		return found, why, err
	})
	return near.(*NeighCheck), err
}
