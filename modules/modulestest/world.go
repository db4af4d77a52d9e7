package modulestest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// World walks at random over calls of many modules that stand on each other, some of which must fail (a route through a
// device that is down), and keeps one model beside the host. At every step the plan must be what apply does, down to
// whether and why it fails, and the model must remain equal to the host.
func World(t *testing.T, steps int, open func(testing.TB) Target) {
	seed := rand.Uint64()
	if v, err := strconv.ParseUint(os.Getenv("LABCTL_TEST_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("LABCTL_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	real := open(t).Host
	model := memory.New(real)
	pool := worldCalls()
	var trail []string
	for range steps {
		c := pool[random.IntN(len(pool))]
		trail = append(trail, c.Module+" "+string(c.Params)+map[bool]string{true: " absent"}[c.Absent])
		if d := worldStep(t.Context(), model, real, c); d != "" {
			for _, s := range trail[max(0, len(trail)-25):] {
				t.Log(s)
			}
			t.Fatalf("after %d steps (LABCTL_TEST_SEED=%d): %s", len(trail), seed, d)
		}
	}
}

func worldStep(ctx context.Context, model, real host.Host, c modules.Call) string {
	m, err := modules.Default.Lookup(c.Module)
	if err != nil {
		return err.Error()
	}
	planned, planErr := m.Apply(ctx, model, c)
	applied, err := m.Apply(ctx, real, c)
	if !sameFailure(planErr, err) {
		return "plan: " + errText(planErr) + "\napply: " + errText(err)
	}
	if err == nil && diff(planned) != diff(applied) {
		return "plan:  " + diff(planned) + "\napply: " + diff(applied)
	}
	return Difference(ctx, model, real)
}

func errText(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

// sameFailure compares what callers branch on, and what users read but the kernel's explanation, which is not the same in
// all versions.
func sameFailure(a, b error) bool {
	if withoutAck(a) != withoutAck(b) {
		return false
	}
	for _, kind := range []error{host.ErrNotExist, host.ErrExist, host.ErrBusy, host.ErrPermission, host.ErrUnsupported, host.ErrNoNetNS, host.ErrUnreachable,
		modules.ErrNotConverged} {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return true
}

func withoutAck(err error) string {
	text := errText(err)
	if e := new(host.Error); errors.As(err, &e) && e.Ack != "" {
		text = strings.TrimSuffix(text, ": "+e.Ack)
	}
	return text
}

// worldCalls are a small lab, built and torn down in any order. The parameter with a default is one that nobody sets: that a default
// was written once in the first namespace is handed on to all others, and cannot be read. An entry that is answered for is one
// of lo, which never lacks a carrier: older kernels drop it then, when they get round to it (linkwatch_do_dev).
func worldCalls() []modules.Call {
	var out []modules.Call
	worlds := map[string][]string{
		"netns":   {`{"name":"a"}`, `{"name":"b"}`},
		"veth":    {`{"name":"v0","peer":"v1"}`, `{"name":"v0","peer":"v1","peer_netns":"a"}`, `{"name":"w0","peer":"w1","netns":"a","peer_netns":"b","mtu":1400}`},
		"bridge":  {`{"name":"br0","ports":["v0"]}`, `{"name":"br0","ports":["t0"]}`, `{"name":"br0","ports":[]}`, `{"name":"br0","mtu":1300}`},
		"macvlan": {`{"name":"mv0","dev":"v0"}`, `{"name":"mv1","dev":"br0","master":"br0"}`, `{"name":"mv1","dev":"t0"}`},
		"tuntap":  {`{"name":"t0","mode":"tun"}`, `{"name":"t0","mode":"tap"}`},
		"vxlan": {`{"name":"vx0","vni":7,"dev":"v0","remote":"10.0.0.2"}`, `{"name":"vx1","vni":7}`, `{"name":"vx0","vni":7,"group":"ff05::1","dev":"v0"}`,
			`{"name":"vx1","vni":7,"remote":"fd00::2"}`, `{"name":"vx1","vni":7,"group":"239.0.0.1","dev":"br0","master":"br0"}`},
		"address": {`{"dev":"v0","cidr":["10.0.0.1/24","fd00::1/64"],"nodad":true}`, `{"dev":"v0","cidr":["10.0.0.3/24"],"exclusive":true}`, `{"dev":"br0","cidr":["10.1.0.1/16"]}`,
			`{"dev":"v0","cidr":[],"exclusive":true}`, `{"dev":"v1","cidr":["10.0.0.2/24"],"netns":"a"}`, `{"dev":"w0","netns":"a","cidr":["10.2.0.1/24","fd02::1/64"],"nodad":true}`},
		"route": {`{"dst":"default","via":"10.0.0.2"}`, `{"dst":"10.8.0.0/16","dev":"br0"}`, `{"dst":"10.7.0.0/16","via":"10.0.0.2","src":"10.0.0.1"}`,
			`{"dst":"10.6.0.0/16","nexthop":[{"via":"10.0.0.2"},{"via":"10.1.0.2"}]}`, `{"dst":"::/0","via":"fd00::9"}`, `{"dst":"default","via":"10.2.0.2","netns":"a","table":7}`,
			`{"dst":"10.5.0.0/16","type":"blackhole"}`, `{"dst":"fd06::/16","type":"throw","src":"fd00::1"}`, `{"dst":"10.4.0.0/16","type":"throw","src":"10.0.0.77"}`,
			`{"dst":"fd07::/16","dev":"v0","src":"fd00::1"}`, `{"dst":"fd08::/16","via":"fd00::1","dev":"v0"}`, `{"dst":"fd09::/16","via":"fd00::9","dev":"br0","onlink":true}`,
			`{"dst":"10.3.0.0/16","via":"10.77.0.1","dev":"w0","netns":"a","onlink":true}`, `{"dst":"10.2.0.0/16","via":"10.0.0.2","dev":"v0","table":8}`,
			`{"dst":"fd0a::/16","via":"fe80::1","dev":"v0"}`, `{"dst":"fd05::/16","nexthop":[{"via":"fd00::2"},{"via":"fd00::3","dev":"br0"}]}`},
		"rule":  {`{"priority":"50","iif":"v0","table":7}`},
		"neigh": {`{"address":"10.0.0.9","dev":"v0","lladdr":"02:00:00:00:00:07"}`, `{"address":"fd00::9","dev":"v0","lladdr":"02:00:00:00:00:08","nud":"noarp"}`, `{"address":"10.1.0.9","dev":"lo","proxy":true}`},
		"fdb": {`{"lladdr":"00:00:00:00:00:00","dev":"vx0","dst":["10.0.0.2","10.0.0.7"]}`, `{"lladdr":"02:fd:00:00:00:01","dev":"v0","master":true,"state":"static"}`,
			`{"lladdr":"02:fd:00:00:00:01","dev":"vx1","dst":["fd00::7"],"port":8472}`, `{"lladdr":"00:00:00:00:00:00","dev":"vx1","dst":["239.0.0.1"],"exclusive":true}`},
		"sysctl": {`{"key":"net.ipv4.conf.v0.tag","value":"2"}`, `{"key":"net.ipv4.conf.all.forwarding","value":"1"}`, `{"key":"net.ipv4.conf.all.forwarding","value":"0"}`, `{"key":"net.ipv4.conf.default.tag","value":"1"}`, `{"key":"net.ipv4.conf.default.tag","value":"0"}`,
			`{"key":"net.ipv4.ip_forward","value":"1","netns":"a"}`, `{"key":"net.ipv6.conf.v0.mtu","value":"1400"}`, `{"key":"net.ipv6.conf.v0.mtu","value":"1500"}`,
			`{"key":"net.ipv6.conf.br0.mtu","value":"1280"}`, `{"key":"net.ipv6.conf.v0.disable_ipv6","value":"1"}`, `{"key":"net.ipv6.conf.v0.disable_ipv6","value":"0"}`,
			`{"key":"net.ipv4.conf.v0.tag","value":"0x1"}`, `{"key":"net.ipv4.conf.v0.tag","value":"yes"}`},
	}
	for _, module := range slices.Sorted(maps.Keys(worlds)) {
		for _, p := range worlds[module] {
			out = append(out, State(module, p))
			if module != "sysctl" {
				out = append(out, Absent(module, p))
			}
		}
	}
	for _, p := range []string{`{"name":"v0","up":false}`, `{"name":"v0","up":true}`, `{"name":"v1","netns":"b","from":"a","up":true}`, `{"name":"lo","up":true}`, `{"name":"lo","up":false}`,
		`{"name":"lo","netns":"a","up":true}`, `{"name":"v0","mtu":1200}`, `{"name":"v0","mtu":1500}`, `{"name":"v0","master":""}`,
		`{"name":"t0","address":"02:00:00:00:00:09"}`} {
		out = append(out, State("link", p))
	}
	return out
}
