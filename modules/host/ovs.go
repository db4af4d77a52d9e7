package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// OVSRow is one row of Open vSwitch's database (ovs-vswitchd.conf.db(5)) by column: the members of a set, sorted; the pairs
// of a map as "key=value"; other rows by their names. What a row has when nothing is asked of it ("", false, 0, an empty set)
// is left out. Rows are replaced, never changed.
type OVSRow map[string][]string

// OVSKey names a row. Open_vSwitch has one, called ""; a mirror is BRIDGE/NAME, since its name is one of its bridge only.
type OVSKey struct{ Table, Name string }

// OVSChange is a change of one row. A row that is not there yet is made; one that no other holds any more goes.
type OVSChange struct {
	OVSKey
	New    bool   // it must not be there yet: ErrExist
	Set    OVSRow // columns that get a new value
	Add    OVSRow // what comes into sets and maps
	Remove OVSRow // what leaves sets; of maps the keys
}

// OVS is Open vSwitch: its database, and the flows of its bridges. Where none runs, methods return ErrUnsupported.
type OVS interface {
	// Row returns a row and the name of the one that holds it; nil when there is none. It waits a moment for a database that
	// is just being started.
	Row(ctx context.Context, table, name string) (row OVSRow, holder string, err error)
	// State returns all of the database that labctl knows. It is shared: Clone it before changing anything.
	State(ctx context.Context) (*OVSState, error)
	// Transact makes changes in one transaction, waits until they are taken over, and makes sure that each interface works: where
	// one does not, all is as before, and the error says why.
	Transact(ctx context.Context, changes []OVSChange) error

	// Flows returns the flows of a bridge by a version of OpenFlow that it speaks ("OpenFlow14").
	Flows(ctx context.Context, bridge, version string) (OVSFlows, error)
	// CanonicalFlows puts flows that are written as for ovs-ofctl add-flow into the words of Flows, which is asked next.
	CanonicalFlows(ctx context.Context, bridge, version string, lines []string) ([]OVSFlow, error)
	// ChangeFlows puts flows in, or in the place of those with their keys, and removes others, at once where the version can.
	ChangeFlows(ctx context.Context, bridge, version string, put []OVSFlow, remove []OVSFlowKey) error
	// FlowCounts returns what the flows count that match a filter as ovs-ofctl dump-flows takes it, "" for all. The map is the
	// caller's own.
	FlowCounts(ctx context.Context, bridge, version, filter string) (map[OVSFlowKey]OVSCount, error)
	// Ports returns the numbers that OpenFlow knows the interfaces of a bridge by. A plan makes up those of new ones.
	Ports(ctx context.Context, bridge string) (map[string]int, error)
}

// OVSState is the database as data, by table and name.
type OVSState struct {
	Tables map[string]map[string]OVSRow `json:"tables"`
	Flows  map[string][]string          `json:"flows,omitempty"` // by bridge, of a snapshot only

	holders map[OVSKey]string
}

// OVSColumn tells of what kind a column is.
type OVSColumn struct {
	Atom   string // string, integer, boolean, uuid
	One    bool   // exactly one value, with a default of zero
	Map    bool
	Ref    string // table that it refers to
	Holds  bool   // what it refers to lives as long as that
	Own    bool   // what it refers to is known by its target, and belongs to the row
	Status bool   // set by ovs-vswitchd
	Rows   bool   // a row of the column's own, and rows that this one refers to: all as pairs, such as "type=linux-htb", that change together
}

// OVSTables are the tables and columns that labctl knows, with kinds in short: s, i, b sets of strings, integers, booleans, in
// upper case exactly one, m maps, "+" the rows held, "-" rows referred to, "=" targets, "~" rows as pairs, "?" before what ovs-vswitchd tells.
var OVSTables = map[string]map[string]OVSColumn{
	"Open_vSwitch": ovsColumns("bridges+Bridge manager_options+Manager external_ids:m other_config:m iface_types?s"),
	"Bridge": ovsColumns("ports+Port mirrors+Mirror controller=Controller datapath_type:S fail_mode:s protocols:s stp_enable:B rstp_enable:B " +
		"mcast_snooping_enable:B external_ids:m other_config:m datapath_id?s"),
	"Port": ovsColumns("interfaces+Interface tag:i trunks:i cvlans:i vlan_mode:s bond_mode:s lacp:s bond_updelay:I bond_downdelay:I " +
		"protected:B qos~m external_ids:m other_config:m"),
	"Interface": ovsColumns("type:S options:m mac:s ofport_request:i mtu_request:i ingress_policing_rate:I ingress_policing_burst:I " +
		"external_ids:m other_config:m error?s ofport?i"),
	"Manager": ovsColumns("connection_mode:s max_backoff:i inactivity_probe:i external_ids:m other_config:m"),
	"Mirror":  ovsColumns("select_all:B select_src_port-Port select_dst_port-Port select_vlan:i output_port-Port output_vlan:i snaplen:i external_ids:m"),
}

