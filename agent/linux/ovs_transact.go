package linux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"labctl/agent/linux/internal/ovsdb"
	"labctl/modules/host"
)

// Transact compares what the database is with what it is to be, sends the difference, waits until ovs-vswitchd has taken it
// over, and takes it back where an interface does not work: ovs-vsctl(8) would end with status 0.
func (o openvswitch) Transact(ctx context.Context, changes []host.OVSChange) error {
	o.h.vs.mu.Lock()
	defer o.h.vs.mu.Unlock()
	c, err := o.dial(ctx, starting)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := o.replug(ctx, c, changes); err != nil {
		return err
	}
	before, touched, err := o.write(ctx, c, changes)
	if err != nil || len(touched) == 0 {
		return failed("change the database of Open vSwitch", "", err)
	}
	now, err := o.readLocked(ctx, c)
	if err == nil {
		if err = now.broken(touched, before); err == nil {
			return nil
		}
	}
	return errors.Join(err, o.undo(context.WithoutCancel(ctx), c, before, touched, true))
}

// replug takes the ports out for a moment whose interfaces are to be changed and have a device that the datapath has not opened: it
// opens those of new ports only.
func (o openvswitch) replug(ctx context.Context, c *ovsdb.Conn, changes []host.OVSChange) error {
	d, err := o.readLocked(ctx, c)
	if err != nil {
		return err
	}
	var pull []host.OVSChange
	for _, change := range changes {
		if change.Table != "Interface" || change.New {
			continue
		}
		if device := o.device(ctx, change.Name); device != nil && d.Fault(change.Name, device) != "" {
			_, port := d.Row(change.OVSKey)
			_, bridge := d.Row(host.OVSKey{Table: "Port", Name: port})
			pull = append(pull, host.OVSChange{OVSKey: host.OVSKey{Table: "Bridge", Name: bridge}, Remove: host.OVSRow{"ports": {port}}})
		}
	}
	if len(pull) == 0 {
		return nil
	}
	before, touched, err := o.write(ctx, c, pull)
	if err != nil {
		return err
	}
	now, err := o.readLocked(ctx, c)
	if err != nil {
		return err
	}
	return o.commit(context.WithoutCancel(ctx), c, append(now.operations(before.OVSState, touched), before.numbers(touched)...))
}

// numbers has interfaces get the OpenFlow port numbers that they had (bridge.c, iface_pick_ofport).
func (d *ovsDatabase) numbers(touched []host.OVSKey) (ops []ovsdb.Op) {
	for _, key := range touched {
		row, _ := d.Row(key)
		if n, err := strconv.Atoi(strings.Join(row["ofport"], "")); err == nil && key.Table == "Interface" {
			ops = append(ops, ovsdb.Op{"op": "update", "table": key.Table, "where": []any{[]any{"name", "==", key.Name}}, "row": map[string]any{"ofport": n}})
		}
	}
	return ops
}

// write makes the changes, again where somebody else was faster.
func (o openvswitch) write(ctx context.Context, c *ovsdb.Conn, changes []host.OVSChange) (before *ovsDatabase, touched []host.OVSKey, err error) {
	for try := 0; ; try++ {
		if before, err = o.readLocked(ctx, c); err != nil {
			return nil, nil, err
		}
		want := before.Clone()
		if touched, err = want.Apply(changes); err != nil {
			return nil, nil, err
		}
		err = o.commit(ctx, c, before.operations(want, touched))
		var refused *ovsdb.Error
		switch {
		case errors.As(err, &refused) && refused.Code == ovsdb.TimedOut && try < 3:
		case errors.Is(err, errNotTaken):
			return before, touched, errors.Join(err, o.undo(context.WithoutCancel(ctx), c, before, touched, false))
		default:
			return before, touched, err
		}
	}
}

var errNotTaken = errors.New("ovs-vswitchd has not taken it over: start the service openvswitch-switch (openvswitch on other distributions than Debian's)")

