package linux

import (
	"encoding/json"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
)

// seen is a probe and the end of its error, "" when it is to find what it expects.
type seen struct{ module, params, err string }

// probeAll runs probes with a deadline of 0 where they do not say.
func probeAll(t *testing.T, h *Host, probes []seen) {
	t.Helper()
	for _, p := range probes {
		m, err := modules.Default.Lookup(p.module)
		if err != nil {
			t.Fatal(err)
		}
		params := p.params
		if !strings.Contains(params, "deadline") {
			params = strings.TrimSuffix(params, "}") + `,"deadline":"0s"}`
		}
		r, err := m.Apply(ctxOf(t), h, modules.Call{Module: p.module, Params: json.RawMessage(params)})
		if (err == nil) != (p.err == "") || err != nil && !strings.Contains(err.Error(), p.err) {
			t.Errorf("%s %s: error %v, not %q; %s", p.module, p.params, err, p.err, r.State)
		}
	}
}

// sh runs a script in a namespace.
func sh(t *testing.T, h *Host, ref, script string) string {
	t.Helper()
	r, err := h.Commands().Run(ctxOf(t), host.Exec{Argv: []string{"sh", "-exc", script}, NetNS: ref})
	if err != nil || r.Status != 0 {
		t.Fatalf("%s: %s, %v", script, r.Stderr, err)
	}
	return string(r.Stdout)
}

