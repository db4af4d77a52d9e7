package linux

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"labctl/agent/linux/internal/ovsdb"
	"labctl/modules/host"
)

// readDatabase selects the columns of host.OVSTables, and the targets of managers and controllers, in one transaction.
func readDatabase(ctx context.Context, c *ovsdb.Conn) (*ovsDatabase, error) {
	tables := append(slices.Sorted(maps.Keys(host.OVSTables)), "Controller", "QoS", "Queue")
	ops := make([]ovsdb.Op, len(tables))
	for i, table := range tables {
		columns := []any{"_uuid"}
		for name := range host.OVSTables[table] {
			columns = append(columns, name)
		}
		switch table {
		case "Controller", "Manager":
			columns = append(columns, "target")
		case "Open_vSwitch":
		case "QoS", "Queue":
			columns = append(columns, qosColumns[table]...)
		default:
			columns = append(columns, "name")
		}
		ops[i] = ovsdb.Op{"op": "select", "table": table, "where": []any{}, "columns": columns}
	}
	results, err := c.Transact(ctx, ovsDB, ops...)
	if err != nil {
		return nil, err
	}
	if len(results) < len(tables) {
		return nil, fmt.Errorf("%d results of %d", len(results), len(tables))
	}
	r := rowReader{names: map[string]string{}, holder: map[string]string{}, qos: readQoS(results[len(tables)-2].Rows, results[len(tables)-1].Rows)}
	tables = tables[:len(tables)-2]
	for i, table := range tables {
		r.identify(table, results[i].Rows)
	}
	d := &ovsDatabase{OVSState: &host.OVSState{Tables: map[string]map[string]host.OVSRow{}}, uuids: map[host.OVSKey]string{}, qos: map[string]qosRow{}}
	for i, table := range tables {
		d.Tables[table] = map[string]host.OVSRow{}
		for _, row := range results[i].Rows {
			id := uuid(row["_uuid"])
			name := r.names[id]
			if bridge, ok := r.holder[id]; ok && (table == "Mirror" || host.OVSTables[table] == nil) {
				name = bridge + "/" + name
			}
			d.uuids[host.OVSKey{Table: table, Name: name}] = id
			d.Tables[table][name] = r.row(table, row)
			if q := r.qos[uuid(row["qos"])]; q.id != "" {
				d.qos[name] = q
				r.qos[q.id].users[name] = true
			}
		}
	}
	delete(d.Tables, "Controller")
	return d, nil
}

// rowReader turns UUIDs into names.
type rowReader struct {
	names  map[string]string // by UUID
	holder map[string]string // names of the bridges that hold mirrors and controllers, by the UUID of those
	qos    map[string]qosRow // by UUID
}

func (r rowReader) identify(table string, rows []map[string]any) {
	for _, row := range rows {
		name, ok := row["name"].(string)
		if !ok {
			name, _ = row["target"].(string)
		}
		r.names[uuid(row["_uuid"])] = name
		for _, column := range []string{"mirrors", "controller"} {
			for _, v := range members(row[column]) {
				r.holder[uuid(v)] = name
			}
		}
	}
}

func uuid(v any) string {
	if pair, ok := v.([]any); ok && len(pair) == 2 {
		s, _ := pair[1].(string)
		return s
	}
	return ""
}

// members unpacks a set; an atom is a set of one (RFC 7047 section 5.1).
func members(v any) []any {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return []any{v}
	}
	if list, ok := pair[1].([]any); ok {
		return list
	}
	return []any{v} // a UUID
}

// row leaves out what is as in a row that nothing is asked of.
func (r rowReader) row(table string, from map[string]any) host.OVSRow {
	out := host.OVSRow{}
	for name, c := range host.OVSTables[table] {
		if c.Rows {
			if q := r.qos[uuid(from[name])]; len(q.pairs) > 0 {
				out[name] = q.pairs
			}
			continue
		}
		if v, ok := from[name]; ok {
			if set := r.column(c, v); len(set) > 0 {
				out[name] = set
			}
		}
	}
	return out
}

func (r rowReader) column(c host.OVSColumn, v any) []string {
	var out []string
	for _, m := range members(v) {
		var s string
		switch m := m.(type) {
		case nil:
			continue
		case string:
			s = m
		case bool:
			s = strconv.FormatBool(m)
		case float64:
			s = strconv.FormatInt(int64(m), 10)
		case []any:
			if s = r.names[uuid(m)]; c.Map && len(m) == 2 {
				s = fmt.Sprint(m[0]) + "=" + fmt.Sprint(m[1])
			}
		}
		if c.One && (s == "" || s == "0" || s == "false") {
			continue
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// encode is the inverse of column; ref gives the UUID of what a name stands for.
func encode(c host.OVSColumn, set []string, ref func(name string) any) any {
	if c.One {
		zero := map[string]string{"integer": "0", "boolean": "false"}[c.Atom]
		return atom(c, append(slices.Clone(set), zero)[0], ref)
	}
	list := make([]any, len(set))
	for i, s := range set {
		if c.Map {
			k, v, _ := strings.Cut(s, "=")
			list[i] = []any{k, v}
			continue
		}
		list[i] = atom(c, s, ref)
	}
	if c.Map {
		return []any{"map", list}
	}
	return []any{"set", list}
}

func atom(c host.OVSColumn, s string, ref func(string) any) any {
	switch c.Atom {
	case "integer":
		n, _ := strconv.Atoi(s) // modules check
		return n
	case "boolean":
		return s == "true"
	case "uuid":
		return ref(s)
	}
	return s
}
