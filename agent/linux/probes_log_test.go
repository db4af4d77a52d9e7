package linux

import "testing"

// write makes a trigger that has the kernel log lines: what processes write comes out as what the kernel says.
func write(lines string) string {
	return `"trigger":[{"command":"sh -c 'for l in ` + lines + `; do echo $l >/dev/kmsg; done'"}]`
}

func TestKMsg(t *testing.T) {
	h := freshHost(t)
	probeAll(t, h, []seen{
		{"kmsg", `{"name":"a","prefix":["labctl-a:"],"lines":["labctl-a:one","labctl-a:two*TTL"],` + write("labctl-a:one-more other labctl-a:two-IN=-TTL=63") + `}`, ""},
		{"kmsg", `{"name":"a","prefix":["labctl-a:","labctl-c:"],"contains":"P=1","lines":["labctl-c:","labctl-a:"],` + write("labctl-c:P=1 labctl-c:P=2 labctl-a:xP=1") + `}`, ""},
		{"kmsg", `{"name":"a","prefix":["labctl-a:"],"lines":["labctl-a:two","labctl-a:one"],` + write("labctl-a:one labctl-a:two") + `}`, `kernel log: expected as line 1 "labctl-a:two", but it is "labctl-a:one"`},
		{"kmsg", `{"name":"a","prefix":["labctl-a:"],"lines":["labctl-a:one","labctl-a:two"],` + write("labctl-a:one") + `}`, `line 2 of 2 is missing: "labctl-a:two", after 1 that are there`},
		{"kmsg", `{"name":"a","prefix":["labctl-a:"],"lines":["labctl-a:one"],` + write("labctl-a:one labctl-a:two") + `}`, `expected 1 lines, but there are 2: the first too many is "labctl-a:two"`},
		{"kmsg", `{"name":"a","prefix":["labctl-a:"],"lines":["labctl-a:one","labctl-a:three"],"among":true,` + write("labctl-a:zero labctl-a:one labctl-a:two labctl-a:three labctl-a:four") + `}`, ""},
		{"kmsg", `{"name":"a","prefix":["labctl-a:"],"lines":["labctl-a:three","labctl-a:one"],"among":true,` + write("labctl-a:one labctl-a:three") + `}`, `line 2 of 2 is missing: "labctl-a:one"`},
		{"kmsg", `{"name":"a","prefix":["labctl-a:"],"lines":[],"wait":"0s"}`, ""},

		{"kmsg", `{"name":"b","prefix":["labctl-b:"],"start":true}`, ""},
		{"kmsg", `{"name":"a","lines":["labctl-b:early"],"prefix":["labctl-b:"],` + write("labctl-b:early") + `}`, ""},
		{"kmsg", `{"name":"b","stop":true,"prefix":["labctl-b:"],"lines":["labctl-b:early","labctl-b:late"],"deadline":"5s","trigger":[{"command":"sh -c \"(sleep 1; echo labctl-b:late >/dev/kmsg) >/dev/null 2>&1 &\""}]}`, ""},
		{"kmsg", `{"name":"b","stop":true}`, `stop kmsg b: none of this name`},
		{"kmsg", `{"name":"b","start":true}`, ""},
	})
	probeAll(t, h, []seen{
		{"kmsg", `{"name":"c","start":true}`, ""},
		{"kmsg", `{"name":"c","stop":true,"prefix":["labctl-c:"],"lines":["labctl-c:","labctl-c:"],"deadline":"1s",` + write("labctl-c:once") + `}`, "line 2 of 2 is missing"},
	})
	sh(t, h, "", "(sleep 0.7; echo labctl-b:late >/dev/kmsg) >/dev/null 2>&1 &")
	probeAll(t, h, []seen{
		{"kmsg", `{"name":"b","stop":true,"prefix":["labctl-b:late"],"lines":["labctl-b:late"],"wait":"0s","deadline":"5s"}`, ""},
	})
}

func TestIPTablesState(t *testing.T) {
	h := freshLab(t)
	sh(t, h, "router", `iptables -P FORWARD DROP; iptables -A FORWARD -i r1 -j ACCEPT; iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -A FORWARD -p tcp -i r2 --destination-port 8800 -d 10.0.1.1 -j ACCEPT; iptables -N MINE; ip6tables -A INPUT -s fd00::1 -j DROP`)
	probeAll(t, h, []seen{
		{"iptables_state", `{"chain":"FORWARD","netns":"router","policy":"DROP","rules":["-i r1 -j ACCEPT","-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT","-A FORWARD -d 10.0.1.1/32 -i r2 -p tcp -m tcp --dport 8800 -j ACCEPT"]}`, ""},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","rules":["-i r1 -j ACCEPT"]}`, "chain FORWARD of table filter in netns router: expected 1 rules, but there is one more: -m conntrack"},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","rules":["-i r2 -j ACCEPT"]}`, "rule 1 is -i r1 -j ACCEPT, not -i r2 -j ACCEPT"},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","policy":"ACCEPT"}`, "expected policy ACCEPT, but it is DROP"},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","among":true,"rules":["-i r1 -j ACCEPT","-p tcp -i r2 --dport 8800 -d 10.0.1.1 -j ACCEPT"]}`, ""},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","among":true,"rules":["-p tcp -i r2 --dport 8800 -d 10.0.1.1 -j ACCEPT","-i r1 -j ACCEPT"]}`, "-i r1 -j ACCEPT does not stand behind -d 10.0.1.1/32"},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","among":true,"rules":["-i r3 -j ACCEPT"]}`, "there is no rule -i r3 -j ACCEPT"},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","among":true,"rules":["-i r3 -j ACCEPT"],"expect":"absent"}`, ""},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","among":true,"rules":["-i r3 -j ACCEPT","-i r1 -j ACCEPT"],"expect":"absent"}`, "expected no such rule, but there is -i r1 -j ACCEPT"},
		{"iptables_state", `{"chain":"FORWARD","netns":"router","rules":["--nonsense"]}`, "nonsense"},
		{"iptables_state", `{"chain":"MINE","netns":"router","rules":[]}`, ""},
		{"iptables_state", `{"chain":"OTHER","netns":"router"}`, "chain OTHER of table filter in netns router: there is none"},
		{"iptables_state", `{"chain":"OTHER","netns":"router","expect":"absent"}`, ""},
		{"iptables_state", `{"chain":"INPUT","netns":"router","family":"ipv6","rules":["-s fd00:0::1 -j DROP"]}`, ""},
		{"iptables_state", `{"chain":"POSTROUTING","table":"nat","rules":[],"policy":"ACCEPT"}`, ""},
	})
	sh(t, h, "router", `(sleep 1.5; iptables -P FORWARD ACCEPT) >/dev/null 2>&1 &`)
	probeAll(t, h, []seen{{"iptables_state", `{"chain":"FORWARD","netns":"router","policy":"ACCEPT","deadline":"6s"}`, ""}})
}
