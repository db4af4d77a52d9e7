package adopt

import (
	"regexp"
	"slices"
	"strconv"
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
	w.switchPorts(func(iface string) bool { return iface != "" && iface != "system" })
}

// devicePorts writes the ports that are devices of the system, which have to be there before.
func (w *writer) devicePorts() {
	if w.s.OVS != nil {
		w.switchPorts(func(iface string) bool { return iface == "" || iface == "system" })
	}
}

// switchPorts writes the ports that have an interface of one of these types.
func (w *writer) switchPorts(which func(iface string) bool) {
	for _, name := range w.s.OVS.Keys("Port") {
		port, bridge := w.s.OVS.Row(host.OVSKey{Table: "Port", Name: name})
		is := slices.ContainsFunc(port["interfaces"], func(name string) bool {
			iface, _ := w.s.OVS.Row(host.OVSKey{Table: "Interface", Name: name})
			return which(strings.Join(iface["type"], ""))
		})
		if is && bridge != name {
			w.object("ovs_port", name, []string{"bridge"})
		}
	}
}

// portNumber is where a flow names a port by its number, which on another host is another's.
var portNumber = regexp.MustCompile(`\b(in_port=|output:)([0-9]+)\b`)

// named is a flow with the names of ports, where they are plain enough to need no quotes (ovs-fields(7), "in_port").
func (w *writer) named(bridge, flow string) string {
	names := map[string]string{}
	for name, number := range w.s.OVS.Ports(bridge) {
		if number > 0 && plainPort.MatchString(name) {
			names[strconv.Itoa(number)] = name
		}
	}
	return portNumber.ReplaceAllStringFunc(flow, func(found string) string {
		m := portNumber.FindStringSubmatch(found)
		if name := names[m[2]]; name != "" {
			return m[1] + name
		}
		return found
	})
}

var plainPort = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]*$`)

// switched reports whether a device is an interface of a switch: one that it has made, where its datapath is netdev.
func (w *writer) switched(at device) bool {
	return at.netns == "" && w.s.OVS != nil && slices.Contains(w.s.OVS.Keys("Interface"), at.name)
}

// shaped reports whether a switch itself attaches queueing disciplines to a device.
func (w *writer) shaped(at device) bool {
	if !w.switched(at) {
		return false
	}
	iface, port := w.s.OVS.Row(host.OVSKey{Table: "Interface", Name: at.name})
	row, _ := w.s.OVS.Row(host.OVSKey{Table: "Port", Name: port})
	policed := func(column string) bool { v := iface[column]; return len(v) > 0 && v[0] != "0" }
	return len(row["qos"]) > 0 || policed("ingress_policing_rate") || policed("ingress_policing_kpkts_rate")
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
				flows = append(flows, w.named(bridge, f))
			}
		}
		if len(flows) > 0 {
			w.add(task{module: "ovs_flow", label: bridge, args: map[string]any{"flows": flows}})
		}
	}
}
