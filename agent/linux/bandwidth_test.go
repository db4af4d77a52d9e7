package linux

import (
	"strings"
	"testing"
)

// TestBandwidthTellsWhatLimits limits the way at the router, and looks whether the measurement says so.
func TestBandwidthTellsWhatLimits(t *testing.T) {
	h, near := reachLab(t)
	for _, tt := range []struct{ name, ns, limit, undo, args, why string }{
		{name: "open", args: `"at_least":"30mbit"`},
		{name: "open, IPv6", args: `"at_least":"30mbit","address":"fd00:2::2","port":7777`},
		{name: "a shaper", ns: "router", limit: "tc qdisc add dev r2 root tbf rate 10mbit burst 16kb latency 50ms", undo: "tc qdisc del dev r2 root",
			args: `"at_least":"4mbit","at_most":"12mbit"`},
		{name: "a shaper, asked for more", ns: "router", limit: "tc qdisc add dev r2 root tbf rate 10mbit burst 16kb latency 50ms", undo: "tc qdisc del dev r2 root",
			args: `"at_least":"20mbit"`, why: "expected at least 20mbit, but "},
		{name: "no shaper", args: `"at_most":"10mbit"`, why: "expected at most 10mbit, but "},
		{name: "datagrams", args: `"proto":"udp","rate":"4mbit","at_least":"3mbit","at_most":"5mbit","loss_at_most":"0%"`},
		{name: "datagrams and a shaper", ns: "router", limit: "tc qdisc add dev r2 root tbf rate 4mbit burst 16kb latency 50ms", undo: "tc qdisc del dev r2 root",
			args: `"proto":"udp","rate":"8mbit","size":1000,"at_most":"5.5mbit","loss_at_least":"10%","loss_at_most":"65%"`},
		{name: "one of ten lost", ns: "router", limit: "iptables -A FORWARD -p udp -m statistic --mode nth --every 10 --packet 0 -j DROP", undo: "iptables -F",
			args: `"proto":"udp","rate":"4mbit","loss_at_most":"1%"`, why: ", are lost"},
		{name: "one of ten lost, as expected", ns: "router", limit: "iptables -A FORWARD -p udp -m statistic --mode nth --every 10 --packet 0 -j DROP", undo: "iptables -F",
			args: `"proto":"udp","rate":"4mbit","loss_at_least":"9%","loss_at_most":"11%"`},
		{name: "all lost", ns: "router", limit: "iptables -A FORWARD -p udp -j DROP", undo: "iptables -F",
			args: `"proto":"udp","rate":"1mbit","wait":"100ms"`, why: "expected something to arrive, but 0mbit arrive"},
		{name: "refused", ns: "far", limit: "iptables -A INPUT -p udp -j REJECT", undo: "iptables -F",
			args: `"proto":"udp","rate":"1mbit","wait":"100ms"`, why: "boxA is told: port unreachable"},
		{name: "a smaller MTU", ns: "router", limit: "ip link set r2 mtu 1400", undo: "ip link set r2 mtu 1500", args: `"at_least":"30mbit"`},
		{name: "a black hole", ns: "router", limit: "ip link set r2 mtu 1300; iptables -A OUTPUT -p icmp -j DROP", undo: "ip link set r2 mtu 1500; iptables -F",
			args: `"at_most":"1gbit"`, why: "segments of 1348 bytes are dropped without a word, those of 500 are not"},
		{name: "no connection", ns: "router", limit: "iptables -A FORWARD -p tcp -j DROP", undo: "iptables -F", args: `"wait":"200ms"`, why: "connect to 10.0.2.2:5201: timed out"},
		{name: "not sent", ns: near, limit: "iptables -A OUTPUT -p udp -j DROP", undo: "iptables -F",
			args: `"proto":"udp","rate":"1mbit","wait":"100ms"`, why: "boxA is told: not permitted by the netfilter rules of this host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.limit != "" {
				inNS(t, h, tt.ns, tt.limit)
				defer inNS(t, h, tt.ns, tt.undo)
			}
			state, err := reach(t, h, "bandwidth", tt.args+`,"duration":"400ms"`)
			if tt.why == "" && err != nil || tt.why != "" && (err == nil || !strings.Contains(err.Error(), tt.why)) {
				t.Errorf("%v\nlacks %q\n%v", err, tt.why, state)
			}
		})
	}
}

// TestBandwidthOfNetem is of links that are slow, far away and lossy at once.
func TestBandwidthOfNetem(t *testing.T) {
	h, _ := reachLab(t)
	needQdisc(t, h, "netem")
	inNS(t, h, "router", "tc qdisc add dev r2 root netem delay 20ms rate 8mbit loss 10%")
	state, err := reach(t, h, "bandwidth", `"duration":"600ms","proto":"udp","rate":"4mbit","at_least":"2mbit","at_most":"5mbit","loss_at_least":"2%","loss_at_most":"25%"`)
	if err != nil {
		t.Error(err, state)
	}
	inNS(t, h, "router", "tc qdisc change dev r2 root netem delay 20ms rate 8mbit loss 0%")
	state, err = reach(t, h, "bandwidth", `"duration":"600ms","at_least":"3mbit","at_most":"8mbit"`)
	if err != nil {
		t.Error(err, state)
	}
	_, err = reach(t, h, "bandwidth", `"duration":"600ms","at_least":"20mbit"`)
	if err == nil || !strings.Contains(err.Error(), "expected at least 20mbit, but ") {
		t.Error(err)
	}
}
