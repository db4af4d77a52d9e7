package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// login is a user of tests: a key, and its file.
type login struct {
	signer ssh.Signer
	file   string
}

func newLogin(t testing.TB) login {
	s, f := transporttest.NewKey(t)
	return login{s, f}
}

func (l login) keys() []ssh.PublicKey { return []ssh.PublicKey{l.signer.PublicKey()} }

// target is a Target for a server at addr whose key is known.
func (l login) target(t testing.TB, name, addr string, key ssh.PublicKey) *transport.Target {
	host, port := hostPort(addr)
	return &transport.Target{
		Name: name, Address: host, Port: port, User: "root", IdentityFiles: []string{l.file},
		IdentityAgent: "none", KnownHosts: []string{transporttest.KnownHosts(t, "["+host+"]:"+strconv.Itoa(port), key)},
	}
}

func hostPort(addr string) (string, int) {
	host, p, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(p)
	return host, port
}

// closedPort is an address at which nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newPool also checks, at the end of the test, that the pool leaves no goroutine.
func newPool(t testing.TB, o transport.Options) *transport.Pool {
	t.Helper()
	o.Logf = t.Logf
	p := transport.NewPool(o)
	pools.Add(1)
	t.Cleanup(func() {
		_ = p.Close()
		if pools.Add(-1) == 0 {
			noGoroutines(t)
		}
	})
	return p
}

// pools counts those open: only after the last of a test must all be quiet.
var pools atomic.Int64

// noGoroutines fails if goroutines of the package are left, other than those
// of the test servers.
func noGoroutines(t testing.TB) {
	t.Helper()
	var left []string
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		left = nil
		buf := make([]byte, 4<<20)
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "labctl/transport.") && !strings.Contains(g, "noGoroutines") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("%d goroutines left, the first:\n%s", len(left), left[0])
}

// patient is the context of a test, for as long as nothing of it takes: what hangs fails by its name, before the time of all
// tests is up.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, errors.New("the test has waited for three minutes"))
	t.Cleanup(cancel)
	return ctx
}

func dial(t testing.TB, p *transport.Pool, target *transport.Target) transport.Conn {
	t.Helper()
	c, err := p.Dial(patient(t), target)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs cmd to its end.
func run(t testing.TB, c transport.Conn, cmd, stdin string) (stdout string, status int) {
	t.Helper()
	p, err := c.Start(patient(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(p.Stdin, stdin)
	_ = p.Stdin.Close()
	out, err := io.ReadAll(p.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	status, err = p.Wait()
	if err != nil {
		t.Fatalf("%s: %v; stderr %s", cmd, err, p.Stderr())
	}
	return string(out), status
}

func asError(t testing.TB, err error) *transport.Error {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), not a *transport.Error", err, err)
	}
	t.Logf("message: %v", e)
	return e
}

func mention(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error does not mention %q: %v", w, err)
		}
	}
}

// chain starts n servers, each reached through the one before it, each with
// its own key and known_hosts.
func chain(t testing.TB, n int) (last *transport.Target, servers []*transporttest.SSHD) {
	for i := range n {
		me := newLogin(t)
		s := transporttest.NewSSHD(t, me.keys())
		hop := me.target(t, fmt.Sprintf("hop%d", i+1), s.Addr, s.HostKey)
		hop.Via = last
		last, servers = hop, append(servers, s)
	}
	return last, servers
}
