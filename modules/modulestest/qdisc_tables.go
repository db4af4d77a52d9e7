package modulestest

import (
	"context"

	"labctl/modules/host"
)

func qdiscSuite() Suite {
	return Suite{Module: "qdisc", Setup: wires("v"), States: append(states("qdisc", `{"dev":"v","kind":"tbf","rate":"10mbit","burst":"32kb","latency":"50ms"}`,
		`{"dev":"v","kind":"tbf","rate":"1gbit","burst":"100001","limit":300000}`, `{"dev":"v","kind":"tbf","rate":"125kbps","burst":"5k","latency":"1s","handle":"A:"}`), Absent("qdisc", `{"dev":"v"}`), Absent("qdisc", `{"dev":"nothing"}`)),
		Rejects: []Reject{{`{"dev":"v"}`, "kind"}, {`{"dev":"v","kind":"x"}`, "kind"}, {`{"dev":"v","kind":"tbf","rate":"1mbit"}`, "burst"}, {`{"dev":"v","kind":"tbf","rate":"1mbit","burst":"10k"}`, "latency"},
			{`{"dev":"v","kind":"tbf","rate":"1mbit","burst":"10k","latency":"1s","limit":5}`, "latency"}, {`{"dev":"v","kind":"tbf","rate":"fast","burst":"10k","latency":"1s"}`, "rate"},
			{`{"dev":"v","kind":"tbf","rate":"8kbit","burst":"10kb","latency":"1s"}`, "burst"}, {`{"dev":"v","kind":"netem","delay":"5"}`, "delay"}, {`{"dev":"v","kind":"netem","loss":"101%"}`, "loss"},
			{`{"dev":"v","kind":"netem","reorder":"5%"}`, "reorder"}, {`{"dev":"v","kind":"fq_codel","loss":"5%"}`, "loss"}, {`{"dev":"v","kind":"htb","ecn":true}`, "ecn"},
			{`{"dev":"v","kind":"clsact","parent":"1:1"}`, "parent"}, {`{"dev":"v","kind":"fq","parent":"1:"}`, "parent"}, {`{"dev":"v","kind":"fq","handle":"1:1"}`, "handle"},
			{`{"dev":"v","kind":"htb","default":"xyz"}`, "default"}, {`{"dev":"v","kind":"htb","class":[{"classid":"1:1","rate":"1mbit"},{"classid":"2:1","rate":"1mbit"}]}`, "class[1].classid"},
			{`{"dev":"v","kind":"htb","class":[{"classid":"1:1","rate":"1mbit","parent":"1:9"}]}`, "class[0].parent"}, {`{"dev":"v","kind":"htb","class":[{"classid":"1:1","rate":"1mbit","parent":"1:1"}]}`, "class[0].parent"},
			{`{"dev":"v","kind":"htb","class":[{"classid":"1:1","rate":"2mbit","ceil":"1mbit"}]}`, "class[0].ceil"}, {`{"dev":"v","kind":"htb","class":[{"classid":"1:1"}]}`, "class[0].rate"},
			{`{"dev":"v","kind":"htb","class":[{"classid":"1:1","rate":"1mbit","prio":1},{"classid":"1:2","rate":"1mbit","parent":"1:1"}]}`, "class[0].prio"}}}
}

func qdiscCodelSuite() Suite {
	return Suite{Module: "qdisc", Name: "qdisc fq_codel", Needs: []string{"qdisc fq_codel", "qdisc netem"}, Setup: wires("v"), States: states("qdisc", `{"dev":"v","kind":"fq_codel"}`,
		`{"dev":"v","kind":"fq_codel","target":"5ms","interval":"100ms","limit":1000,"ecn":false}`, `{"dev":"v","kind":"fq_codel","target":"7ms","flows":512,"ecn":true}`,
		`{"dev":"v","kind":"tbf","rate":"1mbit","burst":"10k","latency":"20ms"}`, `{"dev":"v","kind":"netem","delay":"20ms"}`)}
}

func qdiscIngressSuite() Suite {
	return Suite{Module: "qdisc", Name: "qdisc ingress", Needs: []string{"qdisc clsact"}, Setup: wires("v"), States: append(states("qdisc", `{"dev":"v","kind":"clsact"}`, `{"dev":"v","kind":"ingress"}`), Absent("qdisc", `{"dev":"v","kind":"clsact"}`))}
}

func qdiscNetemSuite() Suite {
	return Suite{Module: "qdisc", Name: "qdisc netem", Needs: []string{"qdisc netem"}, Setup: wires("v"), States: states("qdisc", `{"dev":"v","kind":"netem","delay":"100ms"}`,
		`{"dev":"v","kind":"netem","delay":"100ms","jitter":"7us","loss":"33.3%"}`, `{"dev":"v","kind":"netem","delay":"1.5s","reorder":"25%"}`, `{"dev":"v","kind":"netem","loss":"0%","duplicate":"0.01%","corrupt":"100%"}`,
		`{"dev":"v","kind":"netem","rate":"1mbit","limit":50}`, `{"dev":"v","kind":"netem","delay":"5ms","reorder":"0%","corrupt":"0%","rate":"0bit"}`, `{"dev":"v","kind":"netem","jitter":"3ns"}`)}
}

func qdiscHTBSuite() Suite {
	const top = `{"dev":"v","kind":"htb","default":"20","class":[`
	return Suite{Module: "qdisc", Name: "qdisc htb", Needs: []string{"qdisc htb"}, Setup: wires("v"), States: states("qdisc", top+`{"classid":"1:10","rate":"6mbit","ceil":"10mbit"},{"classid":"1:20","rate":"4mbit","prio":1}]}`,
		top+`{"classid":"1:1","rate":"10mbit"},{"classid":"1:20","rate":"4mbit","parent":"1:1","burst":"15k"},{"classid":"1:10","rate":"6mbit","parent":"1:1"}]}`,
		top+`{"classid":"1:20","rate":"4mbit","ceil":"9mbit","prio":1},{"classid":"1:2","rate":"1mbit","parent":"1:3"},{"classid":"1:3","rate":"2mbit"}]}`, top+`]}`,
		`{"dev":"v","kind":"htb","default":"30","handle":"1:"}`, `{"dev":"v","kind":"htb"}`)}
}

// qdiscLeafSuite attaches to a class of htb.
func qdiscLeafSuite() Suite {
	shaped := func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		q := host.Qdisc{Link: "v", Parent: "root", Handle: "1:", Kind: "htb"}
		if err := n.Qdiscs().Set(ctx, q); err != nil {
			return err
		}
		return n.Qdiscs().SetClasses(ctx, q, host.QdiscClass{ID: "1:10", Parent: "1:", Options: map[string]int64{"rate": 1e6, "ceil": 1e6, "buffer": 25000, "cbuffer": 25000}})
	}
	return Suite{Module: "qdisc", Name: "qdisc of a class", Needs: []string{"qdisc htb"}, Setup: setups(wires("v"), shaped), States: append(states("qdisc", `{"dev":"v","parent":"1:10","kind":"tbf","rate":"2mbit","burst":"10k","limit":20000}`,
		`{"dev":"v","parent":"1:10","kind":"tbf","rate":"1mbit","burst":"10k","latency":"20ms"}`), Absent("qdisc", `{"dev":"v","parent":"1:10"}`))}
}
