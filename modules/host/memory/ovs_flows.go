package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"labctl/modules/host"
)

// flowTable holds the flows of a bridge in the words of one version of OpenFlow.
type flowTable struct {
	version string
	flows   host.OVSFlows
	touched map[host.OVSFlowKey]bool
}

// freshFlows is what a bridge has that was just made, or flushed.
func freshFlows(bridge host.OVSRow) *flowTable {
	f := &flowTable{flows: host.OVSFlows{}, touched: map[host.OVSFlowKey]bool{}}
	if !host.OVSControlled(bridge) && !host.OVSSecure(bridge) {
		f.flows[host.OVSDefaultFlow.OVSFlowKey] = host.OVSDefaultFlow
	}
	return f
}

func (o ovsOf) Flows(ctx context.Context, bridge, version string) (host.OVSFlows, error) {
	unlock, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	t, err := o.flowsLocked(ctx, bridge, version)
	if err != nil {
		return nil, err
	}
	return t.flows, nil
}

// flowsLocked returns the flows in the words of version, which may be others than those they were read or made in.
func (o ovsOf) flowsLocked(ctx context.Context, bridge, version string) (*flowTable, error) {
	row, _ := o.ovs.state.Row(host.OVSKey{Table: "Bridge", Name: bridge})
	if row == nil {
		return nil, &host.Error{Op: "read flows of", Object: bridge, Kind: host.ErrNotExist, Err: host.ErrNotExist}
	}
	t := o.ovs.flows[bridge]
	switch {
	case t != nil && (t.version == version || t.version == ""):
		t.version = version
	case t != nil && len(t.touched) > 0:
		return t, o.translateLocked(ctx, t, bridge, version)
	case o.base != nil:
		flows, err := o.base.OVS().Flows(ctx, bridge, version)
		if err != nil {
			return nil, err
		}
		t = &flowTable{version, maps.Clone(flows), map[host.OVSFlowKey]bool{}}
	default:
		t = &flowTable{version, host.OVSFlows{}, map[host.OVSFlowKey]bool{}}
		for _, line := range o.ovs.state.Flows[bridge] {
			f, err := host.ParseOVSFlow(line)
			if err != nil {
				return nil, err
			}
			t.flows[f.OVSFlowKey] = f
		}
	}
	o.setFlows(bridge, t)
	return t, nil
}

func (o ovsOf) setFlows(bridge string, t *flowTable) {
	if o.ovs.flows == nil {
		o.ovs.flows = map[string]*flowTable{}
	}
	o.ovs.flows[bridge] = t
}

// translateLocked puts flows that tasks made into the words of another version. Those that this has no words for stay as
// they are, though a bridge has others for some of them.
func (o ovsOf) translateLocked(ctx context.Context, t *flowTable, bridge, version string) error {
	flows, touched := host.OVSFlows{}, map[host.OVSFlowKey]bool{}
	for _, was := range t.flows.Sorted() {
		now := was
		if made, err := o.CanonicalFlows(ctx, bridge, version, []string{was.String()}); err == nil {
			now = made[0]
		} else if ctx.Err() != nil {
			return err
		}
		flows[now.OVSFlowKey] = now
		touched[now.OVSFlowKey] = t.touched[was.OVSFlowKey]
	}
	for k := range t.touched {
		if _, there := t.flows[k]; !there {
			touched[k] = true // removed
		}
	}
	maps.DeleteFunc(touched, func(_ host.OVSFlowKey, yes bool) bool { return !yes })
	t.version, t.flows, t.touched = version, flows, touched
	return nil
}