func ovsColumns(text string) map[string]OVSColumn {
	out := map[string]OVSColumn{}
	for _, word := range strings.Fields(text) {
		at := strings.IndexAny(word, ":+-=?~")
		kind := word[at+1:]
		c := OVSColumn{Atom: "uuid", Status: word[at] == '?', Rows: word[at] == '~'}
		if word[at] == ':' || c.Status || c.Rows {
			c.Map, c.One = kind == "m", kind < "a"
			c.Atom = map[string]string{"i": "integer", "b": "boolean"}[strings.ToLower(kind)]
			if c.Atom == "" {
				c.Atom = "string"
			}
		} else {
			c.Ref, c.Holds, c.Own = kind, word[at] == '+', word[at] == '='
		}
		out[word[:at]] = c
	}
	return out
}

// Row returns a row and the name of the one that holds it.
func (s *OVSState) Row(key OVSKey) (OVSRow, string) {
	s.index()
	return s.Tables[key.Table][key.Name], s.holders[key]
}

// Keys returns the names of the rows of a table, sorted.
func (s *OVSState) Keys(table string) []string { return slices.Sorted(maps.Keys(s.Tables[table])) }

// Child names a row that the row called name holds.
func Child(table, name, child string) string {
	if table == "Mirror" {
		return name + "/" + child
	}
	return child
}

// index finds out who holds whom.
func (s *OVSState) index() {
	if s.holders != nil {
		return
	}
	s.holders = map[OVSKey]string{}
	for table, rows := range s.Tables {
		for name, row := range rows {
			s.hold(OVSKey{table, name}, nil, row)
		}
	}
}

// hold notes what a row lets go and what it holds from now on, and returns what nobody holds any more for now.
func (s *OVSState) hold(key OVSKey, gone, come OVSRow) (loose []OVSKey) {
	for name, c := range OVSTables[key.Table] {
		if !c.Holds {
			continue
		}
		for _, child := range gone[name] {
			k := OVSKey{c.Ref, Child(c.Ref, key.Name, child)}
			if s.holders[k] == key.Name {
				delete(s.holders, k)
				loose = append(loose, k)
			}
		}
		for _, child := range come[name] {
			s.holders[OVSKey{c.Ref, Child(c.Ref, key.Name, child)}] = key.Name
		}
	}
	return loose
}

// Clone returns a copy that can be changed.
func (s *OVSState) Clone() *OVSState {
	s.index()
	out := &OVSState{Flows: s.Flows, Tables: map[string]map[string]OVSRow{}, holders: maps.Clone(s.holders)}
	for table := range OVSTables {
		if out.Tables[table] = maps.Clone(s.Tables[table]); out.Tables[table] == nil {
			out.Tables[table] = map[string]OVSRow{}
		}
	}
	return out
}

// Apply makes changes and returns the rows that differ afterwards from what they were, the ones gone included.
func (s *OVSState) Apply(changes []OVSChange) (touched []OVSKey, err error) {
	s.index()
	for _, c := range changes {
		if c.New && s.Tables[c.Table][c.Name] != nil {
			return nil, &Error{Op: "create " + strings.ToLower(c.Table), Object: c.Name, Kind: ErrExist}
		}
	}
	var loose []OVSKey
	for _, c := range changes {
		before := s.Tables[c.Table][c.Name]
		now := c.Row(before)
		s.Tables[c.Table][c.Name] = now
		loose = append(loose, s.hold(c.OVSKey, c.Remove, c.Add)...)
		for name := range c.Set {
			loose = append(loose, s.hold(c.OVSKey, OVSRow{name: before[name]}, OVSRow{name: now[name]})...)
		}
		touched = append(touched, c.OVSKey)
	}
	for len(loose) > 0 {
		key := loose[0]
		loose = loose[1:]
		if _, held := s.holders[key]; held {
			continue
		}
		loose = append(loose, s.hold(key, s.Tables[key.Table][key.Name], nil)...)
		delete(s.Tables[key.Table], key.Name)
		touched = append(touched, append(s.unmirror(key), key)...)
	}
	return touched, nil
}

