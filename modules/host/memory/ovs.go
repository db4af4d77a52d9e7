package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"labctl/modules/host"
)

// ovs is Open vSwitch in memory, loaded when first looked at.
type ovs struct {
	state   *host.OVSState // nil: not loaded
	missing error          // why the base has none; it is then taken for one with nothing in it
	log     []host.OVSChange
	flows   map[string]*flowTable // by bridge, of those looked at or changed
	made    map[string]int        // OpenFlow port numbers made up for new interfaces
}

type ovsOf struct{ *Host }

// OVS returns the Open vSwitch of the host.
func (h *Host) OVS() host.OVS { return ovsOf{h} }

// OVSMissing tells why the host that this one was loaded from has no Open vSwitch; nil when it has.
func (h *Host) OVSMissing() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ovs.missing
}

func (o ovsOf) loadLocked(ctx context.Context) error {
	if o.ovs.state != nil {
		return nil
	}
	state := &host.OVSState{}
	switch {
	case o.base != nil:
		s, err := o.base.OVS().State(ctx)
		switch {
		case errors.Is(err, host.ErrUnsupported):
			o.ovs.missing = err
		case err != nil:
			return err
		default:
			state = s
		}
	case o.seed != nil && o.seed.OVS != nil:
		state = o.seed.OVS
	}
	o.ovs.state = state.Clone()
	return nil
}

func (o ovsOf) open(ctx context.Context) (unlock func(), err error) {
	o.mu.Lock()
	if err := o.loadLocked(ctx); err != nil {
		o.mu.Unlock()
		return nil, err
	}
	return o.mu.Unlock, nil
}

func (o ovsOf) Row(ctx context.Context, table, name string) (host.OVSRow, string, error) {
	unlock, err := o.open(ctx)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	row, holder := o.ovs.state.Row(host.OVSKey{Table: table, Name: name})
	if table == "Interface" && row != nil {
		row, err = o.statusLocked(ctx, name, row)
	}
	return row, holder, err
}

// statusLocked is an interface as ovs-vswitchd sees it by now: it looks for devices again when any come or go.
func (o ovsOf) statusLocked(ctx context.Context, name string, row host.OVSRow) (host.OVSRow, error) {
	if t := row["type"]; len(t) > 0 && t[0] != "system" {
		return row, nil
	}
	n, err := o.netLocked(ctx, "")
	if err != nil {
		return nil, err
	}
	if err := n.loadLocked(ctx); err != nil {
		return nil, err
	}
	var device *host.Link
	if l := n.findLocked(name); l != nil {
		device = &l.Link
	}
	gone, fault := host.NoOVSDevice(name), o.ovs.state.Fault(name, device)
	if device == nil {
		fault = gone
	}
	change := host.OVSChange{OVSKey: host.OVSKey{Table: "Interface"}, Set: host.OVSRow{"error": nil}}
	switch {
	case fault != "":
		change.Set["error"] = []string{fault}
	case !slices.Equal(row["error"], []string{gone}):
		return row, nil
	}
	return change.Row(row), nil
}

func (o ovsOf) State(ctx context.Context) (*host.OVSState, error) {
	unlock, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if o.ovs.missing != nil && len(o.ovs.log) == 0 {
		return nil, o.ovs.missing
	}
	return o.ovs.state.Clone(), nil
}

// Transact makes changes as ovs-vswitchd would take them over: devices come and go with internal interfaces.
func (o ovsOf) Transact(ctx context.Context, changes []host.OVSChange) error {
	unlock, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	n, err := o.netLocked(ctx, "")
	if err != nil {
		return err
	}
	if err := n.loadLocked(ctx); err != nil {
		return err
	}
	if err := o.checkLocked(n, changes); err != nil {
		return err
	}
	d := ovsDevices{o: o.ovs.state, n: n, before: map[string]string{}, ports: map[string]string{}, rates: map[string]string{}, qos: map[string]string{}, bridges: map[string]bool{}, lost: map[string]bool{}}
	d.lookAt(changes)
	bridges := maps.Clone(o.ovs.state.Tables["Bridge"])
	if _, err := o.ovs.state.Apply(changes); err != nil {
		return err
	}
	if err := d.followLocked(ctx); err != nil {
		return err
	}
	o.flushLocked(bridges, changes)
	o.ovs.log = append(o.ovs.log, changes...)
	o.wrote()
	return nil
}

// checkLocked refuses interfaces that ovs-vswitchd could not set up: they have no device, or one would have to be made of a
// name that is taken.
func (o ovsOf) checkLocked(n *Net, changes []host.OVSChange) error {
	for _, c := range changes {
		if c.Table != "Interface" {
			continue
		}
		before, _ := o.ovs.state.Row(c.OVSKey)
		kind := ""
		if t := c.Row(before)["type"]; len(t) > 0 {
			kind = t[0]
		}
		link := n.findLocked(c.Name)
		types := o.ovs.state.Tables["Open_vSwitch"][""]["iface_types"]
		remote := slices.ContainsFunc(c.Row(before)["options"], func(pair string) bool { return strings.HasPrefix(pair, "remote_ip=") })
		switch {
		case kind != "" && types != nil && !slices.Contains(types, kind):
			return host.OVSBroken(c.Name, fmt.Sprintf("could not open network device %s (Address family not supported by protocol)", c.Name))
		case slices.Contains([]string{"vxlan", "gre", "geneve"}, kind) && !remote: // set_tunnel_config, lib/netdev-vport.c
			return host.OVSBroken(c.Name, fmt.Sprintf("%s: %s type requires valid 'remote_ip' argument", c.Name, kind))
		case (kind == "" || kind == "system") && link == nil:
			return host.OVSBroken(c.Name, host.NoOVSDevice(c.Name))
		case kind == "internal" && link != nil && device(o.ovs.state, c.Name) == "":
			return host.OVSBroken(c.Name, fmt.Sprintf("could not open network device %s (File exists)", c.Name))
		}
	}
	return nil
}

// Commit makes the changes of this host to its base: those of iptables, of Open vSwitch's database, or of its
// flows. No batch has two of them.
func (h *Host) Commit(ctx context.Context) error {
	if err := h.CommitNetfilter(ctx); err != nil {
		return err
	}
	if err := h.CommitOVS(ctx); err != nil {
		return err
	}
	return h.commitFlows(ctx)
}

// CommitOVS makes the changes of this host to its base, all in one transaction.
func (h *Host) CommitOVS(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case len(h.ovs.log) == 0:
		return nil
	case h.ovs.missing != nil: // it may hold what was not seen
		return h.ovs.missing
	}
	return h.base.OVS().Transact(ctx, h.ovs.log)
}
