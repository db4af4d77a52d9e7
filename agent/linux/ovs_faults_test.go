package linux

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// apply runs one call and wants it to change the host, or not to.
func applyOVS(t *testing.T, h host.Host, module, params string, want modules.Action) modules.Result {
	t.Helper()
	res, err := modules.Default[module].Apply(t.Context(), h, modules.Call{Module: module, Params: json.RawMessage(params)})
	if err != nil {
		t.Fatalf("%s %s: %v", module, params, err)
	}
	if res.Diff.Action != want {
		t.Fatalf("%s %s: %s, want %s", module, params, res.Diff.Action, want)
	}
	return res
}

func refuseOVS(t *testing.T, h host.Host, module, params string, words ...string) {
	t.Helper()
	_, err := modules.Default[module].Apply(t.Context(), h, modules.Call{Module: module, Params: json.RawMessage(params)})
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s %s: %v, want an error with %q", module, params, err, w)
		}
	}
}

func vsctl(t *testing.T, h *Host, args ...string) string {
	t.Helper()
	return ovsRun(t, h, "ovs-vsctl", args...)
}

// ovsWires is a host with Open vSwitch, bridge ov0 and devices.
func ovsWires(t *testing.T, devices ...string) *Host {
	t.Helper()
	h := ovsHost(t)
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0","datapath_type":"netdev"}`, modules.Create)
	for _, name := range devices {
		applyOVS(t, h, "veth", `{"name":"`+name+`","peer":"`+name+`_peer"}`, modules.Create)
	}
	return h
}

// Faults of others are named in the tests below: those that users of the modules for Ansible met.

// a: a bridge task that says nothing of fail_mode must not touch it.
func TestOVSBridgeLeavesFailMode(t *testing.T) {
	h := ovsWires(t)
	vsctl(t, h, "set-fail-mode", "ov0", "secure")
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0"}`, modules.None)
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0","external_ids":{"a":"1"}}`, modules.Update)
	if got := vsctl(t, h, "get-fail-mode", "ov0"); got != "secure" {
		t.Errorf("fail_mode is %q", got)
	}
}

// b: external_ids come to a bridge that has none, and beside those of others.
func TestOVSBridgeGetsExternalIDs(t *testing.T) {
	h := ovsWires(t)
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0","external_ids":{"a":"1"}}`, modules.Update)
	vsctl(t, h, "set", "bridge", "ov0", "external_ids:theirs=x")
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0","external_ids":{"a":"1"}}`, modules.None)
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0","external_ids":{"a":"2"}}`, modules.Update)
	if got := vsctl(t, h, "get", "bridge", "ov0", "external_ids"); got != `{a="2", theirs=x}` {
		t.Errorf("external_ids are %s", got)
	}
}

// c: a port task without tag leaves the tag; one with another tag sets it.
func TestOVSPortTag(t *testing.T) {
	h := ovsWires(t, "v")
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0","tag":"100"}`, modules.Create)
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0"}`, modules.None)
	if got := vsctl(t, h, "get", "port", "v", "tag"); got != "100" {
		t.Errorf("tag is %s", got)
	}
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0","tag":"200"}`, modules.Update)
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0","tag":"200"}`, modules.None)
	if got := vsctl(t, h, "get", "port", "v", "tag"); got != "200" {
		t.Errorf("tag is %s", got)
	}
}

// d: another remote_ip for a tunnel that is there is set, without making the port anew.
func TestOVSTunnelFollowsRemoteIP(t *testing.T) {
	h := ovsWires(t)
	port := func(ip string) string {
		return `{"name":"vxlan0","bridge":"ov0","type":"vxlan","options":{"remote_ip":"` + ip + `","dst_port":"4789","ttl":"5"}}`
	}
	applyOVS(t, h, "ovs_port", port("192.168.50.5"), modules.Create)
	id := vsctl(t, h, "get", "interface", "vxlan0", "_uuid")
	res := applyOVS(t, h, "ovs_port", port("192.168.50.6"), modules.Update)
	if len(res.Diff.Changes) != 1 || res.Diff.Changes[0].Path != "options" {
		t.Errorf("changes %+v, want options alone", res.Diff.Changes)
	}
	if got := vsctl(t, h, "get", "interface", "vxlan0", "options:remote_ip"); got != `"192.168.50.6"` {
		t.Errorf("remote_ip is %s", got)
	}
	if got := vsctl(t, h, "get", "interface", "vxlan0", "_uuid"); got != id {
		t.Errorf("the interface was made anew")
	}
}

