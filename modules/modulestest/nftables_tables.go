package modulestest

import (
	"context"
	"fmt"
	"maps"

	"labctl/modules/host"
)

func nftablesSuite() Suite {
	return Suite{Module: "nftables", Needs: []string{"nftables"}, Setup: foreignNFTable, Compare: compareNFTables, States: append(states("nftables",
		`{"table":"inet filter","content":"chain input {\n type filter hook input priority 0; policy drop;\n ct state { new, established } accept\n tcp dport { http, 22 } counter accept\n}\n"}`,
		`{"table":"inet filter","content":"#!/usr/sbin/nft -f\nflush ruleset\ndefine ports = { 80, 443 }\ntable inet filter {\n chain input { type filter hook input priority filter; tcp dport $ports accept; }\n}\n"}`,
		`{"table":"inet filter","content":"set banned { type ipv4_addr; flags timeout; elements = { 1.2.3.4, 10.0.0.1 timeout 2h }; }\nset nets { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.0.1 }; }\nset seen { type ipv4_addr; flags dynamic; size 100; }\nchain input { type filter hook input priority 0; add @seen { ip saddr }; ip saddr @banned drop; }"}`,
		`{"table":"inet filter","content":"counter hits { packets 5 bytes 7; }\nquota q { over 10 mbytes used 2 mbytes; }\nmap m { type inet_service : verdict; elements = { 22 : accept, 80 : drop }; }\nchain a { counter name hits quota name q tcp dport vmap @m; }\nchain b { jump a; }"}`,
		`{"table":"inet filter","content":""}`), Absent("nftables", `{"table":"inet filter"}`)),
		Rejects: []Reject{{`{"table":"filter","content":""}`, "table"}, {`{"table":"inet 9","content":""}`, "table"}, {`{"table":"inet a;b","content":""}`, "table"}, {`{"table":"ipv4 filter","content":""}`, "table"},
			{`{"table":"inet filter"}`, "content"}}}
}

// nftablesDeviceSuite has rules and chains that stand on a device.
func nftablesDeviceSuite() Suite {
	return Suite{Module: "nftables", Name: "nftables netdev", Needs: []string{"nftables"}, Setup: setups(wires("v", "w"), foreignNFTable), Compare: compareNFTables, States: states("nftables",
		`{"table":"netdev edge","content":"chain in { type filter hook ingress device v priority 0; ip saddr 10.0.0.0/8 drop; }"}`,
		`{"table":"netdev edge","content":"chain in { type filter hook ingress device \"w\" priority 0; iif w accept; }\nchain other { iif { v, lo } drop; }"}`)}
}

const foreignTable = "table ip foreign {\n\tchain post {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\toifname \"v\" masquerade\n\t}\n}\n"

// foreignNFTable sets up what somebody else has there.
func foreignNFTable(ctx context.Context, h host.Host, _ string) error {
	n, err := h.Net(ctx, "")
	if err != nil {
		return err
	}
	return n.NFTables().Replace(ctx, "ip foreign", foreignTable)
}

func compareNFTables(ctx context.Context, model, real host.Host) string {
	var all [2]map[string]string
	for i, h := range []host.Host{model, real} {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err.Error()
		}
		if all[i], err = n.NFTables().Tables(ctx); err != nil {
			return err.Error()
		}
		if all[i]["ip foreign"] != foreignTable {
			return "somebody else's table is no longer what it was: " + all[i]["ip foreign"]
		}
		for name, text := range all[i] {
			all[i][name], _ = host.StableNFTable(text)
		}
	}
	if maps.Equal(all[0], all[1]) {
		return ""
	}
	return fmt.Sprintf("only the model: %+v\nonly the host:  %+v", all[0], all[1])
}
