package linux

import (
	"fmt"
	"slices"
	"strings"

	"labctl/agent/linux/internal/ovsdb"
	"labctl/modules/host"
)

// operations is what a transaction takes to go to want in the rows touched. Rows that nobody holds go by themselves.
func (d *ovsDatabase) operations(want *host.OVSState, touched []host.OVSKey) []ovsdb.Op {
	b := opsBuilder{from: d, to: want, fresh: map[host.OVSKey]string{}}
	host.Sort(touched, func(x, y host.OVSKey) int { return strings.Compare(x.Table+"\x00"+x.Name, y.Table+"\x00"+y.Name) })
	touched = slices.Compact(touched)
	for i, key := range touched {
		if d.uuids[key] == "" && want.Tables[key.Table][key.Name] != nil {
			b.fresh[key] = fmt.Sprintf("row%d", i)
		}
	}
	for _, key := range touched {
		b.row(key)
	}
	return append(b.guards, b.ops...)
}

type opsBuilder struct {
	from        *ovsDatabase
	to          *host.OVSState
	fresh       map[host.OVSKey]string // uuid-names of rows that are made
	guards, ops []ovsdb.Op
	made        int // names of rows of QoS and Queue
}

// ref gives the UUID of a row that a column of key names, by that of an existing row or the name of one that is made.
func (b *opsBuilder) ref(key host.OVSKey, c host.OVSColumn) func(string) any {
	return func(name string) any {
		child := host.OVSKey{Table: c.Ref, Name: host.Child(c.Ref, key.Name, name)}
		if c.Own {
			child.Name = key.Name + "/" + name
			if b.from.uuids[child] == "" && b.fresh[child] == "" {
				b.fresh[child] = fmt.Sprintf("target%d", len(b.fresh))
				b.ops = append(b.ops, ovsdb.Op{"op": "insert", "table": c.Ref, "row": map[string]any{"target": name}, "uuid-name": b.fresh[child]})
			}
		}
		if id := b.fresh[child]; id != "" {
			return []any{"named-uuid", id}
		}
		return []any{"uuid", b.from.uuids[child]}
	}
}

func (b *opsBuilder) row(key host.OVSKey) {
	to := b.to.Tables[key.Table][key.Name]
	if to == nil {
		if b.dropQoS(key) { // the port counts as referring to it until it is gone
			b.ops = append(b.ops, ovsdb.Op{"op": "update", "table": "Port", "where": b.from.where(key), "row": map[string]any{"qos": []any{"set", []any{}}}})
		}
		return
	}
	if id := b.fresh[key]; id != "" {
		row := map[string]any{}
		for name, set := range to {
			if c := host.OVSTables[key.Table][name]; c.Rows {
				row[name] = b.insertQoS(key.Name, set)
			} else if !c.Status {
				row[name] = encode(c, set, b.ref(key, c))
			}
		}
		column, name := "name", key.Name
		switch key.Table {
		case "Manager":
			column = "target"
		case "Mirror":
			_, name, _ = strings.Cut(name, "/")
		}
		row[column] = name
		b.ops = append(b.ops, ovsdb.Op{"op": "insert", "table": key.Table, "row": row, "uuid-name": id})
		return
	}
	b.change(key, b.from.Tables[key.Table][key.Name], to)
}

// change edits maps and references, which others edit too, and replaces other columns where they still are what was read.
func (b *opsBuilder) change(key host.OVSKey, from, to host.OVSRow) {
	var mutations, columns []any
	was, now := map[string]any{}, map[string]any{}
	for name, c := range host.OVSTables[key.Table] {
		if c.Status || slices.Equal(from[name], to[name]) {
			continue
		}
		if c.Rows {
			columns, was[name] = append(columns, name), []any{"set", []any{}}
			if q := b.from.qos[key.Name]; q.id != "" {
				was[name] = []any{"uuid", q.id}
			}
			b.dropQoS(key)
			now[name] = b.insertQoS(key.Name, to[name])
			continue
		}
		ref := b.ref(key, c)
		if !c.Map && (c.Ref == "" || !c.Holds && !c.Own) {
			columns = append(columns, name)
			was[name], now[name] = encode(c, from[name], ref), encode(c, to[name], ref)
			continue
		}
		if gone := missing(from[name], to[name]); len(gone) > 0 {
			mutations = append(mutations, []any{name, "delete", encode(c, gone, ref)})
		}
		if come := missing(to[name], from[name]); len(come) > 0 {
			mutations = append(mutations, []any{name, "insert", encode(c, come, ref)})
		}
	}
	where := b.from.where(key)
	if columns != nil {
		b.guards = append(b.guards, ovsdb.Op{"op": "wait", "table": key.Table, "where": where, "columns": columns, "until": "==", "rows": []any{was}, "timeout": 0})
		b.ops = append(b.ops, ovsdb.Op{"op": "update", "table": key.Table, "where": where, "row": now})
	}
	if mutations != nil {
		b.ops = append(b.ops, ovsdb.Op{"op": "mutate", "table": key.Table, "where": where, "mutations": mutations})
	}
}

func (d *ovsDatabase) where(key host.OVSKey) []any {
	return []any{[]any{"_uuid", "==", []any{"uuid", d.uuids[key]}}}
}

// missing returns what of a sorted list another one lacks.
func missing(list, other []string) []string {
	var out []string
	for _, s := range list {
		if _, there := slices.BinarySearch(other, s); !there {
			out = append(out, s)
		}
	}
	return out
}