// e: whoever only looks changes nothing; f: neither does a plan, which does not fail either.
func TestOVSLooksWithoutChanging(t *testing.T) {
	h := ovsWires(t, "v")
	before := vsctl(t, h, "get", "Open_vSwitch", ".", "next_cfg")
	writes := h.Writes()
	for _, call := range [][2]string{{"ovs_bridge", `{"name":"ov0","fail_mode":"secure"}`}, {"ovs_bridge", `{"name":"ov1","datapath_type":"netdev"}`},
		{"ovs_port", `{"name":"v","bridge":"ov1","tag":"5"}`}, {"ovs_flow", `{"bridge":"ov1","match":{"in_port":"v"},"actions":"drop"}`}} {
		if _, err := modules.Default[call[0]].Diff(t.Context(), h, modules.Call{Module: call[0], Params: json.RawMessage(call[1])}); err != nil && call[0] != "ovs_flow" {
			t.Errorf("diff %s: %v", call[1], err)
		}
	}
	plan := memory.New(h)
	applyOVS(t, plan, "ovs_bridge", `{"name":"ov1","datapath_type":"netdev"}`, modules.Create)
	applyOVS(t, plan, "ovs_port", `{"name":"v","bridge":"ov1","tag":"5"}`, modules.Create)
	applyOVS(t, plan, "ovs_flow", `{"bridge":"ov1","match":{"in_port":"v"},"actions":"drop"}`, modules.Create)
	applyOVS(t, plan, "address", `{"dev":"ov1","cidr":["192.0.2.1/24"]}`, modules.Create)
	if h.Writes() != writes {
		t.Errorf("%d writes", h.Writes()-writes)
	}
	if got := vsctl(t, h, "get", "Open_vSwitch", ".", "next_cfg"); got != before {
		t.Errorf("next_cfg went from %s to %s", before, got)
	}
}

// A port that is on another bridge is an error, unless it is to be moved.
func TestOVSPortOnAnotherBridge(t *testing.T) {
	h := ovsWires(t, "v")
	applyOVS(t, h, "ovs_bridge", `{"name":"ov1","datapath_type":"netdev"}`, modules.Create)
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0"}`, modules.Create)
	refuseOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov1"}`, "bridge ov0", "move = true")
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov1","move":true}`, modules.Update)
	if got := vsctl(t, h, "port-to-br", "v"); got != "ov1" {
		t.Errorf("v is on %s", got)
	}
}

// ovs-vsctl ends with status 0 when ovs-vswitchd could not make what the database says: that is an error here, which says why,
// and leaves nothing behind.
func TestOVSDoesNotTrustTheDatabase(t *testing.T) {
	h := ovsWires(t)
	refuseOVS(t, h, "ovs_port", `{"name":"nodev","bridge":"ov0"}`, "nodev", "No such device")
	refuseOVS(t, h, "ovs_port", `{"name":"x0","bridge":"ov0","type":"nosuchtype"}`, "x0")
	applyOVS(t, h, "veth", `{"name":"taken","peer":"taken1"}`, modules.Create)
	refuseOVS(t, h, "ovs_bridge", `{"name":"taken","datapath_type":"netdev"}`, "taken")
	if got := strings.Fields(vsctl(t, h, "list-br")); !slices.Equal(got, []string{"ov0"}) {
		t.Errorf("bridges %v", got)
	}
	if got := vsctl(t, h, "list-ports", "ov0"); got != "" {
		t.Errorf("ports %v", got)
	}
	if _, err := h.OVS().Flows(t.Context(), "nobridge", "OpenFlow14"); err == nil {
		t.Error("flows of a bridge that is not there: no error")
	}
}

