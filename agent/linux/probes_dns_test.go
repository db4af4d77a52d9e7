package linux

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// serveDNS runs dnsmasq in far. A record of 1,200 bytes does not fit a datagram of those who do not speak EDNS.
const serveDNS = `dnsmasq -C /dev/null --no-resolv --no-hosts --user=root --bind-interfaces --listen-address=10.0.2.2 --listen-address=fd00:2::2 --pid-file=%s/dns.pid \
--host-record=www.lab.test,10.0.2.80,fd00:2::80 --host-record=two.lab.test,10.0.2.81 --host-record=two.lab.test,10.0.2.82 --cname=alias.lab.test,www.lab.test \
--mx-host=lab.test,mail.lab.test,10 --srv-host=_ssh._tcp.lab.test,www.lab.test,22,1,2 --txt-record=lab.test,"a text of one" --txt-record=long.lab.test,%s --local=/lab.test/ --port=%d`

// serveUDP answers what it is sent.
const serveUDP = `python3 -c '
import os, socket, threading
def serve(family, address):
	s = socket.socket(family, socket.SOCK_DGRAM)
	s.bind((address, 7))
	while True: s.sendto(*s.recvfrom(65536))
for a in (socket.AF_INET, "10.0.2.2"), (socket.AF_INET6, "fd00:2::2"): threading.Thread(target=serve, args=a).start()
open("%s/udp.pid", "w").write(str(os.getpid()))' >/dev/null 2>&1 &`

func TestDatagrams(t *testing.T) {
	if _, err := exec.LookPath("dnsmasq"); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip("needs dnsmasq: install the package dnsmasq-base")
	}
	h := freshLab(t)
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, name := range []string{"dns", "udp"} {
			b, _ := os.ReadFile(filepath.Join(dir, name+".pid"))
			if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	})
	long := strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 200)+",", 6), ",")
	sh(t, h, "far", fmt.Sprintf(serveDNS, dir, long, 53))
	sh(t, h, "far", fmt.Sprintf(serveUDP, dir))
	probeAll(t, h, []seen{
		{"udp", `{"address":"10.0.2.2:7","payload":"hello","contains":"hell","deadline":"5s"}`, ""},
		{"udp", `{"address":"[fd00:2::2]:7","deadline":"5s"}`, ""},
		{"udp", `{"address":"10.0.2.2:7","payload":"hello","contains":"bye"}`, `send to 10.0.2.2:7: expected answer, but "hello", which does not contain "bye", comes back`},
		{"udp", `{"address":"10.0.2.2:9","expect":"refused"}`, ""},
		{"udp", `{"address":"10.0.2.2:9"}`, "expected answer, but port unreachable from 10.0.2.2"},
		{"udp", `{"address":"10.5.0.1:9","wait":"100ms","expect":"none"}`, ""},
		{"udp", `{"address":"10.5.0.1:9","wait":"100ms"}`, "expected answer, but nothing comes back"},
		{"udp", `{"address":"10.3.0.1:9","expect":"unreachable"}`, ""},
		{"udp", `{"address":"10.9.9.9:9"}`, "network is unreachable (no route)"},
		{"udp", `{"address":"10.0.2.2:7","payload":"x","expect":"fail","netns":"router"}`, `send to 10.0.2.2:7 from netns router: expected fail, but "x" comes back`},

		{"dns", `{"name":"www.lab.test","server":"10.0.2.2"}`, ""},
		{"dns", `{"name":"www.lab.test","server":"10.0.2.2:53","answers":["10.0.2.80"]}`, ""},
		{"dns", `{"name":"WWW.lab.test.","server":"fd00:2::2","type":"AAAA","answers":["fd00:2::80"]}`, ""},
		{"dns", `{"name":"two.lab.test","server":"[fd00:2::2]:53","answers":["10.0.2.82","10.0.2.81"]}`, ""},
		{"dns", `{"name":"two.lab.test","server":"10.0.2.2","answers":["10.0.2.81"]}`, "ask 10.0.2.2:53 for A of two.lab.test: expected 10.0.2.81, but the answer is 10.0.2.81, 10.0.2.82"},
		{"dns", `{"name":"alias.lab.test","server":"10.0.2.2","answers":["10.0.2.80"]}`, ""},
		{"dns", `{"name":"alias.lab.test","server":"10.0.2.2","type":"CNAME","answers":["www.lab.test."]}`, ""},
		{"dns", `{"name":"lab.test","server":"10.0.2.2","type":"MX","answers":["10 mail.lab.test."]}`, ""},
		{"dns", `{"name":"_ssh._tcp.lab.test","server":"10.0.2.2","type":"SRV","answers":["1 2 22 www.lab.test."]}`, ""},
		{"dns", `{"name":"lab.test","server":"10.0.2.2","type":"TXT","answers":["a text of one"],"tcp":true}`, ""},
		{"dns", `{"name":"10.0.2.80","server":"10.0.2.2","type":"PTR","answers":["www.lab.test."]}`, ""},
		{"dns", `{"name":"fd00:2::80","server":"10.0.2.2","type":"PTR","answers":["www.lab.test."]}`, ""},
		{"dns", fmt.Sprintf(`{"name":"long.lab.test","server":"10.0.2.2","type":"TXT","answers":["%s"]}`, strings.ReplaceAll(long, ",", "")), ""}, // over TCP in the end
		{"dns", `{"name":"no.lab.test","server":"10.0.2.2","expect":"nxdomain"}`, ""},
		{"dns", `{"name":"no.lab.test","server":"10.0.2.2"}`, "expected answer, but there is no such name"},
		{"dns", `{"name":"two.lab.test","server":"10.0.2.2","type":"AAAA","expect":"nodata"}`, ""},
		{"dns", `{"name":"example.org","server":"10.0.2.2"}`, "expected answer, but the server refuses to answer"},
		{"dns", `{"name":"example.org","server":"10.0.2.2","expect":"fail"}`, ""},
		{"dns", `{"name":"www.lab.test","server":"10.0.2.254"}`, "expected answer, but port unreachable from 10.0.2.254"},
		{"dns", `{"name":"www.lab.test","server":"10.0.2.254","tcp":true}`, "connection refused"},
		{"dns", `{"name":"www.lab.test","server":"10.0.2.2:7"}`, "what comes back is no answer by DNS"}, // the question, as it was
		{"dns", `{"name":"www.lab.test","server":"10.5.0.1","wait":"100ms"}`, "expected answer, but nothing comes back"},

		{"ping", `{"address":"10.0.2.2","ttl":1,"expect":"unreachable"}`, ""},
		{"ping", `{"address":"10.0.2.2","loss":"<=20","count":2,"interval":"10ms"}`, ""},
		{"ping", `{"address":"10.5.0.1","loss":"100","wait":"100ms"}`, ""},
		{"ping", `{"address":"10.5.0.1","loss":"<=50","wait":"100ms"}`, "expected a loss of <=50 percent, but it is 100: no answer to 1 packet(s)"},
		{"ping", `{"address":"10.0.2.2","loss":"50"}`, "expected a loss of 50 percent, but it is 0"},
		{"ping", `{"address":"localhost","family":"ipv6"}`, ""},
	})
}