// CanonicalFlows asks the base. Where that has no Open vSwitch yet, or there is none, flows are taken as they are written.
func (o ovsOf) CanonicalFlows(ctx context.Context, bridge, version string, lines []string) ([]host.OVSFlow, error) {
	if o.base != nil {
		out, err := o.base.OVS().CanonicalFlows(ctx, bridge, version, lines)
		if !errors.Is(err, host.ErrUnsupported) {
			return out, err
		}
	}
	out := make([]host.OVSFlow, len(lines))
	for i, line := range lines {
		var err error
		if out[i], err = host.ParseOVSFlow(line); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o ovsOf) ChangeFlows(ctx context.Context, bridge, version string, put []host.OVSFlow, remove []host.OVSFlowKey) error {
	unlock, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	t, err := o.flowsLocked(ctx, bridge, version)
	if err != nil {
		return err
	}
	for _, k := range remove {
		delete(t.flows, k)
		t.touched[k] = true
	}
	for _, f := range put {
		t.flows[f.OVSFlowKey] = f
		t.touched[f.OVSFlowKey] = true
	}
	o.wrote()
	return nil
}

// FlowCounts refuses: no packet comes to a bridge in memory.
func (ovsOf) FlowCounts(_ context.Context, bridge, _, _ string) (map[host.OVSFlowKey]host.OVSCount, error) {
	return nil, &host.Error{Op: "count packets of", Object: bridge, Kind: host.ErrUnsupported}
}

// flushLocked follows what ovs-vswitchd does to flows when a bridge changes: it drops them all when the bridge is set up,
// gets its first controller or loses its last one, or changes its fail_mode without a controller (bridge_configure_remotes,
// vswitchd/bridge.c; connmgr_set_fail_mode, ofproto/connmgr.c).
func (o ovsOf) flushLocked(before map[string]host.OVSRow, changes []host.OVSChange) {
	bridges := o.ovs.state.Tables["Bridge"]
	maps.DeleteFunc(o.ovs.flows, func(name string, _ *flowTable) bool { return bridges[name] == nil })
	for _, c := range changes {
		if c.Table != "Bridge" || bridges[c.Name] == nil {
			continue
		}
		was, now := before[c.Name], bridges[c.Name]
		switch {
		case was == nil || datapath(was) != datapath(now) || host.OVSControlled(was) != host.OVSControlled(now),
			!host.OVSControlled(now) && host.OVSSecure(was) != host.OVSSecure(now):
			o.setFlows(c.Name, freshFlows(now))
		}
	}
}

// Ports makes up a number for each new interface, the highest first, that no other one has.
func (o ovsOf) Ports(ctx context.Context, bridge string) (map[string]int, error) {
	unlock, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	ports := o.ovs.state.Ports(bridge)
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		if ports[name] != 0 {
			continue
		}
		if o.ovs.made[name] == 0 {
			if o.ovs.made == nil {
				o.ovs.made = map[string]int{}
			}
			o.ovs.made[name] = 0xfeff - len(o.ovs.made)
		}
		if ports[name] = o.ovs.made[name]; name == bridge {
			ports[name] = 0xfffe // LOCAL
		}
		if asked := o.ovs.state.Tables["Interface"][name]["ofport_request"]; len(asked) > 0 {
			ports[name], _ = strconv.Atoi(asked[0])
		}
	}
	return ports, nil
}

// commitFlows makes the changes of flows to the base, one transaction for each bridge.
func (h *Host) commitFlows(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, bridge := range slices.Sorted(maps.Keys(h.ovs.flows)) {
		t := h.ovs.flows[bridge]
		if len(t.touched) == 0 {
			continue
		}
		var put []host.OVSFlow
		var remove []host.OVSFlowKey
		touched := slices.Collect(maps.Keys(t.touched))
		host.Sort(touched, host.OVSFlowKey.Compare)
		for _, k := range touched {
			if f, there := t.flows[k]; there {
				put = append(put, f)
			} else {
				remove = append(remove, k)
			}
		}
		if err := h.base.OVS().ChangeFlows(ctx, bridge, t.version, put, remove); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	return nil
}

// ovsState records the database, and the flows of all bridges. While ovs-vswitchd is down nobody answers for them, and there
// are none.
func ovsState(ctx context.Context, o host.OVS) (*host.OVSState, error) {
	state, err := o.State(ctx)
	if err != nil {
		return nil, err
	}
	state = state.Clone()
	state.Flows = map[string][]string{}
	for _, bridge := range state.Keys("Bridge") {
		flows, err := o.Flows(ctx, bridge, host.OVSVersion(state.Tables["Bridge"][bridge]["protocols"]))
		if ctx.Err() != nil {
			return nil, err
		}
		for _, f := range flows.Sorted() {
			state.Flows[bridge] = append(state.Flows[bridge], f.String())
		}
	}
	return state, nil
}