// commit sends operations and waits, as ovs-vsctl(8) does: next_cfg asks, cur_cfg answers.
func (o openvswitch) commit(ctx context.Context, c *ovsdb.Conn, ops []ovsdb.Op) error {
	next, err := o.send(ctx, c, ops)
	if err != nil {
		return err
	}
	_, err = c.Transact(ctx, ovsDB, ovsdb.Op{"op": "wait", "table": ovsDB, "where": []any{[]any{"cur_cfg", "<", next}},
		"columns": []any{"cur_cfg"}, "until": "==", "rows": []any{}, "timeout": cmp.Or(o.h.vs.taking, taking).Milliseconds()})
	o.h.netfilterChanged()
	var refused *ovsdb.Error
	if errors.As(err, &refused) && refused.Code == ovsdb.TimedOut {
		return errNotTaken
	}
	o.h.vs.silent.Store(err != nil)
	return err
}

func (o openvswitch) send(ctx context.Context, c *ovsdb.Conn, ops []ovsdb.Op) (next int, err error) {
	o.h.writes.Add(1)
	ops = append(ops, ovsdb.Op{"op": "mutate", "table": ovsDB, "where": []any{}, "mutations": []any{[]any{"next_cfg", "+=", 1}}},
		ovsdb.Op{"op": "select", "table": ovsDB, "where": []any{}, "columns": []any{"next_cfg"}})
	results, err := c.Transact(ctx, ovsDB, ops...)
	if err != nil {
		return 0, err
	}
	rows := results[len(ops)-1].Rows
	if len(rows) != 1 {
		return 0, fmt.Errorf("the database is empty: start the service openvswitch-switch, which prepares it")
	}
	n, _ := rows[0]["next_cfg"].(float64)
	return int(n), nil
}

// undo puts what was touched back. It waits for ovs-vswitchd only where that has taken over what is undone.
func (o openvswitch) undo(ctx context.Context, c *ovsdb.Conn, before *ovsDatabase, touched []host.OVSKey, taken bool) error {
	now, err := o.readLocked(ctx, c)
	if err != nil {
		return err
	}
	ops := now.operations(before.OVSState, touched)
	if len(ops) == 0 {
		return nil
	}
	if taken {
		err = o.commit(ctx, c, ops)
	} else {
		_, err = o.send(ctx, c, ops)
	}
	if errors.Is(err, errNotTaken) {
		return nil
	}
	return err
}

// broken says which interface of those that are new, or other than before, does not work.
func (d *ovsDatabase) broken(touched []host.OVSKey, before *ovsDatabase) error {
	var errs []error
	for _, name := range d.interfaces(touched, before) {
		row, _ := d.Row(host.OVSKey{Table: "Interface", Name: name})
		if slices.Equal(row["type"], []string{"patch"}) {
			continue // of two ends one comes first, and does not work until the other is there
		}
		reason := ""
		if row["error"] != nil {
			reason = row["error"][0]
		}
		if port := row["ofport"]; row != nil && (reason != "" || port == nil || port[0] == "-1") {
			errs = append(errs, host.OVSBroken(name, reason))
		}
	}
	return errors.Join(errs...)
}

// interfaces lists those that a change may have broken: their own, those of a port that is new or has others now, and those of
// a bridge of another datapath.
func (d *ovsDatabase) interfaces(touched []host.OVSKey, before *ovsDatabase) []string {
	names := map[string]bool{}
	port := func(name string) {
		for _, i := range d.Tables["Port"][name]["interfaces"] {
			names[i] = true
		}
	}
	for _, key := range touched {
		row, holder := d.Row(key)
		was, held := before.Row(key)
		switch {
		case key.Table == "Interface":
			names[key.Name] = true
		case key.Table == "Port" && (was == nil || holder != held || !slices.Equal(row["interfaces"], was["interfaces"])):
			port(key.Name)
		case key.Table == "Bridge" && (was == nil || !slices.Equal(row["datapath_type"], was["datapath_type"])):
			for _, p := range row["ports"] {
				port(p)
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