func TestStateProbes(t *testing.T) {
	h := freshLab(t)
	sh(t, h, "", `
ip link set va promisc on address 02:00:00:00:00:01 alias "to router"
ip neigh add 10.0.1.50 lladdr 02:00:00:00:00:50 dev va; ip neigh add fd00:1::50 lladdr 02:00:00:00:00:50 dev va
ip link add br0 type bridge; ip link add p0 type veth peer name p1; ip link set p0 master br0 up
bridge fdb add 02:00:00:00:00:77 dev p0 master static
ip link add vx0 type vxlan id 100 group 239.255.0.1 ttl 5 dstport 4789 dev va; ip link set vx0 up
ip route add unreachable 10.10.0.0/16; ip rule add fwmark 7 table 77; ip route add default via 10.0.1.254 table 77`)
	probeAll(t, h, []seen{
		{"link_check", `{"name":"va","up":true,"promisc":true,"kind":"veth","address":"02-00-00-00-00-01","mtu":1500,"master":"","alias":"to router"}`, ""},
		{"link_check", `{"name":"va","up":true,"mtu":1400}`, "device va: mtu is 1500, not 1400"},
		{"link_check", `{"name":"p0","master":"br0","promisc":false,"parent":"p1"}`, ""},
		{"link_check", `{"name":"r1","netns":"router"}`, ""},
		{"link_check", `{"name":"r1"}`, "device r1: there is none"},
		{"link_check", `{"name":"r1","expect":"absent"}`, ""},
		{"link_check", `{"name":"va","expect":"absent"}`, "device va: expected none, but there is one: kind veth up true"},
		{"link_check", `{"name":"va","netns":"nowhere"}`, `open netns "nowhere"`},

		{"neigh_check", `{"ip":"10.0.1.50","dev":"va","lladdr":"02:00:00:00:00:50","state":"permanent"}`, ""},
		{"neigh_check", `{"ip":"fd00:1:0::50","dev":"va"}`, ""},
		{"neigh_check", `{"ip":"10.0.1.50","lladdr":"02:00:00:00:00:51"}`, "neighbour 10.0.1.50: lladdr is \"02:00:00:00:00:50\", not \"02:00:00:00:00:51\""},
		{"neigh_check", `{"ip":"10.0.1.51"}`, "neighbour 10.0.1.51: there is none"},
		{"neigh_check", `{"ip":"10.0.1.51","expect":"absent"}`, ""},
		{"ping", `{"address":"10.0.1.60","expect":"unreachable"}`, ""},
		{"neigh_check", `{"ip":"10.0.1.60"}`, "there is no MAC address: ARP or NDP on va was not answered (state failed)"},
		{"neigh_check", `{"ip":"10.0.1.60","state":"failed"}`, ""},
		{"ping", `{"address":"10.0.2.2"}`, ""},
		{"neigh_check", `{"ip":"10.0.1.254","dev":"va","deadline":"2s"}`, ""},

		{"fdb_check", `{"lladdr":"02:00:00:00:00:77","dev":"p0","master":"br0"}`, ""},
		{"fdb_check", `{"lladdr":"02:00:00:00:00:77","dev":"p1"}`, `fdb entry 02:00:00:00:00:77: dev is "p0", not "p1"`},
		{"fdb_check", `{"lladdr":"00:00:00:00:00:00","dev":"vx0","dst":"239.255.0.1","learned":false}`, ""},
		{"fdb_check", `{"lladdr":"02:00:00:00:00:78","expect":"absent"}`, ""},

		{"maddr", `{"group":"239.255.0.1","dev":"va"}`, ""},
		{"maddr", `{"group":"01:00:5e:7f:00:01","dev":"va"}`, ""},
		{"maddr", `{"group":"ff02::1","dev":"va"}`, ""},
		{"maddr", `{"group":"239.255.0.1","dev":"br0"}`, `group 239.255.0.1: dev is "va", not "br0"`},
		{"maddr", `{"group":"239.255.0.2"}`, "group 239.255.0.2: there is none"},
		{"maddr", `{"group":"239.255.0.1","netns":"far","expect":"absent"}`, ""},

		{"udp_listen", `{"port":"4789","address":"0.0.0.0"}`, ""},
		{"udp_listen", `{"port":"4789","netns":"far"}`, "UDP socket on port 4789 in netns far: there is none"},
		{"udp_listen", `{"port":"4790","expect":"absent"}`, ""},

		{"route_get", `{"dst":"10.0.2.2","via":"10.0.1.254","dev":"va","src":"10.0.1.1","type":"unicast"}`, ""},
		{"route_get", `{"dst":"10.0.1.7","via":"","dev":"va"}`, ""},
		{"route_get", `{"dst":"10.0.1.1","type":"local","table":255}`, ""},
		{"route_get", `{"dst":"fd00:2::2","via":"fd00:1::fe","dev":"va"}`, ""},
		{"route_get", `{"dst":"10.9.9.9","mark":7,"via":"10.0.1.254","table":77}`, ""},
		{"route_get", `{"dst":"10.9.9.9"}`, "network is unreachable (no route)"},
		{"route_get", `{"dst":"10.9.9.9","expect":"unreachable"}`, ""},
		{"route_get", `{"dst":"fd00:9::1","expect":"unreachable"}`, ""},
		{"route_get", `{"dst":"10.10.0.1","expect":"unreachable"}`, ""},
		{"route_get", `{"dst":"10.6.0.1","expect":"unreachable"}`, ""},
		{"route_get", `{"dst":"10.0.2.2","expect":"unreachable"}`, "expected none, but there is one: "},
		{"route_get", `{"dst":"10.0.2.2","iif":"r1","netns":"router","dev":"r2","from":"10.0.1.1"}`, ""},
		{"route_get", `{"dst":"10.0.2.2","dev":"br0"}`, `route to 10.0.2.2: dev is "va", not "br0"`},
	})
}

// TestProbeWaits checks that a state that comes late is found, and one that goes late is found gone.
func TestProbeWaits(t *testing.T) {
	h := freshHost(t)
	sh(t, h, "", `ip link add br0 type bridge; (sleep 0.3; ip link set br0 up; ip link add br1 type bridge) >/dev/null 2>&1 &`)
	probeAll(t, h, []seen{
		{"link_check", `{"name":"br0","up":true,"deadline":"5s"}`, ""},
		{"link_check", `{"name":"br1","deadline":"5s"}`, ""},
		{"link_check", `{"name":"br2","deadline":"300ms"}`, "device br2: there is none (tried "},
	})
}
