package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// needRoot skips where no sandbox can be; with LABCTL_TEST_KERNEL=1 that is a failure.
func needRoot(t testing.TB) {
	t.Helper()
	if err := Check(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// bed is a sandbox for a test.
type bed struct {
	testing.TB
	dir   string
	state *State
}

// up brings a topology up under a directory of the test's own, and down again at its end.
func up(t testing.TB, topology Topology) *bed {
	t.Helper()
	needRoot(t)
	b := &bed{TB: t, dir: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(b.dir, topology.Name, logFile))
			t.Logf("log of the sandbox: %s", log)
		}
		if err := Down(context.Background(), b.dir, topology.Name); err != nil && !errors.Is(err, ErrNotUp) {
			t.Errorf("down: %v", err)
		}
	})
	b.up(topology)
	return b
}

func (b *bed) up(topology Topology) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	state, err := Up(ctx, b.dir, topology, Options{})
	if err != nil {
		b.Fatalf("up: %v", err)
	}
	b.state = state
}

// exec runs a shell line in a host.
func (b *bed) exec(host, line string) (string, int) {
	b.Helper()
	var out bytes.Buffer
	code, err := Exec(context.Background(), b.dir, b.state.Name, host, ExecOptions{Argv: []string{"sh", "-c", line}, Stdout: &out, Stderr: &out})
	if err != nil {
		b.Fatalf("exec in %s: %v", host, err)
	}
	return strings.TrimSpace(out.String()), code
}

// must is exec for a line that has to succeed.
func (b *bed) must(host, line string) string {
	b.Helper()
	out, code := b.exec(host, line)
	if code != 0 {
		b.Fatalf("%s: %s: exit %d: %s", host, line, code, out)
	}
	return out
}

