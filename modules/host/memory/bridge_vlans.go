package memory

import (
	"context"
	"maps"

	"labctl/modules/host"
)

func (l links) VLANs(ctx context.Context, dev string) (map[string][]host.BridgeVLAN, error) {
	unlock, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := map[string][]host.BridgeVLAN{}
	for name, set := range l.vlans {
		if list := set.Ranges(); len(list) > 0 && (dev == "" || name == dev) {
			out[name] = list
		}
	}
	return out, nil
}

func (l links) SetVLANs(ctx context.Context, dev string, set, remove []host.BridgeVLAN) error {
	unlock, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	d := l.findLocked(dev)
	switch {
	case d == nil:
		return noDevice("get link", dev)
	case d.Kind != "bridge" && l.bridgeOfLocked(d) == nil:
		return refused("set vlans", dev, errUnsupported, "")
	}
	have := l.vlans[dev]
	if have == nil {
		have = host.VLANSet{}
		l.vlans[dev] = have
	}
	for vid, v := range host.VLANs(set) {
		have.Put(vid, v)
	}
	for vid := range host.VLANs(remove) {
		delete(have, vid)
	}
	l.h.wrote()
	return nil
}

// bridgeOfLocked is the bridge that d is a port of, nil if there is none.
func (n *Net) bridgeOfLocked(d *link) *link {
	if m := n.findLocked(*orEmpty(d.Master)); m != nil && m.Kind == "bridge" {
		return m
	}
	return nil
}

// joinVLANLocked puts a new bridge, or a new port of it, into the VLAN that bridge says.
func (n *Net) joinVLANLocked(dev string, bridge *link) {
	if pvid := defaultPVID(bridge.Link); pvid != 0 {
		n.vlans[dev] = host.VLANSet{pvid: {PVID: true, Untagged: true}}
	}
}

func defaultPVID(l host.Link) int {
	f, _ := own(l, "vlan_default_pvid").(float64)
	return int(f)
}

// pvidChangedLocked moves a bridge and its ports to another default VLAN, those that were in the old one as it was given to
// them (__br_vlan_set_default_pvid, net/bridge/br_vlan.c).
func (n *Net) pvidChangedLocked(bridge *link, was host.Attrs) {
	old, now := defaultPVID(host.Link{Kind: bridge.Kind, Data: was}), defaultPVID(bridge.Link)
	if old == now {
		return
	}
	for _, d := range append(n.portsLocked(bridge.Name), bridge) {
		set := maps.Clone(n.vlans[d.Name])
		if set == nil {
			set = host.VLANSet{}
		}
		v, there := set[old]
		given := there && v.PVID && v.Untagged
		if _, taken := set[now]; old != 0 && !given || now != 0 && taken {
			continue
		}
		delete(set, old)
		if now != 0 {
			set.Put(now, host.BridgeVLAN{PVID: true, Untagged: true})
		}
		n.vlans[d.Name] = set
	}
}
