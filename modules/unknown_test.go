package modules

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// planned applies calls, given as module and arguments by turns, to one model and returns what came of the last.
func planned(t *testing.T, h host.Host, calls ...string) (Result, error) {
	t.Helper()
	var res Result
	var err error
	for i := 0; i < len(calls); i += 2 {
		if err != nil {
			t.Fatalf("%s %s: %v", calls[i-2], calls[i-1], err)
		}
		m, e := Default.Lookup(calls[i])
		if e != nil {
			t.Fatal(e)
		}
		res, err = m.Apply(context.Background(), h, Call{Module: calls[i], Params: json.RawMessage(calls[i+1])})
	}
	return res, err
}

// A plan does not know the MAC addresses of the devices that it makes, and must not show what it made up instead.
func TestPlanDoesNotInvent(t *testing.T) {
	const veth = `{"name":"v0","peer":"v1"}`
	res, err := planned(t, memory.FromSnapshot(&host.Snapshot{}), "veth", veth)
	if err != nil || strings.Contains(string(res.State), "address") || !slices.Equal(res.UnknownAttributes, []string{"address", "peer_address"}) {
		t.Errorf("made: state %s, unknown %q, %v", res.State, res.UnknownAttributes, err)
	}
	res, err = planned(t, memory.FromSnapshot(&host.Snapshot{}), "veth", veth, "veth", `{"name":"v0","peer":"v1","address":"02:00:00:00:00:01"}`)
	if err != nil || len(res.Diff.Changes) != 1 {
		t.Fatalf("set: %+v, %v", res.Diff, err)
	}
	if c := res.Diff.Changes[0]; c.Path != "address" || c.Before != nil || !c.Unknown || c.After != "02:00:00:00:00:01" {
		t.Errorf("set: %+v", c)
	}
	if !strings.Contains(string(res.State), `"address":"02:00:00:00:00:01"`) || !slices.Equal(res.UnknownAttributes, []string{"peer_address"}) {
		t.Errorf("set: state %s, unknown %q", res.State, res.UnknownAttributes)
	}
}

func TestPlanNeedsWhatPlayNeeds(t *testing.T) {
	for _, c := range []struct {
		module, params string
		kind           error
	}{
		{"command", `{"name":"true","netns":"nope"}`, host.ErrNoNetNS},
		{"address", `{"dev":"nodev","cidr":[],"exclusive":true}`, host.ErrNotExist},
	} {
		if res, err := planned(t, memory.FromSnapshot(&host.Snapshot{}), c.module, c.params); !errors.Is(err, c.kind) {
			t.Errorf("%s %s: %+v, %v, want %v", c.module, c.params, res.Diff, err, c.kind)
		}
	}
}

func TestAddressesAreSorted(t *testing.T) {
	res, err := planned(t, memory.FromSnapshot(&host.Snapshot{}), "bridge", `{"name":"br0"}`,
		"address", `{"dev":"br0","cidr":["fd00::2/64","10.0.0.9/24","fd00::1/64","10.0.0.1/24"]}`)
	if want := `"cidr":["10.0.0.1/24","10.0.0.9/24","fd00::1/64","fd00::2/64"]`; err != nil || !strings.Contains(string(res.State), want) {
		t.Errorf("%s, %v, want %s", res.State, err, want)
	}
}