// TestVLANOnTheWire is what lab 8 shows: the tag is on the wire and not in the device of the VLAN.
func TestVLANOnTheWire(t *testing.T) {
	needKind(t, "vlan")
	h := freshLab(t)
	sh(t, h, "", fmt.Sprintf(`
ip link add link va name va.100 type vlan id 100; ip addr add 10.8.0.1/24 dev va.100; ip link set va.100 up
nsenter --net=%[1]s ip link add link r1 name r1.100 type vlan id 100; nsenter --net=%[1]s ip addr add 10.8.0.2/24 dev r1.100; nsenter --net=%[1]s ip link set r1.100 up`, filepath.Join(h.dir, "router")))
	both := `"packet":[{"vlan":%d,"icmp":"echo-request","count":"1"},{"vlan":%[1]d,"icmp":"echo-reply","count":"1"},{"vlan":%d,"count":"0"}]}`
	probeAll(t, h, []seen{
		{"capture", `{"name":"wire","dev":"va","filter":"icmp or (vlan and icmp)","trigger":[{"ping":"10.8.0.2"}],` + fmt.Sprintf(both, 100, 0), ""},
		{"capture", `{"name":"there","dev":"r1","netns":"router","filter":"vlan 100 and icmp","trigger":[{"ping":"10.8.0.2","netns":""}],` + fmt.Sprintf(both, 100, 0), ""},
		{"capture", `{"name":"device","dev":"va.100","filter":"icmp","trigger":[{"ping":"10.8.0.2"}],` + fmt.Sprintf(both, 0, 100), ""},
		{"capture", `{"name":"none","dev":"va.100","wait":"300ms","filter":"icmp or vlan","trigger":[{"ping":"10.0.1.254"}],"packet":[{"count":"0"}]}`, ""},
		{"capture", `{"name":"untagged","dev":"va","filter":"icmp or (vlan and icmp)","trigger":[{"ping":"10.0.1.254"}],` + fmt.Sprintf(both, 0, 100), ""},
		{"arp", `{"address":"10.8.0.2","dev":"va.100"}`, ""},
		{"arp", `{"address":"10.8.0.2","dev":"va","vlan":100,"source":"10.8.0.1"}`, ""},
		{"arp", `{"address":"10.8.0.2","dev":"va","vlan":101,"wait":"100ms","expect":"none"}`, ""},
	})
}