// unmirror takes a port that is gone out of the mirrors.
func (s *OVSState) unmirror(key OVSKey) (touched []OVSKey) {
	if key.Table != "Port" {
		return nil
	}
	for name, row := range s.Tables["Mirror"] {
		c := OVSChange{Remove: OVSRow{"select_src_port": {key.Name}, "select_dst_port": {key.Name}, "output_port": {key.Name}}}
		now := c.Row(row)
		s.Tables["Mirror"][name] = now
		touched = append(touched, OVSKey{"Mirror", name})
	}
	return touched
}

// Row returns what the change makes of a row.
func (c OVSChange) Row(before OVSRow) OVSRow {
	now := OVSRow{}
	maps.Copy(now, before)
	for name, v := range c.Set {
		now[name] = slices.Sorted(slices.Values(v))
	}
	for _, change := range []struct {
		row OVSRow
		add bool
	}{{c.Remove, false}, {c.Add, true}} {
		for name, v := range change.row {
			now[name] = edit(now[name], v, change.add, OVSTables[c.Table][name].Map)
		}
	}
	for name, v := range now {
		if len(v) == 0 {
			delete(now, name)
		}
	}
	return now
}

// edit puts members into a sorted set, or takes them out; those of a map stand for their key.
func edit(set, members []string, add, pairs bool) []string {
	out := slices.Clone(set)
	for _, m := range members {
		at, there := slices.BinarySearch(out, m)
		if pairs {
			at = slices.IndexFunc(out, func(o string) bool { return keyOf(o, true) == keyOf(m, true) })
			there = at >= 0
		}
		if there {
			out = slices.Delete(out, at, at+1)
		}
		if add {
			at, _ = slices.BinarySearch(out, m)
			out = slices.Insert(out, at, m)
		}
	}
	return out
}

func keyOf(member string, pair bool) string {
	if pair {
		member, _, _ = strings.Cut(member, "=")
	}
	return member
}

// Ports returns the OpenFlow port numbers of the interfaces of a bridge, as far as they have any.
func (s *OVSState) Ports(bridge string) map[string]int {
	out := map[string]int{}
	for _, port := range s.Tables["Bridge"][bridge]["ports"] {
		for _, name := range s.Tables["Port"][port]["interfaces"] {
			if number := s.Tables["Interface"][name]["ofport"]; len(number) > 0 && number[0] > "0" {
				out[name], _ = strconv.Atoi(number[0])
			} else {
				out[name] = 0
			}
		}
	}
	return out
}

// Fault tells what ovs-vswitchd does not say of a device that is a port of the userspace datapath: that it is not there, or that
// another of its name has come. The datapath goes on reading from the one that is gone. Those that it has are promiscuous
// (dpif_netdev.c, port_create), which a new one is not. link is nil if there is none.
func (s *OVSState) Fault(name string, link *Link) string {
	row, port := s.Row(OVSKey{Table: "Interface", Name: name})
	_, bridge := s.Row(OVSKey{Table: "Port", Name: port})
	switch {
	case row == nil || len(row["type"]) > 0 && row["type"][0] != "system" || !slices.Equal(s.Tables["Bridge"][bridge]["datapath_type"], []string{"netdev"}):
		return ""
	case link == nil:
		return NoOVSDevice(name)
	case link.Promisc != nil && !*link.Promisc:
		return ovsLost
	}
	return ""
}

const ovsLost = "another device of that name has come since the datapath opened it"

// NoOVSDevice is how ovs-vswitchd says that a device is not there.
func NoOVSDevice(name string) string {
	return fmt.Sprintf("could not open network device %s (No such device)", name)
}

// OVSBroken is an interface that ovs-vswitchd could not set up, and why.
func OVSBroken(name, reason string) error {
	if reason == "" {
		reason = "ovs-vswitchd could not make it; its log says why. The kernel's datapath needs the module openvswitch, datapath_type = \"netdev\" none"
	}
	return &Error{Op: "set up interface", Object: name, Err: fmt.Errorf("%s", reason)}
}
