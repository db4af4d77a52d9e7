package adopt

import (
	"strings"

	"labctl/modules/host"
)

// switches writes Open vSwitch's bridges and ports.
func (w *writer) switches() {
	if w.s.OVS == nil {
		return
	}
	for _, name := range w.s.OVS.Keys("Bridge") {
		w.object("ovs_bridge", name, nil)
	}
	for _, name := range w.s.OVS.Keys("Port") {
		if _, bridge := w.s.OVS.Row(host.OVSKey{Table: "Port", Name: name}); bridge != name {
			w.object("ovs_port", name, []string{"bridge"})
		}
	}
}

func (w *writer) object(module, name string, first []string) {
	t := task{module: module, label: name, args: map[string]any{}, first: first}
	t.merge(w.read(t))
	w.add(t)
}

// flows writes the flows of each bridge, without those that Open vSwitch puts there for a bridge without any.
func (w *writer) flows() {
	if w.s.OVS == nil {
		return
	}
	for _, bridge := range w.s.OVS.Keys("Bridge") {
		var flows []string
		for _, f := range w.s.OVS.Flows[bridge] {
			if strings.TrimSpace(f) != "priority=0 actions=NORMAL" {
				flows = append(flows, f)
			}
		}
		if len(flows) > 0 {
			w.add(task{module: "ovs_flow", label: bridge, args: map[string]any{"flows": flows}})
		}
	}
}
