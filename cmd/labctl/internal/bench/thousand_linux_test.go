package bench

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/sandbox"
)

const many = 1000

// thousand is a playbook with a thousand objects of one kind, and the tool that makes them from a list.
type thousand struct {
	kind  string
	tasks string // in labctl's language
	tool  string // its name in the table
	line  string // the command on the host, which reads the list
	needs string // a command on both hosts before, which they may have run already
	first func() string
	again func() string // a list that changes nothing; nil: the tool cannot say that
}

// onOVS is a bridge of Open vSwitch's userspace datapath, which needs no kernel module.
const onOVS = "{ ovs-vsctl --timeout=1 br-exists bench1 || service openvswitch-switch start; } && ovs-vsctl --may-exist add-br bench1 -- set bridge bench1 datapath_type=netdev"

// The device that addresses and routes are put on is there before.
// IPv6 announces every device that comes up and looks for others with its address, for seconds: which tool is charged for that is
// chance, so it is off.
const onDevice = "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; ip link add bench0 type bridge && ip link set bench0 up && ip address add 10.77.0.1/24 dev bench0"

var thousands = []thousand{
	{
		kind: "bridges", tool: "ip -batch", line: "ip -batch -",
		tasks: "  bridge \"many${each.key}\" {\n    for_each = toset([for i in range(1000) : tostring(i)])\n  }\n",
		first: func() string { return numbered("link add many%[1]d type bridge\n") },
	},
	{
		kind: "addresses", tool: "ip -batch", line: "ip -batch -",
		tasks: "  address \"bench0\" {\n    cidr = [for i in range(1000) : \"10.78.${floor(i / 250)}.${i % 250 + 1}/32\"]\n  }\n",
		first: func() string { return split("address add 10.78.%d.%d/32 dev bench0\n") },
		again: func() string { return split("address replace 10.78.%d.%d/32 dev bench0\n") },
	},
	{
		kind: "routes", tool: "ip -batch", line: "ip -batch -",
		tasks: "  route \"${each.key}\" {\n    for_each = toset([for i in range(1000) : \"10.79.${floor(i / 250)}.${i % 250 + 1}/32\"])\n    dev      = \"bench0\"\n  }\n",
		first: func() string { return split("route add 10.79.%d.%d/32 dev bench0\n") },
		again: func() string { return split("route replace 10.79.%d.%d/32 dev bench0\n") },
	},
	{
		kind: "iptables rules", tool: "iptables-restore", line: "iptables-restore --noflush",
		tasks: "  iptables_chain \"BENCH\" {\n    dynamic \"rule\" {\n      for_each = range(1000)\n      content {\n" +
			"        source = \"10.80.${floor(rule.value / 250)}.${rule.value % 250 + 1}/32\"\n        jump   = \"ACCEPT\"\n      }\n    }\n  }\n",
		first: restoreList("BENCH"), again: restoreList("BENCH"),
	},
	{
		kind: "iptables rules, a task each", tool: "iptables-restore", line: "iptables-restore --noflush",
		tasks: "  iptables_chain \"BENCH2\" {}\n  iptables_rule \"BENCH2\" {\n    for_each = toset([for i in range(1000) : \"10.80.${floor(i / 250)}.${i % 250 + 1}/32\"])\n    source   = each.key\n    jump     = \"ACCEPT\"\n  }\n",
		first: restoreList("BENCH2"), again: restoreList("BENCH2"),
	},
	{
		kind: "veths", tool: "ip -batch", line: "ip -batch -",
		tasks: "  veth \"veth${each.key}\" {\n    for_each = toset([for i in range(1000) : tostring(i)])\n    peer     = \"peer${each.key}\"\n  }\n",
		first: func() string {
			return numbered("link add veth%[1]d type veth peer name peer%[1]d\nlink set peer%[1]d up\nlink set veth%[1]d up\n")
		},
	},
	{
		kind: "OVS ports", tool: "ovs-vsctl", line: "xargs -s 1000000 ovs-vsctl", needs: onOVS,
		tasks: "  ovs_port \"vx${replace(each.key, \".\", \"-\")}\" {\n    for_each = toset([for i in range(1000) : \"${floor(i / 250)}.${i % 250 + 1}\"])\n" +
			"    bridge   = \"bench1\"\n    type     = \"vxlan\"\n    options  = { remote_ip = \"10.81.${each.key}\" }\n  }\n",
		first: func() string { return portList("add-port") }, again: func() string { return portList("--may-exist add-port") },
	},
	{
		kind: "OVS flows", tool: "ovs-ofctl add-flows", line: "ovs-ofctl -O OpenFlow14 --bundle add-flows bench1 -", needs: onOVS,
		tasks: "  ovs_flow \"bench1\" {\n    table     = 1\n    exclusive = \"table\"\n    flows     = [for i in range(1000) : \"tcp,nw_src=10.82.${floor(i / 250)}.${i % 250 + 1},actions=output:1\"]\n  }\n",
		first: flowList("1"), again: flowList("1"),
	},
	{
		kind: "OVS flows, a task each", tool: "ovs-ofctl add-flows", line: "ovs-ofctl -O OpenFlow14 --bundle add-flows bench1 -", needs: onOVS,
		tasks: "  ovs_flow \"bench1\" {\n    for_each = toset([for i in range(1000) : \"10.82.${floor(i / 250)}.${i % 250 + 1}\"])\n    table    = 2\n" +
			"    match    = { tcp = \"\", nw_src = each.key }\n    actions  = \"output:1\"\n  }\n",
		first: flowList("2"), again: flowList("2"),
	},
}