// ssh logs in as a client would, with OpenSSH and the configuration that SSHConfig writes.
func (b *bed) ssh(host string, command ...string) (string, error) {
	b.Helper()
	config := filepath.Join(b.dir, "ssh_config")
	f, err := os.Create(config)
	if err != nil {
		b.Fatal(err)
	}
	if err := SSHConfig(f, b.state); err != nil {
		b.Fatal(err)
	}
	f.Close()
	out, err := exec.Command("ssh", append([]string{"-F", config, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", host}, command...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (b *bed) pids() (pids []int) {
	for _, h := range b.state.Hosts {
		pids = append(pids, h.InitPID)
	}
	return pids
}

func TestLoginThroughJumpHost(t *testing.T) {
	b := up(t, office)
	for _, h := range office.Hosts {
		out, err := b.ssh(h.Name, "hostname; whoami; sudo -n id -u; sudo -n sh -c 'echo $HOME'")
		if want := h.Name + "\nvagrant\n0\n/root"; err != nil || out != want {
			t.Errorf("ssh %s: %v\n%s\nwant\n%s", h.Name, err, out, want)
		}
	}
	if out, _ := b.ssh("boxA", "echo $SSH_CONNECTION"); !regexp.MustCompile(`^34\.89\.221\.226 \d+ 192\.168\.178\.3 22$`).MatchString(out) {
		t.Errorf("boxA sees connection %q", out)
	}
	if out, _ := b.ssh("jump-host", "echo $SSH_CONNECTION"); !regexp.MustCompile(`^198\.18\.0\.1 \d+ 34\.89\.221\.226 22$`).MatchString(out) {
		t.Errorf("jump-host sees connection %q", out)
	}
	for _, h := range b.state.Hosts {
		if (h.Entry == "") != (len(h.Jump) > 0) {
			t.Errorf("%s: entry %q", h.Name, h.Entry)
		}
	}
	// Neither from this computer nor from outside, where the relay is, is there a way round the jump host.
	if err := exec.Command("ping", "-c1", "-W1", "192.168.178.3").Run(); err == nil {
		t.Error("boxA answers this computer directly")
	}
	if out, code := b.exec("boxA", "ping -c1 -W1 198.18.0.1"); code == 0 {
		t.Errorf("boxA reaches the outside: %s", out)
	}
	if out, code := b.exec("boxA", "ping -c1 -W1 192.168.178.4"); code == 0 {
		t.Errorf("boxA reaches its sibling over the management wire: %s", out)
	}
	if out := b.must("jump-host", "sysctl -n net.ipv4.ip_forward"); out != "0" {
		t.Errorf("jump-host forwards: %s", out)
	}
}

func TestWire(t *testing.T) {
	b := up(t, office)
	if out := b.must("boxA", "ip -6 address show tentative"); out != "" { // at once: no duplicate address detection
		t.Errorf("tentative addresses:\n%s", out)
	}
	b.must("boxA", "ping -c1 -W1 192.168.50.5")
	b.must("boxA", "ping -c1 -W1 fd00:50::5")
	b.must("boxA", "ping -c1 -W1 boxB")
	if out := b.must("boxB", "cat /sys/class/net/enp0s8/address /sys/class/net/enp0s8/mtu"); out != "02:00:00:00:00:0b\n9000" {
		t.Errorf("enp0s8 of boxB: %s", out)
	}
	// Multicast: all hosts of the link answer, the other one among them.
	b.must("boxB", "sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0")
	if out, _ := b.exec("boxA", "ping -c2 -W1 -I enp0s8 224.0.0.1"); !strings.Contains(out, "from 192.168.50.5") {
		t.Errorf("no answer to multicast: %s", out)
	}
	if out, code := b.exec("jump-host", "ping -c1 -W1 192.168.50.4"); code == 0 {
		t.Errorf("jump-host reaches a network that it is not on: %s", out)
	}
}

func TestFreshMachine(t *testing.T) {
	b := up(t, Topology{Name: "fresh", Hosts: []Host{{Name: "box", NICs: []NIC{{Name: "eth1"}}}}})
	for _, c := range [][2]string{
		{"hostname", "box"},
		{"cat /proc/1/comm", "labctl"},
		{"ls /root /home /mnt /tmp", "/home:\n\n/mnt:\n\n/root:\n\n/tmp:"},
		{"ls /etc/ssh/ssh_host_*", "/etc/ssh/ssh_host_ed25519_key"},
		{"ip -br link | sed 's/[@ ].*//'", "lo\neth1\nmgmt0"},
		{"ip netns add x && ip netns", "x"},
		{"ip netns exec x ip -br link", "lo               DOWN           00:00:00:00:00:00 <LOOPBACK>"},
		{"sysctl -w net.ipv4.ip_forward=1", "net.ipv4.ip_forward = 1"},
		{"(echo 77 > /proc/sys/kernel/panic) 2>&1 | grep -o Read-only", "Read-only"},
		{"iptables-legacy -A INPUT -p tcp --dport 80 -j ACCEPT && iptables-legacy -S | tail -1", "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT"},
		{"iptables-nft -A INPUT -p tcp --dport 80 -j ACCEPT && iptables-nft -S 2>/dev/null | tail -1", "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT"},
		{"ls /run", "lock\nnetns\nsshd\nsshd.pid\nutmp\nxtables.lock"},
		{"findmnt -n -o FSTYPE /", "overlay"},
		{"echo x > /dev/null; test -c /dev/net/tun && echo tun", "tun"},
		{"ls /proc/self/fd | wc -l", "4"},
		{"ls /proc/1/fd | wc -l | awk '$1 < 12 {print \"few\"}'", "few"},
	} {
		if out, _ := b.exec("box", c[0]); out != c[1] {
			t.Errorf("%s:\n%s\nwant\n%s", c[0], out, c[1])
		}
	}
}

func TestSecondUpChangesNothing(t *testing.T) {
	b := up(t, office)
	pids, supervisor := b.pids(), b.state.Supervisor
	links := b.must("boxA", "ip -o link; ip -o addr; ip route")
	b.up(office)
	if len(b.state.Changed) > 0 {
		t.Errorf("second up: %q", b.state.Changed)
	}
	if !slices.Equal(pids, b.pids()) || supervisor != b.state.Supervisor {
		t.Errorf("second up: pids %v, were %v", b.pids(), pids)
	}
	if now := b.must("boxA", "ip -o link; ip -o addr; ip route"); now != links {
		t.Errorf("second up: %s\nwere\n%s", now, links)
	}
}

func TestUpRepairs(t *testing.T) {
	b := up(t, office)
	pids := b.pids()
	if err := (process{b.state.Hosts[1].InitPID, b.state.Hosts[1].InitStart}).kill(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.up(office)
	if now := b.pids(); now[0] != pids[0] || now[1] == pids[1] || now[2] != pids[2] {
		t.Errorf("up after the death of boxA: pids %v, were %v", now, pids)
	}
	b.must("boxA", "ping -c1 -W1 192.168.50.5")
	if out, err := b.ssh("boxA", "hostname"); out != "boxA" {
		t.Errorf("ssh boxA: %v: %s", err, out)
	}
	// A host that has cut itself off comes back with its state.
	b.must("boxB", "touch /etc/mine; ip addr flush dev mgmt0; ip link set mgmt0 down")
	b.must("jump-host", "ip route flush dev mgmt1")
	b.up(office)
	if out, err := b.ssh("boxB", "ls /etc/mine"); out != "/etc/mine" {
		t.Errorf("ssh boxB: %v: %s", err, out)
	}
	// The supervisor takes all with it, and up makes it anew, with the same keys and entries.
	entry, key := b.state.Hosts[0].Entry, b.state.Hosts[0].HostKey
	if err := b.state.Supervisor.kill(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, h := range b.state.Hosts {
		if err := (process{h.InitPID, h.InitStart}).wait(5 * time.Second); err != nil {
			t.Errorf("%s survives the supervisor: %v", h.Name, err)
		}
	}
	b.up(office)
	if h := b.state.Hosts[0]; h.Entry != entry || h.HostKey != key {
		t.Errorf("jump-host came back as %s %s, was %s %s", h.Entry, h.HostKey, entry, key)
	}
	if out, err := b.ssh("boxB", "hostname"); out != "boxB" {
		t.Errorf("ssh boxB: %v: %s", err, out)
	}
}

func TestTopologyChanges(t *testing.T) {
	b := up(t, office)
	pids := b.pids()
	next := Topology{Name: "office", Hosts: []Host{office.Hosts[0], office.Hosts[1], {Name: "boxC", User: "vagrant", Jump: []string{"jump-host"}}}}
	next.Hosts[1].NICs = []NIC{{Name: "enp0s9", Network: "other", Addresses: []string{"10.0.0.1/24"}}}
	b.up(next)
	if now := b.pids(); !slices.Equal(now[:2], pids[:2]) {
		t.Errorf("pids %v, were %v", now, pids)
	}
	if out := b.must("boxA", "ip -br link | awk -F'[@ ]' '{print $1}' | xargs"); out != "lo mgmt0 enp0s9" && out != "lo enp0s9 mgmt0" {
		t.Errorf("links of boxA: %s", out)
	}
	if out, code := b.exec("jump-host", "ip route | grep 192.168.178.4"); code == 0 {
		t.Errorf("jump-host still has a route to boxB: %s", out)
	}
	if out := b.must("jump-host", "getent hosts boxC"); !strings.HasPrefix(out, b.state.Hosts[2].IP.String()) {
		t.Errorf("boxC on jump-host: %s", out)
	}
	if out, err := b.ssh("boxC", "hostname"); out != "boxC" {
		t.Errorf("ssh boxC: %v: %s", err, out)
	}
}

func TestJumpChain(t *testing.T) {
	b := up(t, Topology{Name: "chain", Hosts: []Host{
		{Name: "j1", Address: "127.0.0.1", Port: 2200},
		{Name: "j2", Address: "inner.example", Jump: []string{"j1"}},
		{Name: "t", Address: "10.0.0.9", Jump: []string{"j1", "j2"}},
		{Name: "short", Address: "10.0.0.9", Port: 24, Jump: []string{"j3"}}, // the address of t, in another world
		{Name: "j3", Jump: []string{"j1"}, NICs: []NIC{{Name: "lan", Network: "lan", Addresses: []string{"10.1.0.1/24"}}}},
		{Name: "six", Address: "fd00::6", Jump: []string{"j3"}},
		{Name: "lan", Address: "10.1.0.2", Jump: []string{"j3"}, NICs: []NIC{{Name: "lan", Network: "lan", Addresses: []string{"10.1.0.2/24"}}}},
		{Name: "ten6", Address: "2001:db8::1"},
	}})
	for _, h := range b.state.Hosts {
		if out, err := b.ssh(h.Name, "hostname"); out != h.Name {
			t.Errorf("ssh %s: %v: %s", h.Name, err, out)
		}
	}
	if out := b.must("lan", "ip -br link | awk -F'[@ ]' '{print $1}' | xargs"); out != "lo lan" {
		t.Errorf("a host reached over a declared network has links %s", out)
	}
	if out, code := b.exec("j1", "ping -c1 -W1 10.0.0.9"); code == 0 {
		t.Errorf("j1 reaches what is behind j2: %s", out)
	}
}

// TestSameAddress has two hosts behind one public address, told apart by the port as behind a NAT.
func TestSameAddress(t *testing.T) {
	b := up(t, Topology{Name: "nat", Hosts: []Host{{Name: "a", Address: "203.0.113.1", Port: 2201}, {Name: "b", Address: "203.0.113.1", Port: 2202},
		{Name: "c", Address: "203.0.113.1", Port: 2203}}})
	for _, host := range []string{"a", "b", "c"} {
		if out, err := b.ssh(host, "hostname"); out != host {
			t.Errorf("ssh %s: %v: %s", host, err, out)
		}
	}
}

// world is what a sandbox of that name could leave behind.
func world(t testing.TB, name string) string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	links, _ := exec.Command("ip", "-o", "link").Output()
	routes, _ := exec.Command("ip", "route", "show", "table", "all").Output()
	names, _ := filepath.Glob("/run/netns/*")
	var processes []string
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, e := range entries {
		if text, _ := os.ReadFile(e); bytes.Contains(text, []byte(InitVerb)) && bytes.Contains(text, []byte(name)) {
			processes = append(processes, string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	return fmt.Sprintf("%s\n%s\n%s\n%s\n%s", mounts, regexp.MustCompile(`(?m)^\d+: .*?:`).FindAllString(string(links), -1), routes, names, processes)
}

// same waits for the world to be as it was: other tests on this computer come and go.
func same(t testing.TB, name, before string) {
	t.Helper()
	after := world(t, name)
	for end := time.Now().Add(5 * time.Second); after != before && time.Now().Before(end); after = world(t, name) {
		time.Sleep(50 * time.Millisecond)
	}
	if after != before {
		t.Errorf("something of the sandbox is left:\n%s\nbefore\n%s", after, before)
	}
}

// own is the office under a name that nothing else on this computer has.
func own(t testing.TB) Topology {
	topology := office
	topology.Name = fmt.Sprintf("%s-%d", t.Name(), os.Getpid())
	return topology
}

func TestDownLeavesNothing(t *testing.T) {
	needRoot(t)
	topology := own(t)
	before := world(t, topology.Name)
	b := up(t, topology)
	b.must("boxA", "ip netns add inner; setsid sleep 1000 >/dev/null 2>&1 &")
	pids := append(b.pids(), b.state.Supervisor.PID)
	same(t, "nothing but the processes shows", before[:strings.LastIndex(before, "[")]+"[]")
	if err := Down(context.Background(), b.dir, topology.Name); err != nil {
		t.Fatal(err)
	}
	same(t, topology.Name, before)
	for _, pid := range pids {
		if named(pid).alive() {
			t.Errorf("process %d lives", pid)
		}
	}
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("directory is still there: %v", err)
	}
}

func TestInterruptedUp(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for i := range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i*40)*time.Millisecond)
		if _, err := Up(ctx, dir, office, Options{}); err != nil {
			t.Logf("after %d ms: %v", i*40, err)
		}
		cancel()
		if i%2 == 0 {
			if err := Down(context.Background(), dir, office.Name); err != nil && !errors.Is(err, ErrNotUp) {
				t.Fatalf("down after an interrupted up: %v", err)
			}
		}
	}
	b := up(t, office)
	if out, err := b.ssh("boxA", "hostname"); out != "boxA" {
		t.Errorf("ssh boxA: %v: %s", err, out)
	}
}

// TestKilledUp kills the process of Up at many moments; the next one goes on from whatever is there.
func TestKilledUp(t *testing.T) {
	needRoot(t)
	topology := own(t)
	before := world(t, topology.Name)
	dir := t.TempDir()
	for i := range 12 {
		cmd := exec.Command("/proc/self/exe", "up", dir, topology.Name)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*8) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if i%3 == 2 {
			if err := Down(context.Background(), dir, topology.Name); err != nil && !errors.Is(err, ErrNotUp) {
				t.Fatalf("down after a killed up: %v", err)
			}
		}
	}
	if _, err := Up(context.Background(), dir, topology, Options{}); err != nil {
		t.Fatalf("up after a killed up: %v", err)
	}
	b := &bed{TB: t, dir: dir}
	b.up(topology)
	if len(b.state.Changed) > 0 {
		t.Errorf("second up after a killed up: %q", b.state.Changed)
	}
	if out, err := b.ssh("boxA", "hostname"); out != "boxA" {
		t.Errorf("ssh boxA: %v: %s", err, out)
	}
	if err := Down(context.Background(), dir, topology.Name); err != nil {
		t.Fatal(err)
	}
	same(t, topology.Name, before)
}

// TestSudoer brings a sandbox up as sudo would, and logs in as the person who called it.
func TestSudoer(t *testing.T) {
	needRoot(t)
	t.Setenv("SUDO_UID", "65534")
	t.Setenv("SUDO_GID", "65534")
	b := up(t, office)
	if err := os.Chmod(filepath.Dir(b.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(b.dir, "ssh_config")
	var text bytes.Buffer
	if err := SSHConfig(&text, b.state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ssh", "-F", config, "-o", "BatchMode=yes", "boxA", "hostname")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "boxA\n" {
		t.Errorf("ssh as nobody: %v: %s", err, out)
	}
	for _, name := range []string{hostKeys, controlSock, pidFile} {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(b.state.Dir, name), &st); err != nil || st.Uid != 0 || name != controlSock && st.Mode&0o77 != 0 {
			t.Errorf("%s: %v, owner %d, mode %o", name, err, st.Uid, st.Mode)
		}
	}
}

// TestInheritedFiles opens a pipe as a careless caller does. Whoever waits for its end must not wait for the sandbox.
func TestInheritedFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	careless := func() {
		if _, err := unix.FcntlInt(w.Fd(), unix.F_SETFD, 0); err != nil {
			t.Fatal(err)
		}
	}
	careless()
	b := up(t, office)
	careless()
	b.must("boxA", "setsid sleep 1000 >/dev/null 2>&1 </dev/null &")
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a process of the sandbox holds the pipe: %d, %v", n, err)
	}
}

func TestTwoUpsAtOnce(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	var group sync.WaitGroup
	states := make([]*State, 4)
	for i := range states {
		group.Go(func() {
			var err error
			if states[i], err = Up(context.Background(), dir, office, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, s := range states[1:] {
		if s == nil || s.Supervisor != states[0].Supervisor || s.Hosts[1].InitPID != states[0].Hosts[1].InitPID {
			t.Errorf("two ups made two sandboxes: %+v and %+v", s, states[0])
		}
	}
	if err := Down(context.Background(), dir, office.Name); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryRemovedByHand(t *testing.T) {
	b := up(t, office)
	if err := os.RemoveAll(filepath.Join(b.dir, office.Name)); err != nil {
		t.Fatal(err)
	}
	if err := b.state.Supervisor.wait(5 * time.Second); err != nil {
		t.Errorf("the supervisor stays without its directory: %v", err)
		_ = b.state.Supervisor.kill(5 * time.Second)
	}
}

// TestInit sees PID 1 do its duties: it reaps, starts sshd again, and its sshd is OpenSSH with its limits.
func TestInit(t *testing.T) {
	b := up(t, Topology{Name: "init", Hosts: []Host{{Name: "box", User: "tester", Port: 2022}}})
	b.must("box", "setsid sh -c 'sleep 0.01 & exit' ; sleep 0.2")
	if out := b.must("box", "ps -eo stat,comm | grep -c ^Z || true"); out != "0" {
		t.Errorf("%s zombies: %s", out, b.must("box", "ps -ef"))
	}
	pid := b.must("box", "cat /run/sshd.pid")
	b.must("box", "kill "+pid+"; sleep 0.5")
	if out, err := b.ssh("box", "cat /run/sshd.pid"); err != nil || out == pid {
		t.Errorf("sshd after its death: %v: pid %s, was %s", err, out, pid)
	}
	if out := b.must("box", "/usr/sbin/sshd -T | grep -E '^(maxstartups|passwordauthentication|usepam|acceptenv|port) '"); out != "port 2022\nusepam no\npasswordauthentication no\nmaxstartups 10:30:100" {
		t.Errorf("sshd -T: %s", out)
	}
	if out, err := b.ssh("box", "umask 022; ls -ld . .ssh .ssh/authorized_keys | cut -c1-10,11- | awk '{print $1, $3}'; ping -c1 -W1 127.0.0.1 >/dev/null && echo pong"); err != nil ||
		out != "drwxr-xr-x tester\ndrwx------ tester\n-rw------- tester\npong" {
		t.Errorf("home: %v: %s", err, out)
	}
}

func BenchmarkUp30(b *testing.B) {
	needRoot(b)
	topology := Topology{Name: "bench", Networks: []string{"lan"}, Hosts: []Host{{Name: "jump"}}}
	for i := range 29 {
		topology.Hosts = append(topology.Hosts, Host{Name: fmt.Sprintf("box%d", i), Jump: []string{"jump"},
			NICs: []NIC{{Name: "eth1", Network: "lan", Addresses: []string{fmt.Sprintf("10.9.0.%d/24", i+1)}}}})
	}
	for b.Loop() {
		dir := b.TempDir()
		if _, err := Up(context.Background(), dir, topology, Options{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := Down(context.Background(), dir, "bench"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
