package memory

import (
	"context"
	"slices"
	"strings"

	"labctl/modules/host"
)

func (n neighs) FDB(ctx context.Context, link string) ([]host.FDBEntry, error) {
	return n.fdbOf(ctx, func(e host.FDBEntry) bool { return link == "" || e.Link == link || e.Master == link })
}

func (n neighs) fdbOf(ctx context.Context, keep func(host.FDBEntry) bool) ([]host.FDBEntry, error) {
	unlock, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := []host.FDBEntry{}
	for _, e := range n.fdb {
		if keep(e) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (n neighs) GetFDB(ctx context.Context, e host.FDBEntry) ([]host.FDBEntry, error) {
	all, err := n.fdbOf(ctx, func(o host.FDBEntry) bool { return held(o, e) })
	if err == nil {
		_, err = links(n).Get(ctx, e.Link)
	}
	return all, err
}

// held reports whether o is an entry for the address of e in the same database. A bridge's own database is its master's.
func held(o, e host.FDBEntry) bool {
	return o.Link == e.Link && o.MAC == e.MAC && o.VLAN == e.VLAN && (o.Self || o.Link == o.Master) == e.Self
}

func (n neighs) SetFDB(ctx context.Context, es ...host.FDBEntry) error {
	return n.eachFDB(ctx, "set fdb", es, n.setFDBLocked)
}

func (n neighs) DeleteFDB(ctx context.Context, es ...host.FDBEntry) error {
	return n.eachFDB(ctx, "delete fdb", es, func(d *link, e host.FDBEntry) (error, string) {
		at := slices.IndexFunc(n.fdb, func(o host.FDBEntry) bool { return held(o, e) && (e.Dst == "" || sameRemote(o, plainFDB(d, e))) })
		if at < 0 {
			return errNoFile, ""
		}
		bridge := n.fdb[at].Master
		n.fdb = slices.Delete(n.fdb, at, at+1)
		if bridge != "" && e.VLAN == 0 { // and in every VLAN of the port
			n.fdb = slices.DeleteFunc(n.fdb, func(o host.FDBEntry) bool { return o.Master == bridge && o.Link == e.Link && o.MAC == e.MAC })
		}
		return nil, ""
	})
}

func (n neighs) eachFDB(ctx context.Context, op string, es []host.FDBEntry, do func(*link, host.FDBEntry) (cause error, ack string)) error {
	unlock, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, e := range es {
		d, cause, ack := n.findLocked(e.Link), error(errNoDevice), ""
		if d != nil {
			cause, ack = do(d, e)
		}
		if cause != nil {
			return refused(op, e.MAC+" dev "+e.Link, cause, ack)
		}
		n.h.wrote()
	}
	return nil
}

func sameRemote(a, b host.FDBEntry) bool {
	return a.Dst == b.Dst && a.Port == b.Port && a.VNI == b.VNI && a.Via == b.Via
}

// plainFDB writes an entry of a VXLAN as the kernel gives it back: without what is the device's own anyway.
func plainFDB(d *link, e host.FDBEntry) host.FDBEntry {
	if d.Kind == "vxlan" {
		if float64(e.Port) == own(d.Link, "dstport") {
			e.Port = 0
		}
		if float64(e.VNI) == own(d.Link, "vni") {
			e.VNI = 0
		}
	}
	return e
}

// setFDBLocked does what vxlan_fdb_add, br_fdb_add and ndo_dflt_fdb_add do.
func (n neighs) setFDBLocked(d *link, e host.FDBEntry) (error, string) {
	e = plainFDB(d, e)
	switch {
	case !e.Self && *orEmpty(d.Master) == "":
		return errUnsupported, ""
	case !e.Self, d.Kind == "bridge":
		return n.setInBridgeLocked(d, e)
	case d.Kind == "vxlan" && e.Dst == "":
		return errInvalid, ""
	case d.Kind == "vxlan" && strings.Contains(e.Dst, ":") != overIPv6(d.Data):
		return errFamily, ""
	case d.Kind != "vxlan" && e.State != "permanent":
		return errInvalid, ""
	}
	if e.Many() {
		there := false
		for i, o := range n.fdb {
			if held(o, e) {
				n.fdb[i].State = e.State
				there = there || sameRemote(o, e)
			}
		}
		if there {
			return nil, ""
		}
	} else {
		n.fdb = slices.DeleteFunc(n.fdb, func(o host.FDBEntry) bool { return held(o, e) })
	}
	n.fdb = append(n.fdb, e)
	return nil, ""
}

// setInBridgeLocked: a bridge knows an address in a VLAN once, whichever port it is behind. An entry without a VLAN is made in
// every VLAN of the port too; those are not kept here.
func (n neighs) setInBridgeLocked(d *link, e host.FDBEntry) (error, string) {
	bridge := d
	if !e.Self {
		bridge = n.findLocked(*d.Master)
	}
	switch {
	case e.Self && e.State != "permanent":
		return errInvalid, "FDB entry towards bridge must be permanent"
	case e.State == "dynamic" && !(*d.Up && *bridge.Up):
		return errNotAllowed, ""
	}
	if _, in := n.vlans[d.Name][e.VLAN]; e.VLAN != 0 && !in {
		return errInvalid, ""
	}
	n.fdb = slices.DeleteFunc(n.fdb, func(o host.FDBEntry) bool {
		return o.Master == bridge.Name && o.MAC == e.MAC && (o.VLAN == e.VLAN || e.VLAN == 0)
	})
	e.Master, e.Self, e.Dst, e.Port, e.VNI, e.Via = bridge.Name, false, "", 0, 0, ""
	n.fdb = append(n.fdb, e)
	return nil, ""
}

// remoteChangedLocked keeps the entry by which a VXLAN sends what it knows no better for (vxlan_changelink).
func (n *Net) remoteChangedLocked(d *link, was host.Attrs) {
	if d.Kind != "vxlan" {
		return
	}
	before, now := remoteOf(was), remoteOf(d.Data)
	if before == now {
		return
	}
	e := host.FDBEntry{Link: d.Name, MAC: host.ZeroMAC, Self: true, State: "permanent", Dst: now}
	if d.Parent != nil {
		e.Via = d.Parent.Name
	}
	if now != "" {
		_, _ = neighs{n}.setFDBLocked(d, e)
	}
	e.Dst = before
	n.fdb = slices.DeleteFunc(n.fdb, func(o host.FDBEntry) bool { return before != "" && held(o, e) && sameRemote(o, e) })
}

// remoteOf is the address of a VXLAN's other end or ends, "" if it has none.
func remoteOf(data host.Attrs) string {
	remote, _ := data["remote"].(string)
	group, _ := data["group"].(string)
	return remote + group
}

// quietFDBLocked forgets what was learned by a device that went down, as a VXLAN, a bridge or a port of one.
func (n *Net) quietFDBLocked(dev string) {
	n.fdb = slices.DeleteFunc(n.fdb, func(e host.FDBEntry) bool { return e.State == "dynamic" && (e.Link == dev || e.Master == dev) })
}
