package memory

import (
	"context"
	"fmt"
	"slices"

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

func (n neighs) Set(ctx context.Context, want host.Neigh) error {
	unlock, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if n.findLocked(want.Link) == nil {
		return noDevice("set neighbour", want.IP+" dev "+want.Link)
	}
	if want.State == "" {
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
		return &host.Error{Op: "delete neighbour", Object: want.IP + " dev " + want.Link, Kind: host.ErrNotExist, Err: fmt.Errorf("no such file or directory")}
	}
	n.neighs = slices.Delete(n.neighs, at, at+1)
	n.h.wrote()
	return nil
}

func (n neighs) FDB(ctx context.Context, link string) ([]host.FDBEntry, error) {
	unlock, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := []host.FDBEntry{}
	for _, e := range n.fdb {
		if link == "" || e.Link == link || e.Master == link {
			out = append(out, e)
		}
	}
	return out, nil
}

func (n neighs) AddFDB(ctx context.Context, e host.FDBEntry) error {
	unlock, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if n.findLocked(e.Link) == nil {
		return noDevice("add fdb", e.MAC+" dev "+e.Link)
	}
	if slices.Contains(n.fdb, e) {
		return &host.Error{Op: "add fdb", Object: e.MAC + " dev " + e.Link, Kind: host.ErrExist, Err: fmt.Errorf("file exists")}
	}
	n.fdb = append(n.fdb, e)
	n.h.wrote()
	return nil
}

func (n neighs) DeleteFDB(ctx context.Context, e host.FDBEntry) error {
	unlock, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	at := slices.IndexFunc(n.fdb, func(o host.FDBEntry) bool {
		return o.Link == e.Link && o.MAC == e.MAC && o.Dst == e.Dst && o.VLAN == e.VLAN && (o.Master == "") == (e.Master == "")
	})
	if at < 0 {
		return &host.Error{Op: "delete fdb", Object: e.MAC + " dev " + e.Link, Kind: host.ErrNotExist, Err: fmt.Errorf("no such file or directory")}
	}
	n.fdb = slices.Delete(n.fdb, at, at+1)
	n.h.wrote()
	return nil
}
