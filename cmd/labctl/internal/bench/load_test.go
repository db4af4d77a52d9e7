package bench

import (
	"fmt"
	"strings"
	"testing"
)

// The work that every tool gets: 50 items, the same end state, a task each. Addresses, names and values have no
// meaning beyond being 50 different things to check.
const (
	nSysctls, nFiles, nRules, nLines, nBridges = 5, 10, 11, 10, 14

	nItems = nSysctls + nFiles + nRules + nLines + nBridges
)

// sysctls exist once per network namespace, so that every host of the sandbox has its own. Forwarding comes first: it
// resets others.
var sysctls = [nSysctls][2]string{
	{"net.ipv4.ip_forward", "1"},
	{"net.ipv4.conf.all.log_martians", "1"},
	{"net.ipv4.conf.all.send_redirects", "0"},
	{"net.ipv4.conf.all.accept_redirects", "0"},
	{"net.ipv4.conf.default.rp_filter", "2"},
}

const sysctlFile = "/etc/sysctl.d/60-bench.conf"

// labctlTasks is the load in labctl's language.
func labctlTasks() string {
	var b strings.Builder
	for _, s := range sysctls {
		fmt.Fprintf(&b, "  sysctl %q {\n    value   = %q\n    persist = %q\n  }\n", s[0], s[1], sysctlFile)
	}
	for i := range nFiles {
		fmt.Fprintf(&b, "  copy \"/etc/bench-%d.conf\" {\n    content = \"file %d\\n\"\n    mode    = \"0644\"\n  }\n", i, i)
	}
	for i := range nRules {
		fmt.Fprintf(&b, "  iptables_rule \"INPUT\" {\n    protocol         = \"tcp\"\n    destination_port = \"%d\"\n    jump             = \"ACCEPT\"\n  }\n", 8001+i)
	}
	for i := range nLines {
		fmt.Fprintf(&b, "  line \"/etc/bench.lines\" {\n    line   = \"line %d\"\n    create = true\n  }\n", i)
	}
	for i := range nBridges {
		fmt.Fprintf(&b, "  bridge \"br%d\" {}\n", i)
	}
	return b.String()
}

// ansibleTasks is the load for Ansible, and so for Mitogen. Ansible has no module for a bridge without NetworkManager;
// the next best is a command that is not run when the bridge is there.
func ansibleTasks() string {
	var b strings.Builder
	for _, s := range sysctls {
		fmt.Fprintf(&b, "  - ansible.posix.sysctl: {name: %s, value: %q, sysctl_set: true, reload: false, sysctl_file: %s}\n", s[0], s[1], sysctlFile)
	}
	for i := range nFiles {
		fmt.Fprintf(&b, "  - copy: {dest: /etc/bench-%d.conf, content: \"file %d\\n\", mode: \"0644\"}\n", i, i)
	}
	for i := range nRules {
		fmt.Fprintf(&b, "  - iptables: {chain: INPUT, protocol: tcp, destination_port: %q, jump: ACCEPT}\n", fmt.Sprint(8001+i))
	}
	for i := range nLines {
		fmt.Fprintf(&b, "  - lineinfile: {path: /etc/bench.lines, line: line %d, create: true}\n", i)
	}
	for i := range nBridges {
		fmt.Fprintf(&b, "  - command: {cmd: ip link add br%d type bridge, creates: /sys/class/net/br%d}\n", i, i)
	}
	return b.String()
}

// shellTasks is what it would take by hand, without looking first: the floor for a first run.
func shellTasks() string {
	var b strings.Builder
	b.WriteString("set -e\n")
	for _, s := range sysctls {
		fmt.Fprintf(&b, "echo %s > /proc/sys/%s\n", s[1], strings.ReplaceAll(s[0], ".", "/"))
		fmt.Fprintf(&b, "echo '%s = %s' >> %s\n", s[0], s[1], sysctlFile)
	}
	for i := range nFiles {
		fmt.Fprintf(&b, "echo 'file %d' > /etc/bench-%d.conf\n", i, i)
	}
	b.WriteString("iptables-restore --noflush <<E\n*filter\n")
	for i := range nRules {
		fmt.Fprintf(&b, "-A INPUT -p tcp --dport %d -j ACCEPT\n", 8001+i)
	}
	b.WriteString("COMMIT\nE\n")
	for i := range nLines {
		fmt.Fprintf(&b, "echo 'line %d' >> /etc/bench.lines\n", i)
	}
	b.WriteString("ip -batch - <<E\n")
	for i := range nBridges {
		fmt.Fprintf(&b, "link add br%d type bridge\n", i)
	}
	b.WriteString("E\n")
	return b.String()
}

// TestLoads keeps the loads comparable: as many tasks for each tool as there are items.
func TestLoads(t *testing.T) {
	if nItems != 50 {
		t.Errorf("%d items, want 50", nItems)
	}
	if n := strings.Count(ansibleTasks(), "\n  - ") + 1; n != nItems {
		t.Errorf("Ansible has %d tasks, want %d", n, nItems)
	}
	if n := strings.Count("\n"+labctlTasks(), "\n  }\n") + strings.Count(labctlTasks(), " {}\n"); n != nItems {
		t.Errorf("labctl has %d tasks, want %d", n, nItems)
	}
}
