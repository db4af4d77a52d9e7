package memory

import (
	"context"
	"slices"
	"strings"

	"labctl/modules/host"
)

// Neighs returns the neighbours and forwarding databases of the namespace. Nothing is learned here.
func (n *Net) Neighs() host.Neighs { return neighs{n} }

type neighs struct{ *Net }

func (n neighs) List(ctx context.Context, link string) ([]host.Neigh, error) {
	unlock, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := []host.Neigh{}
	for _, e := range n.neighs {
		if link == "" || e.Link == link {
			out = append(out, e)
		}
	}
	return out, nil
}

func sameNeigh(a, b host.Neigh) bool { return a.Link == b.Link && a.IP == b.IP && a.Proxy == b.Proxy }

func (n neighs) Get(ctx context.Context, want host.Neigh) (host.Neigh, error) {
	const op = "get neighbour"
	unlock, err := n.open(ctx)
	if err != nil {
		return host.Neigh{}, err
	}
	defer unlock()
	if n.findLocked(want.Link) == nil {
		return host.Neigh{}, noDevice(op, object(want))
	}
	if at := slices.IndexFunc(n.neighs, func(e host.Neigh) bool { return sameNeigh(e, want) }); at >= 0 {
		return n.neighs[at], nil
	}
	return host.Neigh{}, refused(op, object(want), errNoFile, "")
}

func object(n host.Neigh) string { return n.IP + " dev " + n.Link }

func (n neighs) Set(ctx context.Context, want host.Neigh) error {
	unlock, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	d := n.findLocked(want.Link)
	switch {
	case d == nil:
		return noDevice("set neighbour", object(want))
	case !want.Proxy && strings.Contains(want.IP, ":") && (narrow(d) || n.deviceSysctlLocked("net.ipv6.conf", d.Name, "disable_ipv6") == "1"): // ndisc_allow_add
		return invalid("set neighbour", object(want), "IPv6 is disabled on this device")
	}
	switch {
	case want.Proxy:
		want.MAC, want.State = "", ""
	case want.State == "":
		want.State = "permanent"
	}
	n.neighs = slices.DeleteFunc(n.neighs, func(e host.Neigh) bool { return sameNeigh(e, want) })
	n.neighs = append(n.neighs, want)
	n.h.wrote()
	return nil
}

func (n neighs) Delete(ctx context.Context, want host.Neigh) error {
	unlock, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	at := slices.IndexFunc(n.neighs, func(e host.Neigh) bool { return sameNeigh(e, want) })
	if at < 0 {
		return refused("delete neighbour", object(want), errNoFile, "")
	}
	n.neighs = slices.Delete(n.neighs, at, at+1)
	n.h.wrote()
	return nil
}

// dropNeighsLocked forgets the neighbours of a device in one family, 0 for both. Entries that are answered for (proxy) stay
// when only the address of the device changed (neigh_changeaddr, net/core/neighbour.c).
func (n *Net) dropNeighsLocked(dev string, family int, proxies bool) {
	n.neighs = slices.DeleteFunc(n.neighs, func(e host.Neigh) bool {
		return e.Link == dev && (!e.Proxy || proxies) && (family == 0 || (family == 6) == strings.Contains(e.IP, ":"))
	})
}
