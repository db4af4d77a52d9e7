package modulestest

import (
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host/memory"
)

// Refusal is a call that a host refuses after others. A plan has to refuse it in the same words.
type Refusal struct {
	Needs  []string       // link kinds that the kernel must know
	Before []modules.Call // what makes the host refuse it
	Call   modules.Call
	Want   string // part of the error
}

// Refusals are faults that only the kernel knows of.
func Refusals() []Refusal {
	v, bridge := State("veth", `{"name":"v","peer":"vp"}`), State("bridge", `{"name":"br0","ports":["v"]}`)
	macvlan := State("macvlan", `{"name":"mv","dev":"v"}`)
	tun := State("tuntap", `{"name":"tun7","mode":"tun"}`)
	return []Refusal{
		{Before: []modules.Call{v, bridge}, Call: macvlan, Want: "device or resource busy"},
		{Before: []modules.Call{v, macvlan}, Call: bridge, Want: "device or resource busy"},
		{Needs: []string{"ipvlan"}, Before: []modules.Call{v, bridge}, Call: State("ipvlan", `{"name":"iv","dev":"v"}`), Want: "device or resource busy"},
		{Needs: []string{"ipvlan"}, Before: []modules.Call{v, macvlan}, Call: State("ipvlan", `{"name":"iv","dev":"v"}`), Want: "device or resource busy"},
		{Needs: []string{"ipvlan"}, Before: []modules.Call{v, State("ipvlan", `{"name":"iv","dev":"v"}`)}, Call: bridge, Want: "device or resource busy"},
		{Needs: []string{"vlan"}, Before: []modules.Call{v}, Call: State("vlan", `{"name":"v.5","mtu":9000}`), Want: "invalid argument"},
		{Needs: []string{"bond"}, Call: State("bond", `{"name":"bo","mode":"active-backup","primary":"none"}`), Want: "primary none: no such device"},
		{Before: []modules.Call{tun}, Call: State("neigh", `{"address":"10.0.0.7","dev":"tun7","lladdr":"02:00:00:00:00:07"}`), Want: "the device has no link layer addresses"},
		{Before: []modules.Call{State("link", `{"name":"lo","up":true}`)}, Call: State("neigh", `{"address":"10.0.0.7","dev":"lo","lladdr":"02:00:00:00:00:07"}`), Want: "the device has no link layer addresses"},
		{Before: []modules.Call{v, bridge}, Call: State("fdb", `{"lladdr":"02:00:00:00:00:07","dev":"v","master":true,"vlan":77}`), Want: "invalid argument"},
		{Before: []modules.Call{v}, Call: State("link", `{"name":"v","master":"vp"}`), Want: "operation not supported"},
		{Before: []modules.Call{bridge0, v}, Call: State("bridge", `{"name":"br1","master":"br0"}`), Want: "Can not enslave a bridge to a bridge"},
		{Before: []modules.Call{v}, Call: State("route", `{"dst":"10.9.0.0/16","via":"172.31.0.1"}`), Want: "network is unreachable"},
	}
}

// OVSRefusals are faults that only ovs-vswitchd knows of.
func OVSRefusals() []Refusal {
	bridge := []modules.Call{State("ovs_bridge", `{"name":"ov0","datapath_type":"netdev"}`)}
	return []Refusal{
		{Before: bridge, Call: State("ovs_port", `{"name":"t0","bridge":"ov0","type":"vxlan"}`), Want: "requires valid 'remote_ip' argument"},
		{Before: bridge, Call: State("ovs_port", `{"name":"t0","bridge":"ov0","type":"tunnel"}`), Want: "Address family not supported by protocol"},
		{Before: bridge, Call: State("ovs_port", `{"name":"none","bridge":"ov0"}`), Want: "No such device"},
	}
}

// MachineRefusals are faults that what is installed on a machine makes.
func MachineRefusals() []Refusal {
	lab := State("group", `{"name":"lab"}`)
	return []Refusal{
		{Call: State("user", `{"name":"u","uid":0}`), Want: "0 is the number of root"},
		{Before: []modules.Call{State("user", `{"name":"u"}`)}, Call: State("user", `{"name":"u","uid":0}`), Want: "0 is the number of root"},
		{Call: State("group", `{"name":"lab","gid":0}`), Want: "0 is the number of root"},
		{Before: []modules.Call{lab}, Call: State("group", `{"name":"lab","gid":0}`), Want: "0 is the number of root"},
	}
}

var bridge0 = State("bridge", `{"name":"br0"}`)

// Try makes sure that the host and a model of it refuse the call in the same words.
func (r Refusal) Try(t *testing.T, tg Target) {
	t.Helper()
	model := memory.New(tg.Host)
	for _, c := range r.Before {
		for _, h := range []Target{{Host: model}, tg} {
			if _, err := modules.Default[c.Module].Apply(t.Context(), h.Host, c); err != nil {
				t.Fatalf("%s %s: %v", c.Module, c.Params, err)
			}
		}
	}
	m := modules.Default[r.Call.Module]
	_, planned := m.Apply(t.Context(), model, r.Call)
	_, err := m.Apply(t.Context(), tg.Host, r.Call)
	switch {
	case err == nil || planned == nil:
		t.Errorf("planned: %v\nplayed:  %v, want %q twice", planned, err, r.Want)
	case planned.Error() != err.Error() || !strings.Contains(err.Error(), r.Want):
		t.Errorf("planned: %v\nplayed:  %v, want %q twice", planned, err, r.Want)
	}
}
