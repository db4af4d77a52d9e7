package transport_test

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
	"syscall"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

func TestChainsThroughOpenSSH(t *testing.T) {
	for hops := 1; hops <= 3; hops++ {
		t.Run(strconv.Itoa(hops), func(t *testing.T) {
			target, servers := chain(t, hops)
			c := dial(t, newPool(t, transport.Options{}), target)
			out, status := run(t, c, "cat; echo to stderr >&2; exit 3", "hello")
			if out != "hello" || status != 3 {
				t.Errorf("got %q and status %d", out, status)
			}
			for i, s := range servers {
				if s.Connections() != 1 {
					t.Errorf("hop %d saw %d connections", i+1, s.Connections())
				}
			}
			depth := 0
			for s := new(transport.Stats); s != nil; s = s.Via {
				if depth == 0 {
					*s = c.Stats()
				}
				t.Logf("stats: %+v", *s)
				depth++
			}
			if depth != hops {
				t.Errorf("stats of %d connections for %d hops", depth, hops)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOneConnectionToTheJump(t *testing.T) {
	me := newLogin(t)
	jump := transporttest.NewSSHD(t, me.keys())
	far := transporttest.New(t, transporttest.Config{})
	p := newPool(t, transport.Options{})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			// A hop of its own each: alike in value is the same connection.
			via := me.target(t, "jump", jump.Addr, jump.HostKey)
			via.KnownHosts = nil
			via.HostKeyPolicy = transport.PolicyOff
			target := me.target(t, fmt.Sprintf("t%d", i), far.Addr, far.HostKey)
			target.Via = via
			c, err := p.Dial(t.Context(), target)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if out, _ := run(t, c, "echo hi", ""); out != "hi\n" {
				t.Errorf("got %q", out)
			}
		})
	}
	wg.Wait()
	if n := jump.Connections(); n != 1 {
		t.Errorf("the jump host saw %d connections, not 1", n)
	}
	if n := far.Connections(); n != 60 {
		t.Errorf("the targets saw %d connections, not 60", n)
	}
}

func TestTargetIsSharedAndClosedWithItsLastUser(t *testing.T) {
	me := newLogin(t)
	s := transporttest.New(t, transporttest.Config{})
	target := me.target(t, "a", s.Addr, s.HostKey)
	p := newPool(t, transport.Options{})
	a, b := dial(t, p, target), dial(t, p, target)
	if s.Connections() != 1 {
		t.Fatalf("%d connections for one target", s.Connections())
	}
	fresh, err := p.DialFresh(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if s.Connections() != 2 {
		t.Fatalf("DialFresh made %d connections", s.Connections()-1)
	}
	_ = fresh.Close()
	_ = a.Close()
	_ = a.Close()
	if out, _ := run(t, b, "echo still", ""); out != "still\n" {
		t.Errorf("got %q", out)
	}
	_ = b.Close()
	if _, err := b.Start(t.Context(), "true"); err == nil {
		t.Error("a closed connection starts commands")
	}
	dial(t, p, target)
	if s.Connections() != 3 {
		t.Errorf("%d connections, expected a third", s.Connections())
	}
}

func TestHungServerBehindJump(t *testing.T) {
	me := newLogin(t)
	jump := transporttest.NewSSHD(t, me.keys())
	for hang, phase := range map[string]transport.Phase{
		transporttest.HangBanner: transport.PhaseBanner,
		transporttest.HangKex:    transport.PhaseKex,
		transporttest.HangAuth:   transport.PhaseAuth,
	} {
		t.Run(hang, func(t *testing.T) {
			s := transporttest.New(t, transporttest.Config{Hang: hang})
			target := me.target(t, "boxA", s.Addr, s.HostKey)
			target.Via = me.target(t, "jump-host", jump.Addr, jump.HostKey)
			target.ConnectTimeout = 300 * time.Millisecond
			begin := time.Now()
			_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
			e := asError(t, err)
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("took %s", took)
			}
			if e.Hop != "boxA" || e.Via != "jump-host" || e.Phase != phase {
				t.Errorf("hop %s via %s phase %s", e.Hop, e.Via, e.Phase)
			}
			mention(t, err, "connect_timeout", "jump-host", "boxA")
		})
	}
}

// A jump host that hangs in the middle must not hold up what is behind it.
func TestHungJump(t *testing.T) {
	me := newLogin(t)
	jump := transporttest.New(t, transporttest.Config{Hang: transporttest.HangOpen})
	target := me.target(t, "boxA", "192.0.2.1:22", jump.HostKey)
	target.Via = me.target(t, "jump-host", jump.Addr, jump.HostKey)
	target.ConnectTimeout = 200 * time.Millisecond
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
	if e := asError(t, err); e.Phase != transport.PhaseChannel || e.Hop != "boxA" {
		t.Errorf("hop %s phase %s", e.Hop, e.Phase)
	}
	mention(t, err, "jump-host does not answer")
}

func TestCancelWhileConnecting(t *testing.T) {
	me := newLogin(t)
	s := transporttest.New(t, transporttest.Config{Hang: transporttest.HangBanner})
	p := newPool(t, transport.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	if _, err := p.Dial(ctx, me.target(t, "a", s.Addr, s.HostKey)); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// TestCancelWhileOthersAreAsked: neither an ssh-agent that says nothing nor a command that prints known keys is waited for.
func TestCancelWhileOthersAreAsked(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	socket := muteAgent(t)
	mark := filepath.Join(t.TempDir(), "running")
	for name, set := range map[string]func(*transport.Target){
		"the agent": func(target *transport.Target) { target.IdentityAgent = socket },
		"the command": func(target *transport.Target) {
			target.KnownHostsCommand = []string{"/bin/sh", "-c", "echo $$ > " + mark + "; sleep 50; true"}
		},
	} {
		target := me.target(t, "a", s.Addr, s.HostKey)
		set(target)
		p := newPool(t, transport.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		begin := time.Now()
		if _, err := p.Dial(ctx, target); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
		_ = p.Close()
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s was waited for, %s", name, d)
		}
	}
	leader, _ := strconv.Atoi(strings.TrimSpace(readFile(t, mark)))
	for end := time.Now().Add(5 * time.Second); leader < 2 || syscall.Kill(-leader, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the command has left something of its group %d", leader)
		}
	}
}

// muteAgent is the socket of an agent that never answers.
func muteAgent(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	me := newLogin(t)
	jump := transporttest.NewSSHD(t, me.keys())
	strict := transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no")
	nobody := closedPort(t)
	hungUp := transporttest.New(t, transporttest.Config{Drop: func(int64) bool { return true }})
	via := func(s *transporttest.SSHD, name, addr string) *transport.Target {
		target := me.target(t, name, addr, s.HostKey)
		target.Via = me.target(t, "jump-host", s.Addr, s.HostKey)
		return target
	}
	behindNobody := me.target(t, "boxA", jump.Addr, jump.HostKey)
	behindNobody.Via = me.target(t, "jump-host", nobody, jump.HostKey)

	for name, c := range map[string]struct {
		target *transport.Target
		hop    string
		phase  transport.Phase
		words  []string
	}{
		"refused":             {me.target(t, "boxA", nobody, jump.HostKey), "boxA", transport.PhaseTCP, []string{"connection refused", "is sshd running"}},
		"refused by the jump": {behindNobody, "jump-host", transport.PhaseTCP, []string{"reach boxA: connect to jump-host"}},
		"refused via jump":    {via(jump, "boxA", nobody), "boxA", transport.PhaseChannel, []string{"through jump-host", "seen from jump-host nothing listens"}},
		"forwarding off":      {via(strict, "boxA", jump.Addr), "boxA", transport.PhaseChannel, []string{"administratively prohibited", "AllowTcpForwarding", "sshd on jump-host"}},
		"hung up":             {me.target(t, "boxA", hungUp.Addr, hungUp.HostKey), "boxA", transport.PhaseBanner, []string{"MaxStartups", "PerSourcePenalties"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newPool(t, transport.Options{Retries: -1}).Dial(t.Context(), c.target)
			e := asError(t, err)
			if e.Hop != c.hop || e.Phase != c.phase || e.Target != "boxA" {
				t.Errorf("target %s hop %s phase %s", e.Target, e.Hop, e.Phase)
			}
			mention(t, err, c.words...)
		})
	}
}

func TestDroppedConnectionsAreTriedAgain(t *testing.T) {
	me := newLogin(t)
	s := transporttest.New(t, transporttest.Config{Drop: func(n int64) bool { return n <= 2 }})
	dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
	if s.Connections() != 3 {
		t.Errorf("%d connections", s.Connections())
	}
}

// A stock sshd drops unauthenticated connections from the tenth on; the limit
// per sshd stays below.
func TestManyTargetsAtOneSSHD(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys(), "MaxStartups 10:100:100", "PermitTTY no")
	wire := transporttest.NewWire(t, s.Addr, 5*time.Millisecond)
	p := newPool(t, transport.Options{Retries: -1})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			target := me.target(t, fmt.Sprintf("t%d", i), s.Addr, s.HostKey)
			target.Dial = wire.Addr
			if _, err := p.Dial(t.Context(), target); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if strings.Contains(s.Log(), "MaxStartups") {
		t.Error("sshd began to drop connections")
	}
}

// One failure of the jump host is enough for all that are behind it.
func TestFailedJumpIsRemembered(t *testing.T) {
	me, stranger := newLogin(t), newLogin(t)
	jump := transporttest.New(t, transporttest.Config{Authorized: stranger.keys()})
	p := newPool(t, transport.Options{})
	for i := range 10 {
		target := me.target(t, fmt.Sprintf("t%d", i), "192.0.2.1:22", jump.HostKey)
		target.Via = me.target(t, "jump-host", jump.Addr, jump.HostKey)
		target.Via.KnownHosts, target.Via.HostKeyPolicy = nil, transport.PolicyOff
		_, err := p.Dial(t.Context(), target)
		if e := asError(t, err); e.Target != target.Name || e.Hop != "jump-host" || e.Phase != transport.PhaseAuth {
			t.Errorf("target %s hop %s phase %s", e.Target, e.Hop, e.Phase)
		}
	}
	if jump.Connections() != 1 {
		t.Errorf("the jump host was tried %d times", jump.Connections())
	}
}

func TestKeepaliveEndsADeadConnection(t *testing.T) {
	me := newLogin(t)
	s := transporttest.New(t, transporttest.Config{Hang: transporttest.HangAlive})
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.ServerAliveInterval, target.ServerAliveCountMax = 50*time.Millisecond, 2
	c := dial(t, newPool(t, transport.Options{}), target)
	p, err := c.Start(t.Context(), "sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = p.Wait()
	if err == nil || time.Since(begin) > 5*time.Second {
		t.Fatalf("got %v after %s", err, time.Since(begin))
	}
	mention(t, err, "no answer to keepalives for 100ms")
	if _, err := io.ReadAll(p.Stdout); err == nil {
		t.Error("stdout ends as if all were well")
	}
}

func TestLostConnectionIsMadeAnew(t *testing.T) {
	me := newLogin(t)
	s := transporttest.New(t, transporttest.Config{})
	p := newPool(t, transport.Options{})
	target := me.target(t, "a", s.Addr, s.HostKey)
	c := dial(t, p, target)
	proc, err := c.Start(t.Context(), "sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	s.CloseConnections()
	if _, err := proc.Wait(); err == nil {
		t.Error("the end of a lost command is no error")
	} else {
		mention(t, err, "connection to a lost")
	}
	if out, _ := run(t, dial(t, p, target), "echo back", ""); out != "back\n" {
		t.Errorf("got %q", out)
	}
}

func TestCancelEndsACommandThatIgnoresIt(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	c := dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := c.Start(ctx, "trap '' HUP PIPE TERM; echo on; sleep 2")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 3)
	if _, err := io.ReadFull(p.Stdout, buf); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("enough")
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	if _, err := p.Stdout.Read(buf); !errors.Is(err, cause) {
		t.Errorf("read: %v", err)
	}
	if _, err := p.Wait(); !errors.Is(err, cause) {
		t.Errorf("wait: %v", err)
	}
	if out, _ := run(t, c, "echo free", ""); out != "free\n" { // the connection itself is as it was
		t.Errorf("got %q", out)
	}
}

func TestUpload(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	c := dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
	path := t.TempDir() + "/file"
	content := strings.Repeat("0123456789abcdef", 64<<10)
	if err := c.Upload(t.Context(), path, 0o640, int64(len(content)), strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("%d bytes came: %v", len(got), err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := c.Upload(t.Context(), path, 0o640, 100, strings.NewReader("short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too short: %v", err)
	}
	if left, _ := os.ReadDir(strings.TrimSuffix(path, "/file")); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}