// The userspace datapath goes on reading from a device that is gone while another has come, and ovs-vswitchd says nothing of it. The
// plan knows, and the port keeps its number and its settings.
func TestOVSPortAfterItsDeviceWasMadeAnew(t *testing.T) {
	h := ovsWires(t, "u", "v")
	applyOVS(t, h, "ovs_port", `{"name":"u","bridge":"ov0"}`, modules.Create)
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0","tag":"5","external_ids":{"a":"1"}}`, modules.Create)
	number := vsctl(t, h, "get", "interface", "v", "ofport")
	n := mustNet(t, h, "")
	if err := n.Links().Delete(t.Context(), "v"); err != nil {
		t.Fatal(err)
	}
	refuseOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0","tag":"5"}`, "No such device")
	plan := memory.New(h)
	for _, each := range []host.Host{plan, h} {
		applyOVS(t, each, "veth", `{"name":"v","peer":"v_peer"}`, modules.Create)
		res := applyOVS(t, each, "ovs_port", `{"name":"v","bridge":"ov0","tag":"5"}`, modules.Update)
		if len(res.Diff.Changes) != 1 || res.Diff.Changes[0].Path != "error" {
			t.Errorf("changes %+v, want error alone", res.Diff.Changes)
		}
		applyOVS(t, each, "ovs_port", `{"name":"v","bridge":"ov0","tag":"5"}`, modules.None)
		applyOVS(t, each, "ovs_port", `{"name":"u","bridge":"ov0"}`, modules.None)
		applyOVS(t, each, "link", `{"name":"v","promisc":true}`, modules.None)
	}
	if got := vsctl(t, h, "get", "port", "v", "tag", "external_ids", "--", "get", "interface", "v", "ofport"); got != "5\n{a=\"1\"}\n"+number {
		t.Errorf("the port has become %q, its number was %s", got, number)
	}
}

// The database without ovs-vswitchd takes changes that nobody makes true.
func TestOVSWithoutVSwitchd(t *testing.T) {
	h := freshHost(t)
	startDB(t, h)
	h.vs.taking = time.Second
	refuseOVS(t, h, "ovs_bridge", `{"name":"ov0","datapath_type":"netdev"}`, "start the service openvswitch-switch")
	if got := vsctl(t, h, "--no-wait", "list-br"); got != "" {
		t.Errorf("bridges %q are left", got)
	}
}

// Before Open vSwitch runs a plan takes it for empty, and says so; a play waits a moment, and says what to start.
func TestOVSNotRunning(t *testing.T) {
	h := freshHost(t)
	h.vs.dir = t.TempDir()
	plan := memory.New(h)
	res := applyOVS(t, plan, "ovs_bridge", `{"name":"ov0"}`, modules.Create)
	if !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, "planned as if Open vSwitch ran") }) {
		t.Errorf("warnings %q", res.Warnings)
	}
	applyOVS(t, plan, "ovs_flow", `{"bridge":"ov0","match":{"tcp":"","tcp_dst":"80"},"actions":"drop"}`, modules.Create)
	applyOVS(t, plan, "address", `{"dev":"ov0","cidr":["192.0.2.1/24"]}`, modules.Create)
	refuseOVS(t, h, "ovs_bridge", `{"name":"ov0"}`, "start the service openvswitch-switch")
	call := modules.Call{Module: "ovs_bridge", Params: json.RawMessage(`{"name":"ov0"}`), Absent: true}
	if res, err := modules.Default["ovs_bridge"].Apply(t.Context(), h, call); err != nil || res.Diff.Action != modules.None {
		t.Errorf("absent: %s, %v", res.Diff.Action, err)
	}
}

