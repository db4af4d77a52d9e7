package linux

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// reach runs a probe from this test's namespace to far as the runner does, both ends in this process.
func reach(t *testing.T, h *Host, module, args string) (state map[string]any, verdict error) {
	t.Helper()
	m, err := modules.Default.Lookup(module)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(args, `"address"`) {
		args += `,"address":"10.0.2.2"`
	}
	c := modules.Call{Module: module, Params: json.RawMessage(`{"name":"x","from":"boxA","to":"boxB","to_netns":"far",` + args + `}`)}
	r, ear, err := m.Listen(ctxOf(t), h, c)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	c.Params = r.State
	r, err = m.Apply(ctxOf(t), h, c)
	if err == nil {
		c.Params = r.State
	}
	res, verdict := ear(c)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(res.State, &state); err != nil {
		t.Fatal(err)
	}
	return state, verdict
}

// machineNS is the namespace that the tests were started in.
var machineNS, errMachineNS = os.Readlink("/proc/thread-self/ns/net")

// nearNS names the namespace of this test by its thread. A command without a namespace runs in that of the goroutine that
// starts it, and those of subtests are in the machine's own, whose firewall is nobody's to try things with.
func nearNS(t *testing.T) string {
	t.Helper()
	near := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
	own, err := os.Readlink(near)
	if err != nil || errMachineNS != nil {
		t.Fatal(err, errMachineNS)
	}
	if own == machineNS {
		t.Fatal("this test has no namespace of its own")
	}
	return near
}

// inNS runs a shell script in a namespace of the lab, which must be named.
func inNS(t *testing.T, h *Host, ref, script string) {
	t.Helper()
	if ref == "" {
		t.Fatal("the script has no namespace to run in")
	}
	guard := "test $(readlink /proc/self/ns/net) != " + machineNS + "; "
	r, err := h.Commands().Run(ctxOf(t), host.Exec{Argv: []string{"sh", "-exc", guard + script}, NetNS: ref})
	if err != nil || r.Status != 0 {
		t.Fatalf("%s: %s, %v", script, r.Stderr, err)
	}
}

// reachBy has the arguments for each of them.
var reachBy = map[string]string{"icmp": `"proto":"icmp"`, "tcp": `"proto":"tcp","port":80`, "udp": `"proto":"udp","port":80`}

// reachLab is the lab without the kernel's limit on ICMP errors, and this namespace's name in it.
func reachLab(t *testing.T) (h *Host, near string) {
	h, near = freshLab(t), nearNS(t)
	for _, ns := range []string{near, "router", "far"} {
		inNS(t, h, ns, "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit")
	}
	return h, near
}

// TestReachTellsWhere blocks packets at every place on their way. The router is between this namespace and far.
func TestReachTellsWhere(t *testing.T) {
	h, near := reachLab(t)
	for _, tt := range []struct{ name, ns, rules, protos, args, seen, why string }{
		{name: "open", ns: "router", rules: "true", seen: "reachable", why: "every request is answered"},
		{name: "dropped there", ns: "router", rules: "iptables -A FORWARD -d 10.0.2.2 -j DROP", seen: "blocked_there", why: "nothing arrived at boxB of 3 requests that left boxA"},
		{name: "dropped back", ns: "router", rules: "iptables -A FORWARD -s 10.0.2.2 -j DROP", seen: "blocked_back", why: "boxB received 3 of 3 requests, but no answer came back: return path"},
		{name: "rejected there", ns: "router", rules: "iptables -A FORWARD -d 10.0.2.2 -j REJECT", seen: "blocked_there", why: "boxA is told: port unreachable from 10.0.1.254"},
		{name: "prohibited there", ns: "router", rules: "iptables -A FORWARD -d 10.0.2.2 -j REJECT --reject-with icmp-admin-prohibited", seen: "blocked_there", why: "boxA is told: administratively prohibited from 10.0.1.254"},
		{name: "reset there", ns: "router", protos: "tcp", rules: "iptables -A FORWARD -p tcp -d 10.0.2.2 -j REJECT --reject-with tcp-reset", seen: "blocked_there", why: "reset on the way, in the name of 10.0.2.2"},
		{name: "rejected back", ns: "router", rules: "iptables -A FORWARD -s 10.0.2.2 -j REJECT", seen: "blocked_back", why: "boxB is told: port unreachable from 10.0.2.254"},
		{name: "no way", ns: "router", rules: "iptables -A FORWARD -d 10.0.2.2 -j REJECT --reject-with icmp-net-unreachable", seen: "unreachable", why: "boxA is told: network unreachable from 10.0.1.254"},
		{name: "dropped by far", ns: "far", rules: "iptables -A INPUT -i vb -j DROP", seen: "blocked_back", why: "boxB received 3 of 3 requests, but no answer left it"},
		{name: "dropped by far going out", ns: "far", rules: "iptables -A OUTPUT -o vb -j DROP", seen: "blocked_back", why: "boxB received 3 of 3 requests, but no answer left it"},
		{name: "rejected by far", ns: "far", rules: "iptables -A INPUT -i vb -j REJECT", seen: "refused", why: "refused by boxB"},
		{name: "reset by far", ns: "far", protos: "tcp", rules: "iptables -A INPUT -p tcp -j REJECT --reject-with tcp-reset", seen: "refused", why: "refused by boxB, which listens"},
		{name: "dead service", ns: "far", protos: "tcp udp", args: `,"service":true`, rules: "true", seen: "refused", why: "refused by boxB: nobody listens there"},
		{name: "dropped by near coming in", ns: near, rules: "iptables -A INPUT -i va -j DROP", seen: "blocked_back", why: "its answers came back, but did not get through the firewall of boxA"},
		{name: "dropped by near going out", ns: near, rules: "iptables -A OUTPUT -o va -j DROP", seen: "blocked_there", why: "nothing left boxA"},
		{name: "translated", ns: "router", rules: "iptables -t nat -A POSTROUTING -o r2 -j MASQUERADE; iptables -A FORWARD -s 10.0.2.2 -m conntrack --ctstate ESTABLISHED -j DROP", seen: "blocked_back",
			why: "they arrived with source 10.0.2.254, not 10.0.1.1: translated on the way"},
	} {
		for proto, args := range reachBy {
			if tt.protos != "" && !strings.Contains(tt.protos, proto) {
				continue
			}
			t.Run(tt.name+" "+proto, func(t *testing.T) {
				inNS(t, h, tt.ns, tt.rules)
				defer inNS(t, h, tt.ns, "iptables -F; iptables -t nat -F")
				args += tt.args + `,"wait":"150ms","deadline":"0s"`
				state, err := reach(t, h, "reach", args+`,"expect":"`+tt.seen+`"`)
				if err != nil || state["seen"] != tt.seen {
					t.Errorf("seen %v: %v\n%v", state["seen"], err, state)
				}
				if tt.seen == "reachable" {
					return
				}
				if _, err = reach(t, h, "reach", args); err == nil || !strings.Contains(err.Error(), tt.why) || !strings.Contains(err.Error(), "expected reachable") {
					t.Errorf("%v\nlacks %s", err, tt.why)
				}
			})
		}
	}
}

