package linux

import (
	"encoding/json"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"
)

// TestSnapshotRoundTrip saves a host, loads it from its JSON, and plans on it what the live host says too.
func TestSnapshotRoundTrip(t *testing.T) {
	h := freshHost(t)
	ctx := ctxOf(t)
	for _, c := range []modules.Call{
		benchCall("netns", `{"name":"a"}`), benchCall("veth", `{"name":"v0","peer":"v1","peer_netns":"a"}`), benchCall("bridge", `{"name":"br0","ports":["v0"]}`),
		benchCall("address", `{"dev":"br0","cidr":["10.0.0.1/24","fd00::1/64"],"nodad":true}`), benchCall("route", `{"dst":"default","via":"10.0.0.2"}`),
		benchCall("rule", `{"priority":"100","table":100}`), benchCall("sysctl", `{"key":"net.ipv4.ip_forward","value":"1","netns":"a"}`),
	} {
		m, err := modules.Default.Lookup(c.Module)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Apply(ctx, h, c); err != nil {
			t.Fatal(err)
		}
	}
	s, err := memory.Snapshot(ctx, h, "box", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var loaded host.Snapshot
	if err := json.Unmarshal(b, &loaded); err != nil {
		t.Fatal(err)
	}
	model := memory.FromSnapshot(&loaded)
	if d := modulestest.Difference(ctx, model, h); d != "" {
		t.Errorf("snapshot of %d bytes is not the host:\n%s", len(b), d)
	}
	for _, c := range []modules.Call{benchCall("netns", `{"name":"b"}`), benchCall("link", `{"name":"lo","netns":"b","up":true}`),
		benchCall("sysctl", `{"key":"net.ipv4.ip_forward","value":"1","netns":"b"}`), benchCall("bridge", `{"name":"br0","ports":[]}`),
		benchCall("hostname", `{"name":"other"}`), benchCall("hosts_file", `{"address":"192.0.2.77","names":["other"]}`), benchCall("group", `{"name":"labtest"}`),
		benchCall("user", `{"name":"labtest","create_home":false}`)} {
		m, _ := modules.Default.Lookup(c.Module)
		if res, err := m.Apply(ctx, model, c); err != nil || res.Diff.Action == modules.None {
			t.Errorf("%s %s on the snapshot: %v, %v", c.Module, c.Params, res.Diff, err)
		}
	}
}
