package transport_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

var buildRealAgent = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "labctl-agent")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "agent"), "labctl/cmd/labctl-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "agent"))
})

// realAgents is the agent that labctl carries.
func realAgents(t testing.TB) *bins {
	t.Helper()
	binary, err := buildRealAgent()
	if err != nil {
		t.Fatal(err)
	}
	b := binsOf(t, runtime.GOARCH, binary)
	b.forms = []string{""}
	return b
}

// Two bastions that forbid forwarding and many machines behind them at once.
func TestRelay(t *testing.T) {
	me := newLogin(t)
	first := transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no", "MaxSessions 4")
	second := transporttest.NewSSHD(t, me.keys(), "PermitOpen 192.0.2.1:22", "MaxSessions 4")
	far := []*transporttest.SSHD{transporttest.NewSSHD(t, me.keys(), "MaxStartups 100"), transporttest.NewSSHD(t, me.keys(), "MaxStartups 100")}
	hop := me.target(t, "bastion", first.Addr, first.HostKey)
	hop.Relay = true
	inner := me.target(t, "inner", second.Addr, second.HostKey)
	inner.Via, inner.Relay = hop, true
	p := newPool(t, transport.Options{Agents: realAgents(t), Retries: -1})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			s := far[i%len(far)]
			target := me.target(t, fmt.Sprintf("t%d", i), s.Addr, s.HostKey)
			target.Via = inner
			if i%4 == 0 { // as seen from the bastion
				target.Address = "localhost"
				target.HostKeyAlias = "[127.0.0.1]:" + fmt.Sprint(s.Port)
			}
			c, err := p.Dial(t.Context(), target)
			if err != nil {
				t.Error(err)
				return
			}
			big := strings.Repeat(fmt.Sprintf("line of %d\n", i), 20_000)
			if out, status := run(t, c, "cat; exit 3", big); out != big || status != 3 {
				t.Errorf("%d bytes came back of %d, and status %d", len(out), len(big), status)
			}
			_ = c.Close()
		})
	}
	wg.Wait()
	if a, b := first.Connections(), second.Connections(); a != 1 || b != 1 {
		t.Errorf("%d and %d connections to the bastions", a, b)
	}
}

// What cannot be reached from the bastion is told as if sshd had tried.
func TestRelayTellsWhy(t *testing.T) {
	me := newLogin(t)
	bastion := transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no")
	hop := me.target(t, "bastion", bastion.Addr, bastion.HostKey)
	closed := me.target(t, "boxA", bastion.Addr, bastion.HostKey)
	closed.Via, closed.Dial = hop, closedPort(t)

	p := newPool(t, transport.Options{Agents: realAgents(t)})
	_, err := p.Dial(t.Context(), closed)
	if e := asError(t, err); e.Phase != transport.PhaseChannel {
		t.Errorf("phase %s", e.Phase)
	}
	mention(t, err, "administratively prohibited", "sshd on bastion forbids forwarding", "AllowTcpForwarding", "PermitOpen", "relay = true for bastion")

	relayed := *hop
	relayed.Relay = true
	closed.Via = &relayed
	_, err = p.Dial(t.Context(), closed)
	if e := asError(t, err); e.Phase != transport.PhaseChannel || e.Hop != "boxA" || e.Via != "bastion" {
		t.Errorf("hop %s via %s, phase %s", e.Hop, e.Via, e.Phase)
	}
	mention(t, err, "connection refused", "seen from bastion nothing listens there")

	closed.Dial = "no-such-name.invalid:22"
	_, err = p.Dial(t.Context(), closed)
	mention(t, err, "look up no-such-name.invalid: the name is unknown there")

	none := newPool(t, transport.Options{})
	_, err = none.Dial(t.Context(), closed)
	mention(t, err, "start relay on bastion", "there is no agent")

	forced := transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no", "ForceCommand echo no commands here >&2; exit 9")
	closed.Via = me.target(t, "bastion", forced.Addr, forced.HostKey)
	closed.Via.Relay = true
	_, err = p.Dial(t.Context(), closed)
	mention(t, err, "start relay on bastion", "status 9", "no commands here")
}

// A relay that dies takes what goes through it along, and is started again for the next.
func TestRelayThatDies(t *testing.T) {
	me := newLogin(t)
	bastion, far := transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no"), transporttest.NewSSHD(t, me.keys())
	hop := me.target(t, "bastion", bastion.Addr, bastion.HostKey)
	hop.Relay = true
	target := me.target(t, "boxA", far.Addr, far.HostKey)
	target.Via = hop
	p := newPool(t, transport.Options{Agents: realAgents(t)})
	proc, err := dial(t, p, target).Start(t.Context(), "sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	out, _ := run(t, dial(t, p, hop), "for p in $(pgrep -P $PPID); do readlink /proc/$p/exe | grep -q /agent- && echo $p; done", "")
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := proc.Wait(); err == nil {
		t.Error("the command behind it knows nothing of it")
	} else {
		mention(t, err, "boxA", "lost")
	}
	for end := time.Now().Add(5 * time.Second); ; {
		c, err := p.Dial(t.Context(), target)
		if err == nil {
			if out, _ := run(t, c, "echo again", ""); out != "again\n" {
				t.Errorf("got %q", out)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if n := bastion.Connections(); n != 1 {
		t.Errorf("%d connections to the bastion", n)
	}
}

// One connection that nobody reads from holds up no other.
func TestRelayDoesNotStandStill(t *testing.T) {
	me := newLogin(t)
	bastion := transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no")
	hop := me.target(t, "bastion", bastion.Addr, bastion.HostKey)
	hop.Relay = true
	echo := transporttest.Serve(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	c := dial(t, newPool(t, transport.Options{Agents: realAgents(t)}), hop).(transport.Forwarder)
	forward := func() net.Conn {
		conn, err := c.Forward(t.Context(), echo)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	stuck, free := forward(), forward()
	written := make(chan struct{})
	go func() { // its echo fills every buffer on the way back
		defer close(written)
		_, _ = stuck.Write(make([]byte, 64<<20))
	}()
	time.Sleep(200 * time.Millisecond)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	go func() {
		_, _ = free.Write(big)
		_ = free.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(free) // to its end, which is passed on each way
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes of %d, %v", len(got), len(big), err)
	}
	_ = stuck.Close()
	<-written
}
