package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"labctl/agent"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/transport/transporttest"
)

const (
	fleetTasks = 50
	fleetHost  = "10.90.0.1" // every host of the fleet is the same server, under another name
)

// fleet is a jump host and a server behind it, both in this process, that is as many hosts as one likes: every session
// on it is an agent for a host of its own in memory. So what is measured is the controller, and how it gets there.
type fleet struct {
	testing.TB
	jump, target *transporttest.Server
	key          ssh.Signer
	keyFile      string
}

func newFleet(b testing.TB) *fleet {
	f := &fleet{TB: b}
	f.key, f.keyFile = transporttest.NewKey(b)
	f.target = transporttest.New(b, transporttest.Config{Exec: serveMemory})
	f.jump = transporttest.New(b, transporttest.Config{Dial: func(string) (string, error) { return f.target.Addr, nil }})
	return f
}

// serveMemory is what the server runs, whatever it is asked to: "true" for the bare login, else an agent.
func serveMemory(ctx context.Context, cmd string, stdin io.Reader, stdout, stderr io.Writer) int {
	if cmd == "true" {
		return 0
	}
	h := memory.FromSnapshot(&host.Snapshot{Facts: host.Facts{Hostname: "memory", OS: "linux", Architecture: "x86_64"}})
	if err := agent.Serve(ctx, stdin, stdout, h, agent.Options{}); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// BenchmarkFleet plays to very many hosts, and next to that does nothing but log in to as many with the same library.
func BenchmarkFleet(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("hosts=%d/login", n), func(b *testing.B) {
			f := newFleet(b)
			took := fastest(2, func() time.Duration { return f.logins(n) })
			record(b, figure{Case: "fleet in memory, 50 tasks", Tool: "logins alone", Hosts: n, First: took})
		})
		b.Run(fmt.Sprintf("hosts=%d/labctl", n), func(b *testing.B) {
			if why := labctlMissing(); why != "" {
				b.Fatal(why)
			}
			f := newFleet(b)
			var most int64
			took := fastest(2, func() time.Duration {
				took, memory := f.play(n)
				most = max(most, memory)
				return took
			})
			b.ReportMetric(float64(most)/1e6, "max-MB")
			record(b, figure{Case: "fleet in memory, 50 tasks", Tool: labctl.name, Hosts: n, First: took,
				Note: fmt.Sprintf("at most %d MB resident", most/1e6)})
		})
	}
}

// play runs labctl and returns the time and the most memory it had resident, in bytes.
func (f *fleet) play(n int) (time.Duration, int64) {
	f.Helper()
	dir := f.TempDir()
	site := filepath.Join(dir, "site.hcl")
	if err := os.WriteFile(site, []byte(f.site(n)), 0o600); err != nil {
		f.Fatal(err)
	}
	path, err := filepath.Abs(binary)
	if err != nil {
		f.Fatal(err)
	}
	cmd := exec.Command(path, "play", "-F", "none", site)
	cmd.Env = append(os.Environ(), "HOME="+dir, "NO_COLOR=1", "SSH_AUTH_SOCK=")
	took, out := timed(f, here, cmd)
	if got := strings.Count(out, fmt.Sprintf(": ok=%d ", fleetTasks)); got != n {
		f.Fatalf("%d hosts have done %d tasks, want %d:\n%s", got, fleetTasks, n, tail(out))
	}
	return took, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024
}

func (f *fleet) site(n int) string {
	known := transporttest.KnownHosts(f, jump, f.jump.HostKey, "fleet", f.target.HostKey)
	var b strings.Builder
	fmt.Fprintf(&b, "ssh {\n  user            = \"root\"\n  identity_file   = %q\n  identities_only = true\n  known_hosts     = %q\n}\n", f.keyFile, known)
	fmt.Fprintf(&b, "host %q {\n  address        = \"127.0.0.1\"\n  port           = %d\n  host_key_alias = %q\n}\n", jump, f.jump.Port(), jump)
	for i := range n {
		fmt.Fprintf(&b, "host \"h%d\" {\n  address        = %q\n  host_key_alias = \"fleet\"\n  jump           = [%q]\n}\n", i, fleetHost, jump)
	}
	b.WriteString("play \"fleet\" {\n  hosts = \"all:!jump\"\n\n")
	for i := range fleetTasks {
		fmt.Fprintf(&b, "  bridge \"br%d\" { mtu = %d }\n", i, 1400+i)
	}
	return b.String() + "}\n"
}

// logins is the bare minimum: one connection to the jump host, and through it a login and "true" on every host.
func (f *fleet) logins(n int) time.Duration {
	f.Helper()
	start := time.Now()
	bastion, err := ssh.Dial("tcp", f.jump.Addr, f.config(f.jump.HostKey))
	if err != nil {
		f.Fatal(err)
	}
	defer bastion.Close()
	var all errgroup.Group
	for range n {
		all.Go(func() error { return f.login(bastion) })
	}
	if err := all.Wait(); err != nil {
		f.Fatal(err)
	}
	return time.Since(start)
}

func (f *fleet) login(bastion *ssh.Client) error {
	through, err := bastion.Dial("tcp", net.JoinHostPort(fleetHost, "22"))
	if err != nil {
		return err
	}
	conn, channels, requests, err := ssh.NewClientConn(through, fleetHost, f.config(f.target.HostKey))
	if err != nil {
		return err
	}
	client := ssh.NewClient(conn, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	return session.Run("true")
}

func (f *fleet) config(host ssh.PublicKey) *ssh.ClientConfig {
	return &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(f.key)}, HostKeyCallback: ssh.FixedHostKey(host)}
}