// Packets of a bridge go as its flows say: the lab "seeing OpenFlow in action", on the userspace datapath.
func TestOVSFlowCanonical(t *testing.T) {
	h := ovsWires(t, "v", "w")
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0"}`, modules.Create)
	applyOVS(t, h, "ovs_bridge", `{"name":"ov0","protocols":["OpenFlow14"]}`, modules.Update)
	flow := `{"bridge":"ov0","version":"OpenFlow14","table":0,"priority":1000,"match":{"eth_type":"0x0800","ip_proto":"6","tcp_dst":"80"},"actions":""}`
	applyOVS(t, h, "ovs_flow", flow, modules.Create)
	dump := func() string { return ovsRun(t, h, "ovs-ofctl", "-O", "OpenFlow14", "--no-stats", "dump-flows", "ov0") }
	if got, want := dump(), "priority=1000,tcp,tp_dst=80 actions=drop\n priority=0 actions=NORMAL"; got != want {
		t.Errorf("flows %q, want %q", got, want)
	}
	applyOVS(t, h, "ovs_flow", flow, modules.None)
	ovsRun(t, h, "ovs-ofctl", "-O", "OpenFlow14", "add-flow", "ov0", "priority=900,tcp,tp_dst=80,nw_src=10.0.0.1,actions=normal")
	call := modules.Call{Module: "ovs_flow", Params: json.RawMessage(flow), Absent: true}
	if res, err := modules.Default["ovs_flow"].Apply(t.Context(), h, call); err != nil || res.Diff.Action != modules.Delete {
		t.Errorf("absent: %s, %v", res.Diff.Action, err)
	}
	if got := dump(); !strings.Contains(got, "nw_src=10.0.0.1") || strings.Contains(got, "priority=1000") {
		t.Errorf("flows %q, want the narrower one kept", got)
	}
	refuseOVS(t, h, "ovs_flow", `{"bridge":"ov0","match":{"tcp_dst":"80"},"actions":"drop"}`, "tp_dst=80", "eth_type")
	refuseOVS(t, h, "ovs_flow", `{"bridge":"ov0","actions":"fly"}`, "fly", "unknown action")
	refuseOVS(t, h, "ovs_flow", `{"bridge":"ov0","actions":"group:7"}`, "refused", "BAD_OUT_GROUP")
	refuseOVS(t, h, "ovs_flow", `{"bridge":"ov0","actions":"output:nosuch"}`, "nosuch", "ovs_port")
	refuseOVS(t, h, "ovs_flow", `{"bridge":"ov9","actions":"drop"}`, "ov9", "ovs_bridge")
	refuseOVS(t, h, "ovs_flow", `{"bridge":"ov0","version":"OpenFlow10","actions":"drop"}`, "OpenFlow14")
}

// What is flushed comes back with the next run, and one that changes nothing keeps what was counted.
func TestOVSFlowComesBack(t *testing.T) {
	h := ovsWires(t, "v")
	flow := `{"bridge":"ov0","cookie":"0x2a","exclusive":"cookie","flows":["priority=7,udp actions=drop","priority=6,in_port=LOCAL actions=normal"]}`
	applyOVS(t, h, "ovs_flow", flow, modules.Create)
	vsctl(t, h, "set-fail-mode", "ov0", "secure")
	h.OVS().(openvswitch).forget()
	h.netfilterChanged() // somebody ran a command
	applyOVS(t, h, "ovs_flow", flow, modules.Create)
	applyOVS(t, h, "ovs_flow", flow, modules.None)
	if flows, err := h.OVS().Flows(t.Context(), "ov0", "OpenFlow14"); err != nil || len(flows) != 2 {
		t.Errorf("flows %v, %v", flows, err)
	}
}

// A daemon that stops on the way is not success.
func TestOVSVSwitchdStops(t *testing.T) {
	h := ovsWires(t, "v")
	h.vs.taking = time.Second
	stopDaemon(t, h.vs.dir+"/ovs-vswitchd.pid")
	refuseOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0"}`, "start the service openvswitch-switch")
	startVSwitchd(t, h)
	h.vs.taking = 0
	applyOVS(t, h, "ovs_port", `{"name":"v","bridge":"ov0"}`, modules.Create)
}
