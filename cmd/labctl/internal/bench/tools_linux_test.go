package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tool prepares a playbook for its own hosts and returns the command that plays it.
type tool struct {
	name    string
	missing func() string // what has to be installed first; "" if nothing
	prepare func(t *testbed, hosts []string) func() *exec.Cmd
}

var (
	labctl  = tool{"labctl", labctlMissing, prepareLabctl}
	ansible = tool{"ansible", lacks("ansible-playbook"), func(t *testbed, hosts []string) func() *exec.Cmd { return prepareAnsible(t, "ansible", hosts, "") }}
	mitogen = tool{"mitogen", mitogenMissing, func(t *testbed, hosts []string) func() *exec.Cmd {
		return prepareAnsible(t, "mitogen", hosts, "strategy = mitogen_linear\nstrategy_plugins = "+mitogenStrategies+"\n")
	}}
)

// mitogenStrategies is where Debian's ansible-mitogen puts them.
const mitogenStrategies = "/usr/lib/python3/dist-packages/ansible_mitogen/plugins/strategy"

func lacks(program string) func() string {
	return func() string {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is not installed: .ci/setup bench"
		}
		return ""
	}
}

func mitogenMissing() string {
	if _, err := os.Stat(mitogenStrategies); err != nil {
		return "ansible-mitogen is not installed: .ci/setup bench"
	}
	return lacks("ansible-playbook")()
}

// binary is what "make" has built, with the agents inside.
var binary = filepath.Join("..", "..", "..", "..", "bin", "labctl")

func labctlMissing() string {
	if _, err := os.Stat(binary); err != nil {
		return "bin/labctl is not built: make"
	}
	return ""
}

// prepareLabctl writes a site with the load for the hosts.
func prepareLabctl(t *testbed, hosts []string) func() *exec.Cmd {
	site := t.write("site.hcl", labctlHosts(t, t.host(jump).Entry, hosts)+labctlPlay(hosts))
	return func() *exec.Cmd { return labctlCommand(t, "play", "-F", "none", site) }
}

// labctlPlay is the load as a play to the hosts.
func labctlPlay(hosts []string) string {
	return fmt.Sprintf("play \"bench\" {\n  hosts = %q\n\n%s}\n", strings.Join(hosts, ","), labctlTasks())
}

// labctlCommand keeps labctl's own files inside the testbed.
func labctlCommand(t *testbed, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "HOME="+t.dir, "NO_COLOR=1", "SSH_AUTH_SOCK=", "LABCTL_PERSIST=off")
	return cmd
}

// labctlHosts is the inventory, with the jump host at the address entry.
func labctlHosts(t *testbed, entry string, hosts []string) string {
	t.Helper()
	j := t.host(jump)
	address, port, ok := strings.Cut(entry, ":")
	if !ok {
		t.Fatalf("entry of the jump host: %q", entry)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ssh {\n  user            = %q\n  identity_file   = %q\n  identities_only = true\n  known_hosts     = %q\n}\n\n",
		j.User, j.IdentityFile, j.KnownHosts)
	fmt.Fprintf(&b, "host %q {\n  address        = %q\n  port           = %s\n  host_key_alias = %q\n}\n", jump, address, port, jump)
	for _, name := range hosts {
		fmt.Fprintf(&b, "host %q {\n  address        = %q\n  jump           = [%q]\n  host_key_alias = %q\n}\n",
			name, t.host(name).Address, jump, name)
	}
	return b.String() + "\n"
}

// prepareAnsible writes a configuration that leaves Ansible nothing to complain about: pipelining, a kept connection to
// every host and to the jump host, as many forks as hosts, no facts.
func prepareAnsible(t *testbed, name string, hosts []string, strategy string) func() *exec.Cmd {
	inventory := t.write(name+".inventory", strings.Join(hosts, "\n")+"\n")
	playbook := t.write(name+".yml", "- hosts: all\n  gather_facts: false\n  tasks:\n"+ansibleTasks())
	config := t.write(name+".cfg", fmt.Sprintf("[defaults]\nforks = %d\ngathering = explicit\ninterpreter_python = /usr/bin/python3\n"+
		"inventory = %s\n%s[ssh_connection]\npipelining = true\nretries = 3\nssh_args = -F %s -o ControlMaster=auto -o ControlPersist=60s\n"+
		"control_path_dir = %s\n", len(hosts), inventory, strategy, filepath.Join(t.dir, "mux"), t.dir))
	return func() *exec.Cmd {
		cmd := exec.Command("ansible-playbook", playbook)
		cmd.Dir = t.dir
		cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+config, "ANSIBLE_HOME="+t.dir+"/home", "ANSIBLE_NOCOLOR=1",
			"ANSIBLE_DEPRECATION_WARNINGS=false", "LC_ALL=C.UTF-8")
		return cmd
	}
}

// recapLine is Ansible's, and labctl's.
var recapLine = regexp.MustCompile(`(?m)^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)`)

// checkRecap holds a run to what it must have done: every item on every host, and as many changes as given.
func checkRecap(t testing.TB, out string, hosts []string, changed int) {
	t.Helper()
	lines := recapLine.FindAllStringSubmatch(out, -1)
	if len(lines) != len(hosts) {
		t.Fatalf("%d hosts in the recap, want %d:\n%s", len(lines), len(hosts), tail(out))
	}
	for _, l := range lines {
		if l[2] != fmt.Sprint(nItems) || l[3] != fmt.Sprint(changed) || l[4] != "0" || l[5] != "0" {
			t.Fatalf("recap %q, want ok=%d changed=%d:\n%s", l[0], nItems, changed, tail(out))
		}
	}
}
