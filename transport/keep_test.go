package transport_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// TestKeepSharesBetweenPools dials through a jump twice, by two pools: the second pays for no handshake.
func TestKeepSharesBetweenPools(t *testing.T) {
	target, servers := chain(t, 2)
	keep := transport.NewKeep()
	first := newPool(t, transport.Options{Keep: keep})
	c := dial(t, first, target)
	run(t, c, "true", "")
	if s := c.Stats(); s.Handshake == 0 || s.Via == nil || s.Via.Handshake == 0 {
		t.Errorf("the first login has cost nothing: %+v", s)
	}
	_ = c.Close()
	first.Retire()

	second := newPool(t, transport.Options{Keep: keep})
	c = dial(t, second, target)
	if out, _ := run(t, c, "echo warm", ""); out != "warm\n" {
		t.Errorf("said %q", out)
	}
	s := c.Stats()
	// Two on a long wire: on loopback an answer may come between the command and its end of file.
	if s.Handshake != 0 || s.RoundTrips > 3 || s.Via.Handshake != 0 || s.Via.RoundTrips > 3 {
		t.Errorf("the second use has cost %+v, through %+v", s, *s.Via)
	}
	for _, sshd := range servers {
		if n := sshd.Connections(); n != 1 {
			t.Errorf("%d connections to %s", n, sshd.Addr)
		}
	}
	_ = c.Close()
}

// TestKeepTrustsThisComputer uses a kept connection again whose key no file knows, where any key of this computer will do.
func TestKeepTrustsThisComputer(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.KnownHosts, target.NoHostAuthenticationForLocalhost = []string{"/dev/null"}, true
	keep := transport.NewKeep()
	for range 2 {
		p := newPool(t, transport.Options{Keep: keep})
		_ = dial(t, p, target).Close()
		p.Retire()
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestKeepEnds lets kept connections expire, the jump's with the last that went through it, and the retired pool after them.
func TestKeepEnds(t *testing.T) {
	target, servers := chain(t, 2)
	keep := transport.NewKeep()
	target.Persist, target.Via.Persist = 300*time.Millisecond, 300*time.Millisecond
	p := newPool(t, transport.Options{Keep: keep})
	_ = dial(t, p, target).Close()
	p.Retire()
	begin := time.Now()
	for _, s := range servers {
		waitLog(t, s, "Connection closed by")
	}
	if took := time.Since(begin); took < 200*time.Millisecond || took > 2*time.Second {
		t.Errorf("closed after %v", took)
	}
}

// TestKeepDead hands out no connection whose far side has gone, with or without a word. The jump alone may be dead, too.
func TestKeepDead(t *testing.T) {
	for _, silent := range []bool{true, false} {
		t.Run(map[bool]string{true: "silent", false: "reset"}[silent], func(t *testing.T) {
			target, servers := chain(t, 2)
			valve := newValve(t, servers[0].Addr)
			target.Via.Dial = valve.addr
			keep := transport.NewKeep()
			first := newPool(t, transport.Options{Keep: keep})
			c := dial(t, first, target)
			run(t, c, "true", "")
			_ = c.Close()
			first.Retire()
			if silent {
				time.Sleep(2100 * time.Millisecond) // news younger than two seconds need no proof
				valve.shut()
			} else {
				valve.cut()
			}

			second := newPool(t, transport.Options{Keep: keep})
			before := servers[1].Connections()
			c = dial(t, second, target)
			p, err := c.Start(t.Context(), "echo again")
			if err == nil {
				_ = p.Close()
			}
			switch {
			case err != nil && c.(transport.Channels).Alive():
				t.Error("it is said to live")
			case err == nil && silent:
				t.Fatal("a dead connection has opened a session")
			case err == nil && servers[1].Connections() == before: // else the reset was noticed first, and this is a new login
				t.Fatal("a dead connection has opened a session")
			}
			_ = c.Close()
			c = dial(t, second, target)
			if out, _ := run(t, c, "echo again", ""); out != "again\n" {
				t.Errorf("said %q", out)
			}
			_ = c.Close()
			second.Retire()
		})
	}
}

// TestKeepSeparatesPools: what one pool has failed at, another tries.
func TestKeepSeparatesPools(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, newLogin(t).keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	keep := transport.NewKeep()
	for range 2 {
		if _, err := newPool(t, transport.Options{Keep: keep}).Dial(t.Context(), target); err == nil {
			t.Fatal("logged in without leave")
		}
	}
	if n := s.Connections(); n != 2 {
		t.Errorf("%d connections by two pools", n)
	}
}

func waitLog(t *testing.T, s *transporttest.SSHD, words string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(s.Log(), words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("sshd never said %q", words)
		}
	}
}

// valve is a TCP proxy whose connections of before can be cut, or made to carry nothing; new ones are fine.
type valve struct {
	addr string
	mu   sync.Mutex
	open []net.Conn
	gate *atomic.Bool // carries, of the connections that come
}

func newValve(t *testing.T, to string) *valve {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{addr: l.Addr().String(), gate: new(atomic.Bool)}
	v.gate.Store(true)
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			v.mu.Lock()
			v.open = append(v.open, a, b)
			go carry(a, b, v.gate)
			go carry(b, a, v.gate)
			v.mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); v.cut() })
	return v
}

func carry(to, from net.Conn, gate *atomic.Bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			_ = to.Close()
			return
		}
		if gate.Load() {
			_, _ = to.Write(buf[:n])
		}
	}
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gate.Store(false)
	v.gate = new(atomic.Bool)
	v.gate.Store(true)
}

func (v *valve) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.open {
		_ = c.Close()
	}
}
