package linux

import (
	"slices"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/modulestest"
)

func TestOVSRefusals(t *testing.T) {
	for _, r := range modulestest.OVSRefusals() {
		h := ovsHost(t)
		r.Try(t, modulestest.Target{Host: h, Writes: h.Writes})
	}
}

// TestOVSQoSOfOthers: rows of QoS and Queue stay for ever when nobody removes them. Those of labctl's go with their port, and
// with a change of it; those that others made stay, and so does what another port has of them.
func TestOVSQoSOfOthers(t *testing.T) {
	h := ovsHost(t)
	do := func(c modules.Call) {
		t.Helper()
		if _, err := modules.Default[c.Module].Apply(t.Context(), h, c); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want string) {
		t.Helper()
		types := strings.Fields(ovsRun(t, h, "ovs-vsctl", "--bare", "--columns=type", "list", "QoS"))
		slices.Sort(types)
		got := strings.Join(types, " ") + "|" + ovsRun(t, h, "ovs-vsctl", "--bare", "--columns=other_config", "list", "Queue")
		if got != want {
			t.Errorf("rows are %q, want %q", got, want)
		}
	}
	port := func(name, qos string) modules.Call {
		return modulestest.State("ovs_port", `{"name":"`+name+`","bridge":"ov0","type":"internal"`+qos+`}`)
	}
	const own = `,"qos":{"type":"linux-htb","queue":[{"id":3,"other_config":{"max-rate":"1000000"}}]}`
	do(modulestest.State("ovs_bridge", `{"name":"ov0","datapath_type":"netdev"}`))
	do(port("v", own))
	count("linux-htb|max-rate=1000000")
	do(port("v", `,"qos":{"type":"linux-noop"}`))
	count("linux-noop|")
	do(port("v", own))
	do(modulestest.Absent("ovs_port", `{"name":"v","bridge":"ov0"}`))
	count("|")

	do(port("v", ""))
	do(port("w", ""))
	ovsRun(t, h, "ovs-vsctl", "--", "set", "port", "v", "qos=@q", "--", "set", "port", "w", "qos=@q", "--", "--id=@q", "create", "QoS", "type=linux-noop")
	h.OVS().(openvswitch).forget()
	do(port("v", own))
	count("linux-htb linux-noop|max-rate=1000000")
	do(port("v", `,"qos":{}`))
	count("linux-noop|")
	if got := ovsRun(t, h, "ovs-vsctl", "get", "port", "v", "qos"); got != "[]" {
		t.Errorf("v has %s", got)
	}
	if got := ovsRun(t, h, "ovs-vsctl", "get", "port", "w", "qos"); got == "[]" {
		t.Error("w lost what it had")
	}
}
