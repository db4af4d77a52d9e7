//go:build unix

package persist_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/persist"
	"labctl/transport/transporttest"
)

// TestMain is also the server, which the tests start as labctl does.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == persist.Verb {
		os.Exit(persist.Main(os.Args[2:], nil))
	}
	if len(os.Args) > 2 && os.Args[1] == clientVerb {
		os.Exit(client(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// bed is a machine behind a jump host, and a directory for the server.
// extra are lines of the machines' sshd_config.
func bed(t testing.TB, extra ...string) (dir string, target *transport.Target, servers []*transporttest.SSHD) {
	dir, err := os.MkdirTemp("", "persist") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	signer, key := transporttest.NewKey(t)
	for i := range 2 {
		s := transporttest.NewSSHD(t, []ssh.PublicKey{signer.PublicKey()}, extra...)
		host, p, _ := net.SplitHostPort(s.Addr)
		port, _ := strconv.Atoi(p)
		target = &transport.Target{
			Name: "hop" + strconv.Itoa(i+1), Address: host, Port: port, User: "root", IdentityFiles: []string{key}, IdentityAgent: "none",
			KnownHosts: []string{transporttest.KnownHosts(t, "["+host+"]:"+p, s.HostKey)}, Via: target,
		}
		servers = append(servers, s)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(dir)
		for end := time.Now().Add(5 * time.Second); serving(dir); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the server outlives its directory")
			}
		}
	})
	return dir, target, servers
}

// serving reports whether a server of dir runs; see its argument in /proc.
func serving(dir string) bool { return pid(dir) != 0 }

func pid(dir string) int {
	if all := pids(dir); len(all) > 0 {
		return all[0]
	}
	return 0
}

func pids(dir string) (out []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		b, _ := os.ReadFile(l)
		if strings.Contains(string(b), persist.Verb) && strings.Contains(string(b), dir) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(l)))
			out = append(out, n)
		}
	}
	return out
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !check(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// answerer listens, and tells everybody how much they have said until their end.
func answerer(t *testing.T) string {
	return transporttest.Serve(t, func(c net.Conn) {
		n, _ := io.Copy(io.Discard, c)
		fmt.Fprintf(c, "%d bytes", n)
	})
}

// runsAtOnce has so many runs connect at the same time, and each send size digits of its own and get them back.
func runsAtOnce(t *testing.T, dir string, target *transport.Target, runs, size int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() {
			d := newDialer(dir, transport.Options{})
			defer d.Close()
			c, err := d.Dial(t.Context(), target)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			echo(t, c, strings.Repeat(strconv.Itoa(i), size))
		})
	}
	wg.Wait()
}

func echo(t *testing.T, c transport.Conn, text string) {
	t.Helper()
	p, err := c.Start(t.Context(), "cat; echo err >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(p.Stdin, text)
		_ = p.Stdin.Close()
	}()
	out, err := io.ReadAll(p.Stdout)
	status, waitErr := p.Wait()
	if err != nil || waitErr != nil || string(out) != text || status != 3 || p.Stderr() != "err\n" {
		t.Errorf("%d bytes of %d, status %d, stderr %q, %v, %v", len(out), len(text), status, p.Stderr(), err, waitErr)
	}
}

// TestTwoRuns connects twice as two runs do: the second pays for no login, and finds sftp and forwarding as well.
func TestTwoRuns(t *testing.T) {
	dir, target, servers := bed(t)
	for n := range 2 {
		d := newDialer(dir, transport.Options{Logf: t.Logf})
		c, err := d.Dial(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		echo(t, c, strings.Repeat("0123456789abcde\n", 300_000))
		s := c.Stats()
		if (s.Handshake == 0) != (n == 1) || s.Via == nil || (s.Via.Handshake == 0) != (n == 1) {
			t.Errorf("run %d has cost %+v through %+v", n, s, s.Via)
		}
		path := filepath.Join(t.TempDir(), "file")
		if err := c.Upload(t.Context(), path, 0o600, 5, strings.NewReader("hello")); err != nil {
			t.Error(err)
		}
		f, err := c.(transport.Forwarder).Forward(t.Context(), servers[0].Addr)
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 4)
		if _, err := io.ReadFull(f, head); err != nil || string(head) != "SSH-" {
			t.Errorf("forwarded %q, %v", head, err)
		}
		_ = f.Close()
		_ = c.Close()
		_ = d.Close()
	}
	// The forwarded connections have come to the jump as well; sshd may be late to say so.
	eventually(t, "3 connections to the jump", func() bool { return servers[0].Connections() == 3 })
	if n := servers[1].Connections(); n != 1 {
		t.Errorf("%d connections to the machine", n)
	}
	list, err := persist.List(dir)
	if err != nil || len(list) != 2 || list[1].Via != "hop1" || list[0].User != "root" {
		t.Errorf("listed %+v, %v", list, err)
	}
	if n, err := persist.End(dir, []string{"hop*"}); n != 2 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
}

// TestServerKilled goes on alone when the server is dead, or stuck.
func TestServerKilled(t *testing.T) {
	for name, signal := range map[string]string{"killed": "KILL", "stuck": "STOP"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target, _ := bed(t)
			d := newDialer(dir, transport.Options{})
			c, err := d.Dial(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			server := process(t, pid(dir))
			send(t, server, signal)
			t.Cleanup(func() { _ = server.Kill() })
			_ = c.Close()
			begin := time.Now()
			if c, err = d.Dial(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			echo(t, c, "alone")
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			_ = c.Close()
			_ = d.Close()
		})
	}
}

// TestErrorsKeepTheirTypes over the socket.
func TestErrorsKeepTheirTypes(t *testing.T) {
	dir, target, _ := bed(t)
	d := newDialer(dir, transport.Options{})
	defer d.Close()
	stranger := *target
	stranger.KnownHosts = []string{transporttest.KnownHosts(t)}
	_, err := d.Dial(t.Context(), &stranger)
	var e *transport.Error
	var key *transport.HostKeyError
	if !errors.As(err, &e) || e.Phase != transport.PhaseHostKey || e.Hint == "" || !errors.As(err, &key) || key.Fingerprint == "" {
		t.Errorf("%T %v", err, err)
	}
	_, key2 := transporttest.NewKey(t)
	stranger = *target
	stranger.IdentityFiles = []string{key2}
	var auth *transport.AuthError
	if _, err = d.Dial(t.Context(), &stranger); !errors.As(err, &auth) || len(auth.Offered) != 1 {
		t.Errorf("%T %v", err, err)
	}
}

// TestContextCuts a command off, and the connection stays.
func TestContextCuts(t *testing.T) {
	dir, target, servers := bed(t)
	d := newDialer(dir, transport.Options{})
	defer d.Close()
	c, err := d.Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p, err := c.Start(ctx, "exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if status, err := p.Wait(); status != -1 || !errors.Is(err, context.Canceled) {
		t.Errorf("status %d, %v", status, err)
	}
	echo(t, c, "still there")
	if n := servers[1].Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func process(t *testing.T, pid int) *os.Process {
	t.Helper()
	if pid == 0 {
		t.Fatal("there is no server")
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newDialer(dir string, o transport.Options) *persist.Dialer {
	return persist.NewDialer(persist.Find(dir), persist.Settings{Options: o})
}
