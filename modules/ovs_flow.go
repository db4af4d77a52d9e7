package modules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[OVSFlow]{
		Name: "ovs_flow",
		Doc: "Manages flows of an Open vSwitch bridge: one, by match and actions, or many, by flows. They are compared in the words of ovs-ofctl " +
			"dump-flows; a flow is the same when table, priority and match are. Where a port is meant (in_port=, output:, enqueue:, port=) its name will " +
			"do for its number. What a change of fail_mode, of controllers or of ovs-vswitchd itself flushes, the next run puts back.",
		Example: `ovs_flow "myBridge" {
  version  = "OpenFlow14"
  priority = 1000
  match    = { eth_type = "0x0800", ip_proto = 6, tcp_dst = 80 }
  actions  = "drop"
}
ovs_flow "myBridge" {
  table     = 5
  exclusive = "table"
  flows = [
    "priority=10,in_port=web1_veth1,arp actions=output:vxlan0",
    "priority=0 actions=drop",
  ]
}`,
		Validate: (*OVSFlow).validate, Complete: (*OVSFlow).complete, Read: readOVSFlow, ReadAbsent: noneUnsupported(readAbsentOVSFlow), Apply: applyOVSFlow,
		Warn: func(f *OVSFlow) []string { return f.warn() }, Prepare: prepareOVSFlows, Batch: batchOVSFlows,
	})
}

// OVSFlow is one flow of a bridge, or several.
type OVSFlow struct {
	OnOVS
	Bridge    string            `json:"bridge" lab:"key" doc:"Bridge that the flow is on."`
	Version   string            `json:"version,omitempty" lab:"option" enum:"OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15" doc:"Version of OpenFlow to speak, one of the bridge's protocols: the same for all tasks of a bridge, since one flow has other words in another version. From OpenFlow14 on, which is taken where it can be, all flows of a task change at once."`
	Table     *int              `json:"table,omitempty" default:"0" doc:"Table, 0 to 254, of the flow, of those in flows that do not say, and of exclusive."`
	Priority  *int              `json:"priority,omitempty" default:"32768" doc:"Priority of the flow, 0 to 65535."`
	Match     map[string]string `json:"match,omitempty" doc:"What the flow matches, as fields of ovs-fields(7) with their values; those of none, such as tcp, have \"\". {} matches everything."`
	Actions   *string           `json:"actions,omitempty" doc:"What happens to it, in the words of ovs-actions(7), such as \"mod_vlan_vid:10,output:2\"; \"\" or drop for nothing."`
	Cookie    string            `json:"cookie,omitempty" doc:"Number of 64 bits by which flows can be told apart, of the flow, of those in flows that do not say, and of exclusive; left alone if unset."`
	IdleTime  *int              `json:"idle_timeout,omitempty" doc:"Seconds without a packet after which the flow goes, 0 for never; left alone if unset."`
	HardTime  *int              `json:"hard_timeout,omitempty" doc:"Seconds after which the flow goes, 0 for never; left alone if unset."`
	Flows     []string          `json:"flows,omitempty" lab:"set" doc:"Flows as ovs-ofctl add-flow takes them, instead of priority, match and actions. Others stay, unless exclusive is set."`
	Exclusive string            `json:"exclusive,omitempty" lab:"option" enum:"table,cookie" doc:"The flows of the table, or those with the cookie, are those in flows and no more."`

	made  []host.OVSFlow // canonical, with numbers for ports
	names map[int]string // of the ports that were given by name
}

func (f *OVSFlow) validate() error {
	if f.Cookie != "" {
		n, err := strconv.ParseUint(f.Cookie, 0, 64)
		if err != nil || n == 1<<64-1 {
			return argf("cookie", "%q is not a number of 64 bits, such as \"0x2a\"", f.Cookie)
		}
		f.Cookie = fmt.Sprintf("%#x", n)
	}
	for k, v := range f.Match {
		switch {
		case slices.Contains([]string{"table", "priority", "cookie", "actions", "idle_timeout", "hard_timeout"}, k):
			return argf("match", "%s is an argument of its own", k)
		case k == "" || strings.ContainsAny(k+v, " \n#"):
			return argf("match", "%q is not a field with a value", k+"="+v)
		}
	}
	if f.Actions != nil && strings.ContainsAny(*f.Actions, "\n#") {
		return argf("actions", "%q is not one line", *f.Actions)
	}
	for i, line := range f.Flows {
		switch path := fmt.Sprintf("flows[%d]", i); {
		case strings.ContainsAny(line, "\n#"):
			return argf(path, "%q is not one line", line)
		case !strings.Contains(line, "action"):
			return argf(path, "%q says no actions: \"actions=drop\" does nothing", line)
		}
	}
	return firstFault(ovsName("bridge", f.Bridge), inRange("table", f.Table, 0, 254), inRange("priority", f.Priority, 0, 65535),
		inRange("idle_timeout", f.IdleTime, 0, 65535), inRange("hard_timeout", f.HardTime, 0, 65535), f.checkScope())
}

