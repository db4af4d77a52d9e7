package linux

import (
	"fmt"
	"path/filepath"
	"testing"
)

// overlaid joins this test's own namespace (10.9.0.1) and router (10.9.0.2) by a VXLAN whose group both have joined, and makes a
// device without Ethernet headers.
const overlaid = `
ip link add vx0 type vxlan id 100 group 239.255.0.1 ttl 5 dstport 4789 dev va; ip addr add 10.9.0.1/24 dev vx0; ip link set vx0 up address 02:00:00:00:09:01
nsenter --net=%[1]s ip link add vx0 type vxlan id 100 group 239.255.0.1 ttl 5 dstport 4789 dev r1
nsenter --net=%[1]s ip addr add 10.9.0.2/24 dev vx0; nsenter --net=%[1]s ip link set vx0 up address 02:00:00:00:09:02
ip link set va address 02:00:00:00:00:01; nsenter --net=%[1]s ip link set r1 address 02:00:00:00:00:fe
ip link add plain type vxlan external gpe dstport 4790; ip addr add 10.7.9.1/24 dev plain; ip link set plain up
`

func TestCapture(t *testing.T) {
	h := freshLab(t)
	sh(t, h, "", fmt.Sprintf(overlaid, filepath.Join(h.dir, "router")))
	probeAll(t, h, []seen{
		// VXLAN as it leaves: for all, and what it is that is for all.
		{"capture", `{"name":"first","dev":"va","filter":"udp port 4789","trigger":[{"ping":"10.9.0.2"}],"packet":[
			{"src_mac":"02:00:00:00:00:01","dst_mac":"01:00:5e:7f:00:01","vlan":0,"ethertype":"ipv4","src":"10.0.1.1","dst":"239.255.0.1","ttl":5,"proto":"udp","dst_port":4789,
			 "tunnel":"vxlan","vni":100,"inner":{"src_mac":"02:00:00:00:09:01","dst_mac":"ff:ff:ff:ff:ff:ff","ethertype":"arp","arp":"request","src":"10.9.0.1","dst":"10.9.0.2"},"count":"1"},
			{"src":"10.0.1.254","dst":"10.0.1.1","vni":100,"inner":{"arp":"reply","src_mac":"02:00:00:00:09:02"}},
			{"dst":"10.0.1.254","dst_mac":"02:00:00:00:00:fe","tunnel":"vxlan","inner":{"icmp":"echo-request","dst":"10.9.0.2","ttl":64}},
			{"vni":100,"inner":{"icmp":"echo-reply"},"count":"1"},
			{"tunnel":"none","count":"0"}]}`, ""},
		// As it arrives on the other side, and within the device.
		{"capture", `{"name":"there","dev":"r1","netns":"router","filter":"udp port 4789","trigger":[{"ping":"10.9.0.2","netns":"","count":2}],"packet":[{"vni":100,"inner":{"icmp":"echo-request"}}]}`, ""},
		{"capture", `{"name":"inside","dev":"vx0","filter":"icmp or arp","trigger":[{"ping":"10.9.0.2","count":2}],"packet":[{"icmp":"echo-request","tunnel":"none","count":"2"},{"icmp":"echo-reply","src_mac":"02:00:00:00:09:02","count":"2"}]}`, ""},

		// What is not seen, in words.
		{"capture", `{"name":"none","dev":"va","filter":"icmp","wait":"300ms","trigger":[{"ping":"10.0.1.254"}],"packet":[{"icmp":"echo-reply","count":"0"}]}`,
			`capture on va: expected 0 frames of packet[0] {"icmp":"echo-reply"}, but 1 of 2 are; seen: 02:00:00:00:00:01 > 02:00:00:00:00:fe, icmp echo-request 10.0.1.1 > 10.0.1.254; `},
		{"capture", `{"name":"filtered","dev":"va","filter":"icmp and src host 10.0.1.254","wait":"300ms","trigger":[{"ping":"10.0.1.254"}],"packet":[{"icmp":"echo-request"}]}`, "but 0 of 1 are"},
		{"capture", `{"name":"x","dev":"nowhere","packet":[{"icmp":"echo-request"}]}`, "capture on"},
		{"capture", `{"name":"again","dev":"va","filter":"arp","wait":"200ms","deadline":"5s","trigger":[{"command":"sh -c \"ip link show va | grep -q twice || { ip link set va alias twice; exit; }; ip neigh flush dev va; ping -c1 -W1 10.0.1.254\""}],"packet":[{"arp":"request"}]}`, ""},

		{"capture", `{"name":"each","dev":"va","filter":"icmp","wait":"100ms","deadline":"1s","trigger":[{"ping":"10.0.1.254"}],"packet":[{"icmp":"echo-request","count":"2"}]}`, "but 1 of 2 are"}, // tries do not add up

		// A tag in the frame on the way out, beside it on the way in.
		{"capture", `{"name":"in","dev":"r1","netns":"router","filter":"vlan 100 and arp","start":true}`, ""},
		{"capture", `{"name":"out","dev":"va","filter":"vlan 100 and arp","start":true}`, ""},
		{"capture", `{"name":"other","dev":"r1","netns":"router","filter":"vlan 101 or not vlan and arp","start":true}`, ""},
		{"arp", `{"address":"10.0.1.254","dev":"va","vlan":100,"expect":"none","wait":"100ms"}`, ""},
		{"capture", `{"name":"in","stop":true,"packet":[{"vlan":100,"inner_vlan":0,"ethertype":"arp","arp":"request","dst":"10.0.1.254","count":"1"}]}`, ""},
		{"capture", `{"name":"out","stop":true,"packet":[{"vlan":100,"arp":"request","count":"1"},{"vlan":0,"count":"0"}],"wait":"100ms"}`, ""},
		{"capture", `{"name":"other","stop":true,"packet":[{"vlan":100,"count":"0"}],"wait":"100ms"}`, ""},
		{"capture", `{"name":"other","stop":true}`, `stop capture other: none of this name`},

		// On and on: what one task has checked, the next does not see again.
		{"capture", `{"name":"on","dev":"va","filter":"arp","start":true}`, ""},
		{"arp", `{"address":"10.0.1.9","dev":"va","expect":"none","wait":"10ms"}`, ""},
		{"capture", `{"name":"on","start":true,"stop":true,"packet":[{"dst":"10.0.1.9","count":"1"}],"wait":"100ms"}`, ""},
		{"arp", `{"address":"10.0.1.8","dev":"va","expect":"none","wait":"10ms"}`, ""},
		{"capture", `{"name":"on","stop":true,"packet":[{"dst":"10.0.1.9","count":"0"},{"dst":"10.0.1.8","count":"1"}],"wait":"100ms"}`, ""},

		// No Ethernet header, and loopback, which shows each frame once.
		{"capture", `{"name":"plain","dev":"plain","filter":"icmp and dst host 10.7.9.2","trigger":[{"ping":"10.7.9.2","wait":"10ms"}],"packet":[{"ethertype":"ipv4","src":"10.7.9.1","dst":"10.7.9.2","icmp":"echo-request","count":"1"}]}`, ""},
		{"capture", `{"name":"lo","dev":"lo","filter":"icmp6 or port 9","trigger":[{"ping":"::1"},{"udp":"127.0.0.1:9"},{"tcp":"127.0.0.1:9"}],"wait":"200ms","packet":[
			{"icmp":"echo-request","dst":"::1","count":"1"},{"icmp":"echo-reply","count":"1"},{"proto":"udp","dst_port":9,"count":"1"},{"tcp_flags":"syn","count":"1"},{"tcp_flags":"rst,ack","src_port":9,"count":"1"}]}`, ""},
	})
}

