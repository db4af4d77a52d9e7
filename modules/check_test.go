package modules

import (
	"encoding/json"
	"errors"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// rejected checks that arguments are refused without a host, and which of them is at fault.
func rejected(t *testing.T, module string, cases map[string]string) {
	t.Helper()
	m, err := Default.Lookup(module)
	if err != nil {
		t.Fatal(err)
	}
	for params, path := range cases {
		err := m.Check(Call{Module: module, Params: json.RawMessage(params)})
		var ae *ArgumentError
		if !errors.As(err, &ae) || ae.Path != path {
			t.Errorf("%s %s: %v, not a fault of %q", module, params, err, path)
		}
	}
}

func TestStateProbesReject(t *testing.T) {
	rejected(t, "link_check", map[string]string{`{"name":"a b"}`: "name", `{"name":"a","address":"x"}`: "address", `{"name":"a","expect":"there"}`: "expect",
		`{"name":"a","deadline":"soon"}`: "deadline", `{}`: "name"})
	rejected(t, "neigh_check", map[string]string{`{"ip":"10.0.0"}`: "ip", `{"ip":"10.0.0.1","lladdr":"02"}`: "lladdr", `{"ip":"10.0.0.1","state":"well"}`: "state"})
	rejected(t, "fdb_check", map[string]string{`{"lladdr":"10.0.0.1"}`: "lladdr", `{"lladdr":"00:00:00:00:00:00","dst":"x"}`: "dst"})
	rejected(t, "maddr", map[string]string{`{"group":"all"}`: "group"})
	rejected(t, "udp_listen", map[string]string{`{"port":"vxlan"}`: "port", `{"port":"70000"}`: "port", `{"port":"1","address":"x"}`: "address"})
	rejected(t, "route_get", map[string]string{`{"dst":"10.0.0.0/8"}`: "dst", `{"dst":"10.0.0.1","via":"x"}`: "via", `{"dst":"10.0.0.1","expect":"ok"}`: "expect"})
}

// TestProbesArePlannedNotMade checks that a plan asks nothing of the host for any probe.
func TestProbesArePlannedNotMade(t *testing.T) {
	h := memory.FromSnapshot(&host.Snapshot{})
	for module, params := range map[string]string{
		"link_check": `{"name":"nothing"}`, "neigh_check": `{"ip":"10.0.0.1"}`, "fdb_check": `{"lladdr":"00:00:00:00:00:00"}`, "maddr": `{"group":"ff02::1"}`,
		"udp_listen": `{"port":"1"}`, "route_get": `{"dst":"10.0.0.1"}`,
	} {
		if r, err := apply(t, h, module, params, false); err != nil || r.Diff.Action != Read || !r.Unknown {
			t.Errorf("%s: %+v, %v", module, r, err)
		}
	}
}