// checkScope tells one flow from several.
func (f *OVSFlow) checkScope() error {
	several := f.Flows != nil || f.Exclusive != ""
	switch {
	case several && (f.Match != nil || f.Actions != nil || f.Priority != nil || f.IdleTime != nil || f.HardTime != nil):
		return argf("flows", "cannot be together with priority, match, actions or timeouts, which each of the flows says itself")
	case f.Exclusive == "cookie" && (f.Cookie == "" || f.Cookie == "0x0"):
		return argf("exclusive", "needs a cookie other than 0, which flows of others have")
	}
	return nil
}

func (f *OVSFlow) complete() error {
	switch {
	case f.Exclusive != "" && f.Flows == nil:
		return argf("exclusive", "needs flows, [] for none")
	case f.Flows == nil && f.Actions == nil:
		return argf("actions", "actions or flows are needed: \"\" drops what matches")
	}
	return nil
}

// one reports whether the task is about a single flow.
func (f *OVSFlow) one() bool { return f.Flows == nil && f.Exclusive == "" }

func (f *OVSFlow) table() int {
	if f.Table == nil {
		return 0
	}
	return *f.Table
}

// lines are the flows as ovs-ofctl reads them, but for names of ports.
func (f *OVSFlow) lines() []string {
	head := "table=" + strconv.Itoa(f.table())
	if f.Cookie != "" {
		head += ",cookie=" + f.Cookie
	}
	if !f.one() {
		var out []string
		for _, line := range f.Flows {
			out = append(out, head+","+strings.TrimSpace(line))
		}
		return out
	}
	for _, o := range []struct {
		name string
		v    *int
	}{{"priority", f.Priority}, {"idle_timeout", f.IdleTime}, {"hard_timeout", f.HardTime}} {
		if o.v != nil {
			head += fmt.Sprintf(",%s=%d", o.name, *o.v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(f.Match)) {
		if head += "," + k; f.Match[k] != "" {
			head += "=" + f.Match[k]
		}
	}
	actions := "drop"
	if f.Actions != nil && strings.TrimSpace(*f.Actions) != "" {
		actions = *f.Actions
	}
	return []string{head + " actions=" + actions}
}

// speak settles the version, by what the bridge speaks.
func (f *OVSFlow) speak(bridge host.OVSRow) error {
	speaks := bridge["protocols"]
	if f.Version == "" {
		f.Version = host.OVSVersion(speaks)
	}
	if len(speaks) > 0 && !slices.Contains(speaks, f.Version) {
		return argf("version", "bridge %s speaks %s only, by its protocols", f.Bridge, joinWords(speaks))
	}
	return nil
}

// make fills in the flows in canonical form, once.
func (f *OVSFlow) make(ctx context.Context, h host.Host, bridge host.OVSRow) error {
	if f.made != nil {
		return nil
	}
	lines, err := f.numbered(ctx, h, bridge)
	if err != nil {
		return err
	}
	if f.made, err = h.OVS().CanonicalFlows(ctx, f.Bridge, f.Version, lines); err != nil {
		return err
	}
	keys := map[host.OVSFlowKey]bool{}
	for i, m := range f.made {
		switch {
		case keys[m.OVSFlowKey]:
			return argf(fmt.Sprintf("flows[%d]", i), "there are two flows of %s", m.OVSFlowKey)
		case f.Exclusive == "table" && m.Table != f.table():
			return argf(fmt.Sprintf("flows[%d]", i), "is of table %d, not of the one that they are to be all of", m.Table)
		case f.Exclusive == "cookie" && m.Cookie != f.Cookie:
			return argf(fmt.Sprintf("flows[%d]", i), "has cookie %s, not the one that they are all to have", m.Cookie)
		}
		keys[m.OVSFlowKey] = true
	}
	f.say()
	return nil
}

// say puts what is wanted into canonical form, too.
func (f *OVSFlow) say() {
	if !f.one() {
		f.Flows = f.texts(f.made)
		return
	}
	m := f.made[0]
	f.Match, f.Table, f.Priority = f.match(m), &m.Table, &m.Priority
	if f.Actions != nil {
		f.Actions = ptr(f.named(m.Actions))
	}
}

func (f *OVSFlow) texts(flows []host.OVSFlow) []string {
	out := make([]string, len(flows))
	for i, m := range flows {
		out[i] = f.named(m.String())
	}
	slices.Sort(out)
	return out
}

// match splits what matches at the commas that are not in parentheses.
func (f *OVSFlow) match(m host.OVSFlow) map[string]string {
	out := map[string]string{}
	depth := 0
	for field := range strings.FieldsFuncSeq(f.named(m.Match), func(r rune) bool {
		depth += map[rune]int{'(': 1, ')': -1}[r]
		return r == ',' && depth == 0
	}) {
		k, v, _ := strings.Cut(field, "=")
		out[k] = v
	}
	return out
}

func readOVSFlow(ctx context.Context, h host.Host, want *OVSFlow) (*OVSFlow, error) {
	bridge, _, err := want.row(ctx, h, "Bridge", want.Bridge)
	if err != nil {
		return nil, err
	}
	if err := want.speak(bridge); err != nil {
		return nil, err
	}
	if err := want.make(ctx, h, bridge); err != nil || bridge == nil {
		return nil, err
	}
	flows, err := h.OVS().Flows(ctx, want.Bridge, want.Version)
	if err != nil {
		return nil, err
	}
	have := &OVSFlow{Bridge: want.Bridge, Version: want.Version, Exclusive: want.Exclusive, Table: want.Table, made: want.there(flows), names: want.names}
	if len(have.made) == 0 && (want.one() || len(want.Flows) > 0) {
		return nil, nil
	}
	if !want.one() {
		have.Flows, have.Cookie = have.texts(have.made), want.Cookie
		return have, nil
	}
	m := have.made[0]
	have.say()
	have.Actions, have.Cookie = ptr(have.named(m.Actions)), m.Cookie
	have.IdleTime, have.HardTime = timeout(m, "idle_timeout="), timeout(m, "hard_timeout=")
	return have, nil
}

// readAbsentOVSFlow: without its bridge or port there is no flow.
func readAbsentOVSFlow(ctx context.Context, h host.Host, want *OVSFlow) (*OVSFlow, error) {
	have, err := readOVSFlow(ctx, h, want)
	if errors.Is(err, host.ErrNotExist) || have != nil && len(have.made) == 0 {
		return nil, nil
	}
	return have, err
}

func timeout(m host.OVSFlow, name string) *int {
	n := 0
	for _, o := range m.Options {
		if v, ok := strings.CutPrefix(o, name); ok {
			n, _ = strconv.Atoi(v)
		}
	}
	return &n
}

// there lists what is on the bridge of what the task is about.
func (f *OVSFlow) there(flows host.OVSFlows) []host.OVSFlow {
	var out []host.OVSFlow
	if f.Exclusive == "" {
		for _, m := range f.made {
			if is, ok := flows[m.OVSFlowKey]; ok {
				out = append(out, is)
			}
		}
		return out
	}
	for _, is := range flows.Sorted() {
		if f.Exclusive == "table" && is.Table == f.table() || f.Exclusive == "cookie" && is.Cookie == f.Cookie || f.makes(is.OVSFlowKey) {
			out = append(out, is)
		}
	}
	return out
}

func (f *OVSFlow) makes(k host.OVSFlowKey) bool {
	return slices.ContainsFunc(f.made, func(m host.OVSFlow) bool { return m.OVSFlowKey == k })
}

func applyOVSFlow(ctx context.Context, h host.Host, have, want *OVSFlow, d Diff) error {
	if want == nil {
		var remove []host.OVSFlowKey
		for _, m := range have.made {
			remove = append(remove, m.OVSFlowKey)
		}
		return h.OVS().ChangeFlows(ctx, have.Bridge, have.Version, nil, remove)
	}
	bridge, _, err := want.row(ctx, h, "Bridge", want.Bridge)
	if err != nil {
		return err
	}
	if bridge == nil {
		return &host.Error{Op: "add flow to", Object: want.Bridge, Kind: host.ErrNotExist, Err: errNoOVSBridge}
	}
	put, remove := want.change(have)
	return h.OVS().ChangeFlows(ctx, want.Bridge, want.Version, put, remove)
}

// change lists the flows to put in, and those to remove. One flow keeps what the task does not say of it.
func (f *OVSFlow) change(have *OVSFlow) (put []host.OVSFlow, remove []host.OVSFlowKey) {
	is := host.OVSFlows{}
	if have != nil {
		for _, m := range have.made {
			if is[m.OVSFlowKey] = m; !f.makes(m.OVSFlowKey) {
				remove = append(remove, m.OVSFlowKey)
			}
		}
	}
	for _, m := range f.made {
		old, there := is[m.OVSFlowKey]
		if there && f.one() {
			m = f.over(old, m)
		}
		if !there || !old.Same(m) {
			put = append(put, m)
		}
	}
	return put, remove
}

// over is m where the task says it, and old where not.
func (f *OVSFlow) over(old, m host.OVSFlow) host.OVSFlow {
	if f.Cookie == "" {
		m.Cookie = old.Cookie
	}
	for _, o := range old.Options {
		if f.IdleTime != nil && strings.HasPrefix(o, "idle_timeout=") || f.HardTime != nil && strings.HasPrefix(o, "hard_timeout=") {
			continue
		}
		m.Options = append(slices.Clone(m.Options), o)
	}
	slices.Sort(m.Options)
	return m
}

// prepareOVSFlows has all flows put into canonical form at once. What is wrong with one its own call will say.
func prepareOVSFlows(ctx context.Context, h host.Host, wants []*OVSFlow) error {
	lines := map[[2]string][]string{}
	for _, w := range wants {
		bridge, _, err := w.row(ctx, h, "Bridge", w.Bridge)
		if err != nil {
			return err
		}
		numbered, err := w.numbered(ctx, h, bridge)
		if err = errors.Join(err, w.speak(bridge)); err != nil {
			continue
		}
		of := [2]string{w.Bridge, w.Version}
		lines[of] = append(lines[of], numbered...)
	}
	for of, all := range lines {
		if _, err := h.OVS().CanonicalFlows(ctx, of[0], of[1], all); err != nil {
			return err
		}
	}
	return nil
}