func TestARPAndHops(t *testing.T) {
	h := freshLab(t)
	sh(t, h, "router", `ip link set r1 address 02:00:00:00:00:fe`)
	probeAll(t, h, []seen{
		{"arp", `{"address":"10.0.1.254","dev":"va"}`, ""},
		{"arp", `{"address":"10.0.1.254","dev":"va","lladdr":"02-00-00-00-00-fe","source":"0.0.0.0"}`, ""},
		{"arp", `{"address":"10.0.1.254","dev":"va","lladdr":"02:00:00:00:00:01"}`, "arp for 10.0.1.254 on va: expected 02:00:00:00:00:01, but 02:00:00:00:00:fe has it"},
		{"arp", `{"address":"10.0.1.254","dev":"va","expect":"none"}`, "expected no answer, but 02:00:00:00:00:fe has it"},
		{"arp", `{"address":"10.0.1.7","dev":"va","wait":"100ms"}`, "arp for 10.0.1.7 on va: nobody answers"},
		{"arp", `{"address":"10.0.1.7","dev":"va","wait":"100ms","expect":"none"}`, ""},
		{"arp", `{"address":"10.0.2.2","dev":"r2","netns":"router"}`, ""},
		{"arp", `{"address":"127.0.0.1","dev":"lo","wait":"100ms"}`, "nobody answers"},

		{"hops", `{"address":"10.3.0.1"}`, "it is not reached: host unreachable from 10.0.1.254"},
		{"hops", `{"address":"10.0.2.2","expect":["10.0.1.254"],"deadline":"9s"}`, ""}, // ICMP errors are rationed
		{"hops", `{"address":"fd00:2::2","expect":["fd00:1::fe"]}`, ""},
		{"hops", `{"address":"10.0.2.2","proto":"udp","expect":["10.0.1.254"],"deadline":"9s"}`, ""},
		{"hops", `{"address":"fd00:2::2","proto":"udp","expect":["fd00:1::fe"],"deadline":"5s"}`, ""},
		{"hops", `{"address":"10.0.1.254","expect":[]}`, ""},
		{"hops", `{"address":"10.0.2.2","expect":[],"deadline":"3s"}`, "expected none in between, but it is 10.0.1.254"},
		{"hops", `{"address":"10.0.2.2","max":0,"deadline":"3s"}`, "there are more than 0 routers"},
		{"hops", `{"address":"10.5.0.1","wait":"100ms"}`, "it is not reached: nobody answers any more"},
		{"hops", `{"address":"10.9.9.9"}`, "network is unreachable (no route)"},
		{"hops", `{"address":"10.0.1.1","netns":"far","expect":["10.0.2.254"],"deadline":"5s"}`, ""},
	})
}
