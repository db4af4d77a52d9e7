package transport_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// A hundred machines at once behind one bastion with sshd's own limits.
func TestHundredHostsBehindAStockBastion(t *testing.T) {
	me := newLogin(t)
	jump := transporttest.NewSSHD(t, me.keys(), "MaxStartups 10:30:100", "MaxSessions 10")
	var far []*transporttest.SSHD
	for range 4 {
		// These stand in for a hundred machines, each with an sshd of its own.
		far = append(far, transporttest.NewSSHD(t, me.keys(), "MaxStartups 100"))
	}
	p := newPool(t, transport.Options{Retries: -1})
	hop := me.target(t, "bastion", jump.Addr, jump.HostKey)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			s := far[i%len(far)]
			target := me.target(t, fmt.Sprintf("t%d", i), s.Addr, s.HostKey)
			target.Via = hop
			c, err := p.Dial(t.Context(), target)
			if err != nil {
				t.Error(err)
				return
			}
			if out, _ := run(t, c, "echo hi", ""); out != "hi\n" {
				t.Errorf("got %q", out)
			}
		})
	}
	wg.Wait()
	if n := jump.Connections(); n != 1 {
		t.Errorf("%d connections to the bastion", n)
	}
	for _, s := range append(far, jump) {
		if strings.Contains(s.Log(), "MaxStartups") || strings.Contains(s.Log(), "no more sessions") {
			t.Error("an sshd refused something")
		}
	}
}

// The hop stands still in the middle: it is noticed in time, with what is behind it; another host goes on.
func TestAHopThatDies(t *testing.T) {
	me := newLogin(t)
	jump, far := transporttest.NewSSHD(t, me.keys()), transporttest.NewSSHD(t, me.keys())
	hop := me.target(t, "jump-host", jump.Addr, jump.HostKey)
	hop.ServerAliveInterval, hop.ServerAliveCountMax = 200*time.Millisecond, 3
	behind, beside := me.target(t, "boxA", far.Addr, far.HostKey), me.target(t, "boxB", far.Addr, far.HostKey)
	behind.Via = hop
	p := newPool(t, transport.Options{})
	direct := dial(t, p, hop)
	out, _ := run(t, direct, "echo $PPID", "")
	session, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	proc, err := dial(t, p, behind).Start(t.Context(), "sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	other := dial(t, p, beside)
	time.Sleep(time.Second) // it lives by its keepalives alone
	if err := syscall.Kill(session, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(session, syscall.SIGKILL) //nolint:errcheck // it may have ended
	begin := time.Now()
	_, err = proc.Wait()
	if took := time.Since(begin); err == nil || took > 2*time.Second {
		t.Fatalf("%v after %s", err, took)
	}
	mention(t, err, "boxA", "jump-host", "no answer to keepalives for 600ms")
	if out, _ := run(t, other, "echo on", ""); out != "on\n" {
		t.Errorf("got %q", out)
	}
	if out, _ := run(t, dial(t, p, behind), "echo again", ""); out != "again\n" { // sshd itself lives
		t.Errorf("got %q", out)
	}
}
