package linux

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"labctl/agent/linux/internal/ovsdb"
	"labctl/modules/host"
)

// qosRow is a row of table QoS with those of table Queue that it refers to. Neither goes by itself when nobody refers to it.
type qosRow struct {
	id     string
	queues []string // their UUIDs
	pairs  []string
	mine   bool            // labctl made it
	users  map[string]bool // ports
}

var qosColumns = map[string][]any{"QoS": {"type", "other_config", "queues", "external_ids"}, "Queue": {"dscp", "other_config"}}

// madeByLabctl is the key of external_ids that marks rows of labctl's, with the port as its value.
const madeByLabctl = "labctl-port"

func readQoS(rows, queues []map[string]any) map[string]qosRow {
	byID := map[string]map[string]any{}
	for _, q := range queues {
		byID[uuid(q["_uuid"])] = q
	}
	out := map[string]qosRow{}
	for _, row := range rows {
		q := qosRow{id: uuid(row["_uuid"]), users: map[string]bool{}}
		kind, _ := row["type"].(string)
		q.pairs = settings("", row["other_config"], []string{"type=" + kind})
		for _, pair := range ovsPairs(row["external_ids"]) {
			q.mine = q.mine || pair[0] == madeByLabctl
		}
		for _, pair := range ovsPairs(row["queues"]) {
			id, at := uuid(pair[1]), fmt.Sprintf("queue.%v", pair[0])
			q.queues, q.pairs = append(q.queues, id), append(q.pairs, at+"=")
			if dscp, ok := byID[id]["dscp"].(float64); ok {
				q.pairs = append(q.pairs, fmt.Sprintf("%s.dscp=%v", at, dscp))
			}
			q.pairs = settings(at+".", byID[id]["other_config"], q.pairs)
		}
		slices.Sort(q.pairs)
		out[q.id] = q
	}
	return out
}

// ovsPairs are those of a map (RFC 7047 section 5.1).
func ovsPairs(v any) (out [][]any) {
	for _, m := range members(v) {
		if pair, ok := m.([]any); ok && len(pair) == 2 {
			out = append(out, pair)
		}
	}
	return out
}

func settings(before string, v any, out []string) []string {
	for _, pair := range ovsPairs(v) {
		out = append(out, fmt.Sprintf("%sother_config.%v=%v", before, pair[0], pair[1]))
	}
	return out
}

// insertQoS makes the rows that pairs stand for, and returns what refers to them.
func (b *opsBuilder) insertQoS(port string, pairs []string) any {
	if len(pairs) == 0 {
		return []any{"set", []any{}}
	}
	rows, numbers, order := map[string]map[string]any{"": {}}, []any{}, []string{""}
	for _, pair := range pairs {
		k, v, _ := strings.Cut(pair, "=")
		of := ""
		if rest, ok := strings.CutPrefix(k, "queue."); ok {
			of, k, _ = strings.Cut(rest, ".")
		}
		if rows[of] == nil {
			rows[of], order = map[string]any{}, append(order, of)
		}
		config, _ := rows[of]["other_config"].([]any)
		switch name, ok := strings.CutPrefix(k, "other_config."); {
		case ok && config == nil:
			rows[of]["other_config"] = []any{"map", []any{[]any{name, v}}}
		case ok:
			config[1] = append(config[1].([]any), []any{name, v})
		case k == "dscp":
			rows[of][k], _ = strconv.Atoi(v)
		case k == "type":
			rows[of][k] = v
		}
	}
	id := func() string { b.made++; return fmt.Sprintf("qos%d", b.made) }
	for _, of := range order[1:] {
		name := id()
		n, _ := strconv.Atoi(of)
		numbers = append(numbers, []any{n, []any{"named-uuid", name}})
		b.ops = append(b.ops, ovsdb.Op{"op": "insert", "table": "Queue", "row": rows[of], "uuid-name": name})
	}
	name := id()
	rows[""]["queues"], rows[""]["external_ids"] = []any{"map", numbers}, []any{"map", []any{[]any{madeByLabctl, port}}}
	b.ops = append(b.ops, ovsdb.Op{"op": "insert", "table": "QoS", "row": rows[""], "uuid-name": name})
	return []any{"named-uuid", name}
}

// dropQoS removes what labctl made for a port and no other one uses; false: there is nothing of that kind.
func (b *opsBuilder) dropQoS(key host.OVSKey) bool {
	q := b.from.qos[key.Name]
	if key.Table != "Port" || !q.mine || len(q.users) > 1 {
		return false
	}
	drop := func(table, id string) {
		b.ops = append(b.ops, ovsdb.Op{"op": "delete", "table": table, "where": []any{[]any{"_uuid", "==", []any{"uuid", id}}}})
	}
	drop("QoS", q.id)
	for _, id := range q.queues {
		drop("Queue", id)
	}
	return true
}
