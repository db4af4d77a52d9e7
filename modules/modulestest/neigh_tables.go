package modulestest

import (
	"context"

	"labctl/modules/host"
)

func neighSuite() Suite {
	return Suite{Module: "neigh", Setup: setups(wires("v"), addresses("v", "10.0.0.1/24", "fd00::1/64")), States: append(states("neigh",
		`{"address":"10.0.0.5","dev":"v","lladdr":"02:00:00:00:AA:05"}`, `{"address":"10.0.0.5","dev":"v","lladdr":"02:00:00:00:aa:06","nud":"noarp"}`,
		`{"address":"10.0.0.5","dev":"v","lladdr":"02:00:00:00:aa:05","router":true}`, `{"address":"10.0.0.5","dev":"v","lladdr":"02:00:00:00:aa:07"}`,
		`{"address":"10.0.0.5","dev":"v","proxy":true}`), Absent("neigh", `{"address":"10.0.0.5","dev":"v"}`), Absent("neigh", `{"address":"10.0.0.5","dev":"v","proxy":true}`),
		Absent("neigh", `{"address":"10.0.0.5","dev":"nothing"}`)),
		Rejects: []Reject{{`{"address":"x","dev":"v"}`, "address"}, {`{"address":"224.0.0.1","dev":"v","lladdr":"02:00:00:00:aa:05"}`, "address"}, {`{"address":"10.0.0.5"}`, "dev"},
			{`{"address":"10.0.0.5","dev":"v"}`, "lladdr"}, {`{"address":"10.0.0.5","dev":"v","lladdr":"z"}`, "lladdr"}, {`{"address":"10.0.0.5","dev":"v","lladdr":"02:00:00:00:aa:05","nud":"stale"}`, "nud"},
			{`{"address":"10.0.0.5","dev":"v","lladdr":"02:00:00:00:aa:05","proxy":true}`, "proxy"}}}
}

func neigh6Suite() Suite {
	return Suite{Module: "neigh", Name: "neigh IPv6", Setup: setups(wires("v"), addresses("v", "fd00::1/64")), States: append(states("neigh",
		`{"address":"FD00::5","dev":"v","lladdr":"02:00:00:00:aa:05","router":true}`, `{"address":"fd00::5","dev":"v","lladdr":"02:00:00:00:aa:06","router":false}`,
		`{"address":"fd00::5","dev":"v","proxy":true}`), Absent("neigh", `{"address":"fd00::5","dev":"v"}`), Absent("neigh", `{"address":"fd00::5","dev":"v","proxy":true}`))}
}

// tunnel makes a VXLAN that is up.
func tunnel(name, remote string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		data := host.Attrs{"vni": 100.0, "dstport": 4789.0}
		if remote != "" {
			data["remote"] = remote
		}
		return n.Links().Create(ctx, host.Link{Name: name, Kind: "vxlan", Up: ptr(true), Data: data})
	}
}

// fdbFloodSuite: one address, many remotes.
func fdbFloodSuite() Suite {
	const zero = `{"lladdr":"00:00:00:00:00:00","dev":"vx0",`
	return Suite{Module: "fdb", Name: "fdb head-end replication", Needs: []string{"vxlan"}, Setup: setups(wires("v"), addresses("v", "10.0.0.1/24"), tunnel("vx0", "10.0.0.9")),
		States: append(states("fdb", zero+`"dst":["10.0.0.2"]}`, zero+`"dst":["10.0.0.3","10.0.0.2"]}`, zero+`"dst":["10.0.0.4"],"exclusive":true}`, zero+`"dst":["10.0.0.4","10.0.0.2"],"exclusive":true}`,
			zero+`"dst":["10.0.0.2"],"port":4789,"vni":100}`, zero+`"dst":["10.0.0.2","10.0.0.5"],"port":8472,"vni":7,"via":"v"}`, zero+`"dst":["10.0.0.2"],"port":4790,"state":"static"}`,
			zero+`"dst":[],"exclusive":true}`), Absent("fdb", zero+`"dst":["10.0.0.2","10.0.0.3"]}`), Absent("fdb", `{"lladdr":"00:00:00:00:00:00","dev":"vx0"}`),
			Absent("fdb", `{"lladdr":"00:00:00:00:00:00","dev":"nothing"}`)),
		Rejects: []Reject{{`{"lladdr":"00:00:00:00:00:00","dev":"vx0"}`, "dst"}, {zero + `"dst":["x"]}`, "dst[0]"}, {zero + `"dst":["10.0.0.2","10.0.0.2"]}`, "dst[1]"}, {zero + `"dst":[]}`, "dst"},
			{zero + `"dst":["10.0.0.2"],"master":true}`, "master"}, {zero + `"dst":["10.0.0.2"],"port":0}`, "port"}, {zero + `"dst":["10.0.0.2"],"vni":16777216}`, "vni"},
			{`{"lladdr":"02:fd:00:00:00:01","dev":"vx0","dst":["10.0.0.2","10.0.0.3"]}`, "dst"}, {`{"lladdr":"02:fd:00:00:00:01"}`, "dev"}, {`{"lladdr":"z","dev":"v"}`, "lladdr"},
			{`{"lladdr":"02:fd:00:00:00:01","dev":"v","port":5}`, "dst"}, {`{"lladdr":"02:fd:00:00:00:01","dev":"v","state":"stale"}`, "state"}}}
}

func fdbRemoteSuite() Suite {
	const one = `{"lladdr":"02:FD:00:00:00:01","dev":"vx0",`
	return Suite{Module: "fdb", Name: "fdb vxlan", Needs: []string{"vxlan"}, Setup: setups(wires("v"), addresses("v", "10.0.0.1/24"), tunnel("vx0", "")),
		States: states("fdb", one+`"dst":["10.0.0.2"]}`, one+`"dst":["10.0.0.3"],"port":8472}`, one+`"dst":["10.0.0.3"],"vni":5,"state":"static"}`, one+`"dst":["10.0.0.3"],"via":"v","port":4789,"state":"dynamic"}`)}
}

func fdbBridgeSuite() Suite {
	const one = `{"lladdr":"02:fd:00:00:00:01","dev":"v","master":true`
	return Suite{Module: "fdb", Setup: setups(wires("v", "w"), bridge("br0"), port("v", "br0"), port("w", "br0")), States: append(states("fdb", one+`}`, one+`,"state":"static"}`,
		`{"lladdr":"02:fd:00:00:00:01","dev":"v"}`), Absent("fdb", one+`}`), Absent("fdb", `{"lladdr":"02:fd:00:00:00:01","dev":"v"}`),
		State("fdb", `{"lladdr":"02:fd:00:00:00:01","dev":"w","master":true,"state":"static"}`), State("fdb", `{"lladdr":"02:fd:00:00:00:01","dev":"br0"}`))}
}

// port attaches a device to a bridge.
func port(name, bridge string) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		return n.Links().Set(ctx, host.Link{Name: name, Master: &bridge})
	}
}
