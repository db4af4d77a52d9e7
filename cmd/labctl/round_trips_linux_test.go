package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport/transporttest"
)

// BenchmarkRoundTrips plays 50 tasks that have nothing to do on a machine behind some jump hosts, at the far end of a long
// wire, beside ssh -J with true: with a connection of its own, and with one that is kept. The table is in docs/benchmarks.md.
// The wire answers the TCP handshake, which is one round trip more in either case.
func BenchmarkRoundTrips(b *testing.B) {
	for hops := range 4 {
		b.Run(fmt.Sprintf("hops=%d", hops), func(b *testing.B) { benchRoundTrips(b, newFarSite(b, hops)) })
	}
}

func benchRoundTrips(b *testing.B, site *farSite) {
	base := map[string]time.Duration{}
	for _, ms := range []int{0, 5, 50, 150, 370} {
		rtt := time.Duration(ms) * time.Millisecond
		site.lay(b, rtt)
		site.play(b, "--no-persist") // the agent is there from now on
		runs := []struct {
			name string
			run  func()
		}{
			{"ssh", func() { site.ssh(b) }},
			{"cold", func() { site.play(b, "--no-persist") }},
			{"warm", func() { site.play(b) }},
		}
		site.play(b) // and the connection
		for _, r := range runs {
			took := time.Hour
			for range 3 {
				start := time.Now()
				r.run()
				took = min(took, time.Since(start))
			}
			if ms == 0 {
				base[r.name] = took
			}
			b.ReportMetric(float64(took.Milliseconds()), fmt.Sprintf("%s-%dms", r.name, ms))
			if ms >= 50 {
				b.ReportMetric(float64(took-base[r.name])/float64(rtt), fmt.Sprintf("%s-trips-%dms", r.name, ms))
			}
		}
		site.labctl(b, "connections", "close", "*")
	}
	b.ReportMetric(0, "ns/op")
}

// farSite is a site of one machine behind a chain of others.
type farSite struct {
	dir, key string
	servers  []*transporttest.SSHD // the machine last
}

func newFarSite(b *testing.B, hops int) *farSite {
	b.Helper()
	key, file := transporttest.NewKey(b)
	site := &farSite{dir: b.TempDir(), key: file}
	for range hops + 1 {
		site.servers = append(site.servers, transporttest.NewSSHD(b, []ssh.PublicKey{key.PublicKey()}))
	}
	return site
}

// lay puts the wire before the first server, and writes the site for labctl and for ssh.
func (f *farSite) lay(b *testing.B, rtt time.Duration) {
	b.Helper()
	ports := make([]string, len(f.servers))
	for i, s := range f.servers {
		ports[i] = strconv.Itoa(s.Port)
	}
	if rtt > 0 {
		ports[0] = strings.TrimPrefix(transporttest.NewWire(b, f.servers[0].Addr, rtt/2).Addr, "127.0.0.1:")
	}
	var site, config strings.Builder
	for i, s := range f.servers {
		name, jump, proxy := fmt.Sprintf("h%d", i), "", ""
		if i > 0 {
			jump, proxy = fmt.Sprintf("jump = [\"h%d\"]", i-1), fmt.Sprintf("ProxyJump h%d", i-1)
		}
		fmt.Fprintf(&site, "host %q {\n  address = \"127.0.0.1\"\n  port = %s\n  identity_file = %q\n  identity_agent = \"none\"\n  host_key = %q\n  %s\n}\n",
			name, ports[i], f.key, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.HostKey))), jump)
		fmt.Fprintf(&config, "Host %s\n  HostName 127.0.0.1\n  Port %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\n"+
			"  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n  %s\n", name, ports[i], f.key, proxy)
	}
	fmt.Fprintf(&site, "play \"p\" {\n  hosts = %q\n", f.target())
	fmt.Fprintf(&site, "  file %q {}\n", f.dir+"/files/")
	for i := range 49 {
		fmt.Fprintf(&site, "  file %q { type = \"file\" }\n", fmt.Sprintf("%s/files/%d", f.dir, i))
	}
	put(b, filepath.Join(f.dir, "site.hcl"), site.String()+"}\n", 0o600)
	put(b, filepath.Join(f.dir, "config"), config.String(), 0o600)
}

func (f *farSite) target() string { return fmt.Sprintf("h%d", len(f.servers)-1) }

func (f *farSite) play(b *testing.B, flags ...string) {
	b.Helper()
	if said := f.labctl(b, append([]string{"play", "-F", "none"}, flags...)...); !strings.Contains(said, "ok=50") {
		b.Fatal(said)
	}
}

func (f *farSite) labctl(b *testing.B, words ...string) string {
	b.Helper()
	cmd := exec.Command("labctl", words...)
	cmd.Dir, cmd.Env = f.dir, append(os.Environ(), "HOME="+f.dir, "XDG_RUNTIME_DIR="+f.dir, persistVariable+"=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("labctl %q: %v\n%s", words, err, out)
	}
	return string(out)
}

func (f *farSite) ssh(b *testing.B) {
	b.Helper()
	if out, err := exec.Command("ssh", "-F", filepath.Join(f.dir, "config"), "-o", "BatchMode=yes", f.target(), "true").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}
