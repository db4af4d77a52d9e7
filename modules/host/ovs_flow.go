package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// OVSFlowKey is what tells one flow of a bridge from another.
type OVSFlowKey struct {
	Table, Priority int
	Match           string // as ovs-ofctl(8) prints it: "tcp,tp_dst=80"
}

// OVSFlow is a flow in the words of ovs-ofctl(8), with ports as numbers.
type OVSFlow struct {
	OVSFlowKey
	Cookie  string   // "0x2a"; "0x0" when none was given
	Options []string // "idle_timeout=10", "send_flow_rem" and the like, sorted
	Actions string   // "drop" for none
}

// OVSFlows are flows of one bridge. They are shared: not to be changed.
type OVSFlows map[OVSFlowKey]OVSFlow

// OVSCount is what a flow has counted since it is there.
type OVSCount struct{ Packets, Bytes int }

// defaultPriority is that of a flow that says none (ovs-ofctl(8)).
const defaultPriority = 32768

// OVSDefaultFlow is what makes a switch of a bridge that has no controller and is not secure (connmgr_flushed,
// ofproto/connmgr.c).
var OVSDefaultFlow = OVSFlow{Cookie: "0x0", Actions: "NORMAL"}

// String is the flow as ovs-ofctl add-flow reads it.
func (f OVSFlow) String() string {
	words := []string{f.OVSFlowKey.String()}
	if f.Cookie != "0x0" {
		words = slices.Insert(words, 0, "cookie="+f.Cookie)
	}
	return strings.Join(append(words, f.Options...), ",") + " actions=" + f.Actions
}

func (k OVSFlowKey) String() string {
	text := fmt.Sprintf("table=%d,priority=%d", k.Table, k.Priority)
	if k.Match != "" {
		text += "," + k.Match
	}
	return text
}

// Compare orders as tables are searched: the highest priority of the first table comes first.
func (k OVSFlowKey) Compare(o OVSFlowKey) int {
	if k.Table != o.Table {
		return k.Table - o.Table
	}
	if k.Priority != o.Priority {
		return o.Priority - k.Priority
	}
	return strings.Compare(k.Match, o.Match)
}

// Same reports whether o does what f does.
func (f OVSFlow) Same(o OVSFlow) bool {
	return f.Cookie == o.Cookie && f.Actions == o.Actions && slices.Equal(f.Options, o.Options)
}

// Sorted returns the flows in order.
func (fs OVSFlows) Sorted() []OVSFlow {
	out := make([]OVSFlow, 0, len(fs))
	for _, f := range fs {
		out = append(out, f)
	}
	Sort(out, func(a, b OVSFlow) int { return a.Compare(b.OVSFlowKey) })
	return out
}

// flowWords are the words of flow modifications that flows as dumped have other words for.
var flowWords = strings.NewReplacer("table:", "table=", "cookie:", "cookie=", "idle:", "idle_timeout=", "hard:", "hard_timeout=", "importance:", "importance=")

// ParseOVSFlow reads a line of ovs-ofctl dump-flows, of what parse-flows prints behind ADD, or of String.
func ParseOVSFlow(line string) (OVSFlow, error) {
	f := OVSFlow{OVSFlowKey: OVSFlowKey{Priority: defaultPriority}, Cookie: "0x0"}
	head, rest, _ := strings.Cut(line, "action") // as ovs-ofctl(8) does: "action=" and "actions="
	_, actions, ok := strings.Cut(rest, "=")
	if !ok {
		return f, fmt.Errorf("%q is not a flow: it has no actions", line)
	}
	if f.Actions = strings.TrimSpace(actions); f.Actions == "" {
		f.Actions = "drop"
	}
	var match []string
	for _, word := range strings.FieldsFunc(head, func(r rune) bool { return r == ' ' || r == ',' }) {
		if err := f.word(flowWords.Replace(word), word, &match); err != nil {
			return f, fmt.Errorf("%q is not a flow: %w", line, err)
		}
	}
	f.Match = strings.Join(match, ",")
	slices.Sort(f.Options)
	return f, nil
}

func (f *OVSFlow) word(word, as string, match *[]string) (err error) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "table":
		f.Table, err = strconv.Atoi(value)
	case "priority":
		f.Priority, err = strconv.Atoi(value)
	case "cookie":
		f.Cookie = value
	case "idle_timeout", "hard_timeout", "importance", "send_flow_rem", "no_packet_counts", "no_byte_counts":
		f.Options = append(f.Options, word)
	case "reset_counts", "check_overlap": // how it was added, rather than what it is: OpenFlow 1.0 always resets
	case "duration", "n_packets", "n_bytes", "idle_age", "hard_age": // what became of it
	default:
		*match = append(*match, as)
	}
	return err
}

// OVSVersion returns the version of OpenFlow to speak with a bridge that speaks protocols, none being the default: 1.4 where it
// can be, the first that changes several flows at once.
func OVSVersion(protocols []string) string {
	for _, v := range []string{"OpenFlow14", "OpenFlow15", "OpenFlow13", "OpenFlow12", "OpenFlow11", "OpenFlow10"} {
		if len(protocols) == 0 || slices.Contains(protocols, v) {
			return v
		}
	}
	return "OpenFlow14"
}

// OVSSecure reports whether flows alone say what a bridge does, and nothing comes instead of those that are flushed.
func OVSSecure(bridge OVSRow) bool { return slices.Equal(bridge["fail_mode"], []string{"secure"}) }

// OVSControlled reports whether a bridge asks a controller: those that it listens for do not count.
func OVSControlled(bridge OVSRow) bool {
	return slices.ContainsFunc(bridge["controller"], func(t string) bool { return !strings.HasPrefix(t, "p") })
}