// inGuest are kinds for guests, whose kernel has them whatever this computer's has.
var inGuest = []thousand{
	{
		kind: "VLANs, in a guest", tool: "ip -batch", line: "ip -batch -",
		tasks: "  vlan \"bench0.${each.key}\" {\n    for_each = toset([for i in range(1000) : tostring(i + 1)])\n  }\n",
		first: func() string { return numbered("link add link bench0 name bench0.%[2]d up type vlan id %[2]d\n") },
	},
	{
		kind: "VLANs of a bridge, in a guest", tool: "bridge -batch", line: "bridge -batch -",
		tasks: "  bridge_vlan \"bench0\" {\n    vids = [for i in range(1000) : tostring(2 * i + 2)]\n  }\n",
		first: func() string { return numbered("vlan add dev bench0 vid %[3]d self\n") },
		again: func() string { return numbered("vlan add dev bench0 vid %[3]d self\n") },
	},
}

func restoreList(chain string) func() string {
	return func() string {
		return "*filter\n:" + chain + " - [0:0]\n" + split("-A "+chain+" -s 10.80.%d.%d/32 -j ACCEPT\n") + "COMMIT\n"
	}
}

// portList is one command of ovs-vsctl, as xargs reads it.
func portList(add string) string {
	var b strings.Builder
	for i := range many {
		at := fmt.Sprintf("%d-%d", i/250, i%250+1)
		fmt.Fprintf(&b, "-- %s bench1 vx%s -- set interface vx%s type=vxlan options:remote_ip=10.81.%s\n", add, at, at, strings.ReplaceAll(at, "-", "."))
	}
	return strings.TrimPrefix(b.String(), "-- ")
}

func flowList(table string) func() string {
	return func() string { return split("table=" + table + ",tcp,nw_src=10.82.%d.%d,actions=output:1\n") }
}

// numbered counts from 0, from 1, and in even numbers.
func numbered(format string) string {
	var b strings.Builder
	for i := range many {
		fmt.Fprintf(&b, format, i, i+1, 2*i+2)
	}
	return b.String()
}

// split numbers with two figures, as the last two bytes of an address.
func split(format string) string {
	var b strings.Builder
	for i := range many {
		fmt.Fprintf(&b, format, i/250, i%250+1)
	}
	return b.String()
}

// BenchmarkThousand makes a thousand objects of a kind on one host behind the jump host, with labctl from end to end,
// and with the tool that takes a list, by ssh.
func BenchmarkThousand(b *testing.B) { benchThousand(b, thousands, "") }

// BenchmarkThousandInGuest is the same where the hosts have a kernel of their own.
func BenchmarkThousandInGuest(b *testing.B) { benchThousand(b, inGuest, sandbox.KernelGuest) }

func benchThousand(b *testing.B, kinds []thousand, kernel string) {
	bed := newTestbedOf(b, kernel, 1, labctl.name, "list")
	for _, name := range []string{labctl.name + "-1", "list-1"} {
		prepare(b, bed, name, onDevice)
	}
	benchWarm(b, bed)
	for _, k := range kinds {
		if k.needs != "" {
			prepare(b, bed, labctl.name+"-1", k.needs)
			prepare(b, bed, "list-1", k.needs)
		}
		b.Run(strings.ReplaceAll(k.kind, " ", "-")+"/list", func(b *testing.B) { benchList(b, bed, k) })
		b.Run(strings.ReplaceAll(k.kind, " ", "-")+"/labctl", func(b *testing.B) { benchObjects(b, bed, k) })
	}
}

func prepare(b *testing.B, bed *testbed, host, command string) {
	b.Helper()
	o := sandbox.ExecOptions{Argv: []string{"sh", "-c", command}}
	if code, err := sandbox.Exec(context.Background(), bed.dir, bed.state.Name, host, o); err != nil || code != 0 {
		b.Fatalf("prepare %s: exit %d, %v", host, code, err)
	}
}

// benchWarm has the agent brought to the host, so that the first of the plays is not charged for it.
func benchWarm(b *testing.B, bed *testbed) {
	if why := labctlMissing(); why != "" {
		b.Fatal(why)
	}
	timed(b, here, thousandPlay(b, bed, "  ping \"127.0.0.1\" {}\n")())
}

func thousandPlay(b *testing.B, bed *testbed, tasks string) func() *exec.Cmd {
	b.Helper()
	host := labctl.name + "-1"
	site := bed.write("thousand.hcl", labctlHosts(bed, bed.host(jump).Entry, []string{host})+
		fmt.Sprintf("play \"bench\" {\n  hosts = %q\n\n%s}\n", host, tasks))
	return func() *exec.Cmd { return labctlCommand(bed, "play", "-F", "none", site) }
}

var changedCount = regexp.MustCompile(`changed=(\d+)`)

func benchObjects(b *testing.B, bed *testbed, k thousand) {
	play := thousandPlay(b, bed, k.tasks)
	first, out := timed(b, here, play())
	if m := changedCount.FindStringSubmatch(out); m == nil || m[1] == "0" {
		b.Fatalf("the first play has changed nothing:\n%s", tail(out))
	}
	second, out := timed(b, here, play())
	if m := changedCount.FindStringSubmatch(out); m == nil || m[1] != "0" {
		b.Fatalf("the second play has changed something:\n%s", tail(out))
	}
	record(b, figure{Case: "1000 " + k.kind, Tool: labctl.name, Hosts: 1, First: first, Second: second})
}

func benchList(b *testing.B, bed *testbed, k thousand) {
	by := func(list string) time.Duration {
		cmd := bed.ssh("list-1", k.line)
		cmd.Stdin = strings.NewReader(list)
		took, _ := timed(b, here, cmd)
		return took
	}
	f := figure{Case: "1000 " + k.kind, Tool: "ssh " + k.tool, Hosts: 1, First: by(k.first())}
	if k.again != nil {
		f.Second = by(k.again())
	}
	record(b, f)
}
