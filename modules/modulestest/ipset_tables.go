package modulestest

import (
	"context"
	"encoding/json"

	"labctl/modules/host"
)

func ipsetSuite() Suite {
	return Suite{Module: "ipset", Needs: []string{"ipset"}, Setup: foreignSet, Compare: compareSets, States: append(states("ipset",
		`{"name":"s","type":"hash:net"}`, `{"name":"s","type":"hash:net","entries":["10.0.0.0/8","192.168.0.1"]}`, `{"name":"s","type":"hash:net","hashsize":2048,"maxelem":100,"entries":["10.0.0.0/8"]}`,
		`{"name":"s","type":"hash:net","comment":true,"counters":true,"entries":["10.0.0.0/8 comment \"a timeout 5\"","172.16.0.0/12 nomatch"],"exclusive":true}`,
		`{"name":"s","type":"hash:net","comment":true,"entries":["10.0.0.0/8 comment \"b\""]}`, `{"name":"s","type":"hash:net","comment":false,"counters":false,"entries":[],"exclusive":true}`,
		`{"name":"s","type":"hash:net","family":"inet","maxelem":5000,"hashsize":64}`), Absent("ipset", `{"name":"s"}`)),
		Rejects: []Reject{{`{"name":"s"}`, "type"}, {`{"name":"a b","type":"hash:ip"}`, "name"}, {`{"name":"s","type":"tree:ip"}`, "type"}, {`{"name":"s","type":"bitmap:port"}`, "range"},
			{`{"name":"s","type":"hash:ip","range":"1-2"}`, "range"}, {`{"name":"s","type":"list:set","maxelem":5}`, "maxelem"}, {`{"name":"s","type":"hash:ip","timeout":-1}`, "timeout"},
			{`{"name":"s","type":"hash:ip","entries":["1.1.1.1","a\nb"]}`, "entries[1]"}, {`{"name":"s","type":"hash:ip","exclusive":true}`, "entries"}, {`{"name":"s","type":"hash:ip","family":"ipv4"}`, "family"}}}
}

// ipsetTypesSuite goes from any type to any other.
func ipsetTypesSuite() Suite {
	return Suite{Module: "ipset", Name: "ipset types", Needs: []string{"ipset"}, Setup: foreignSet, Compare: compareSets, States: states("ipset",
		`{"name":"s","type":"hash:ip","family":"inet6","entries":["fd00::1"]}`, `{"name":"s","type":"hash:ip,port","entries":["10.0.0.1,tcp:80","10.0.0.1,udp:53"]}`,
		`{"name":"s","type":"bitmap:port","range":"0-1023","entries":["20","80"],"exclusive":true}`, `{"name":"s","type":"bitmap:port","range":"10-99","entries":["20"],"exclusive":true}`,
		`{"name":"s","type":"list:set","size":4,"entries":["foreign"]}`, `{"name":"s","type":"hash:ip","family":"inet","entries":["10.0.0.5","10.0.0.6"],"exclusive":true}`)}
}

func ipsetTimeoutSuite() Suite {
	return Suite{Module: "ipset", Name: "ipset timeout", Needs: []string{"ipset"}, Setup: foreignSet, Compare: compareSets, States: states("ipset",
		`{"name":"s","type":"hash:ip","timeout":3000,"entries":["10.0.0.1","10.0.0.2 timeout 500","10.0.0.3 timeout 0"]}`,
		`{"name":"s","type":"hash:ip","timeout":0,"entries":["10.0.0.1","10.0.0.4 timeout 700"],"exclusive":true}`, `{"name":"s","type":"hash:ip","timeout":9000}`)}
}

// foreignSet sets up what somebody else has there.
func foreignSet(ctx context.Context, h host.Host, _ string) error {
	n, err := h.Net(ctx, "")
	if err != nil {
		return err
	}
	return n.IPSets().Set(ctx, host.IPSet{Name: "foreign", Type: "hash:ip", Options: map[string]string{"family": "inet", "hashsize": "1024", "maxelem": "65536"}, Entries: []string{"10.9.9.9"}}, nil)
}

func compareSets(ctx context.Context, model, real host.Host) string {
	var texts [2]string
	for i, h := range []host.Host{model, real} {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err.Error()
		}
		all, err := n.IPSets().List(ctx)
		if err != nil {
			return err.Error()
		}
		b, _ := json.Marshal(all) // plain data
		texts[i] = string(b)
	}
	if texts[0] == texts[1] {
		return ""
	}
	return "the model: " + texts[0] + "\nthe host:  " + texts[1]
}