func TestReachSays(t *testing.T) {
	h, _ := reachLab(t)
	inNS(t, h, "router", "iptables -t nat -A POSTROUTING -o r2 -j SNAT --to-source 10.0.2.254; iptables -t nat -A PREROUTING -i r1 -p tcp --dport 8080 -j DNAT --to-destination 10.0.2.2:80; ip link set r2 mtu 1400")
	inNS(t, h, "far", "ip link set vb mtu 1400")
	for proto, args := range reachBy {
		state, err := reach(t, h, "reach", args+`,"seen_as":"10.0.2.254"`)
		if err != nil || state["arrived_from"] != "10.0.2.254" || state["left_as"] != "10.0.1.1" {
			t.Errorf("%s: %v %v", proto, state, err)
		}
		if _, err := reach(t, h, "reach", args+`,"seen_as":"10.0.1.1","deadline":"0s"`); err == nil || !strings.Contains(err.Error(), "expected them to arrive with source 10.0.1.1, but it is 10.0.2.254") {
			t.Errorf("%s: %v", proto, err)
		}
	}
	if _, err := reach(t, h, "reach", `"proto":"udp","port":9,"size":1400,"df":true,"deadline":"0s"`); err == nil || !strings.Contains(err.Error(), "packet is too big (mtu 1400) from 10.0.1.254") {
		t.Errorf("too big: %v", err)
	}
	if _, err := reach(t, h, "reach", `"size":1400,"df":true,"expect":"too_big"`); err != nil {
		t.Error(err)
	}
	if _, err := reach(t, h, "reach", `"size":3000`); err != nil {
		t.Errorf("fragments: %v", err)
	}
	if _, err := reach(t, h, "reach", `"address":"10.9.9.9","expect":"unreachable"`); err != nil {
		t.Error(err)
	}
	state, err := reach(t, h, "reach", `"proto":"tcp","port":8080,"address":"10.0.1.254","service":true,"expect":"refused"`)
	if err != nil || state["arrived_at"] != "10.0.2.2:80" {
		t.Errorf("DNAT: %v %v", state, err)
	}
}

func TestReachUsesTheServiceThatIsThere(t *testing.T) {
	h, _ := reachLab(t)
	listen(t, h, "far", ":80", func(net.Conn) {})
	state, err := reach(t, h, "reach", reachBy["tcp"])
	if err != nil || state["served"] != true {
		t.Errorf("%v %v", state, err)
	}
	inNS(t, h, "router", "iptables -A FORWARD -s 10.0.2.2 -j DROP")
	if _, err := reach(t, h, "reach", reachBy["tcp"]+`,"wait":"100ms","deadline":"0s"`); err == nil || !strings.Contains(err.Error(), "return path; a service has port 80 there, and was used") {
		t.Error(err)
	}
	state, err = reach(t, h, "reach", `"proto":"tcp","port":81,"address":"fd00:2::2"`)
	if err != nil || state["served"] == true || state["arrived_from"] != "fd00:1::1" {
		t.Errorf("IPv6: %v %v", state, err)
	}
	for _, proto := range []string{`"proto":"icmp"`, `"proto":"udp","port":81`} {
		if _, err := reach(t, h, "reach", proto+`,"address":"fd00:2::2"`); err != nil {
			t.Error(err)
		}
	}
}
