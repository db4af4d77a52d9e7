package transport_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// The fifth method: ssh -L to the machine through the jump host, which is then at a port of this one. HostKeyAlias says by
// which name its key is known.
func TestLocalForwardWithHostKeyAlias(t *testing.T) {
	me := newLogin(t)
	jump, far := transporttest.NewSSHD(t, me.keys()), transporttest.NewSSHD(t, me.keys())
	local := closedPort(t)
	args := strings.Fields(openssh(me, jump, fmt.Sprintf("-N -o ExitOnForwardFailure=yes -L %s:%s", local, far.Addr)))
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	target := me.target(t, "boxA", local, far.HostKey)
	target.KnownHosts = []string{transporttest.KnownHosts(t, "192.168.178.3", far.HostKey)}
	target.ConnectionAttempts = 10 // until ssh listens
	strange := *target
	target.HostKeyAlias = "192.168.178.3"
	p := newPool(t, transport.Options{})
	if out, _ := run(t, dial(t, p, target), "echo through", ""); out != "through\n" {
		t.Errorf("got %q", out)
	}
	_, err := p.Dial(t.Context(), &strange)
	if e := asError(t, err); e.Phase != transport.PhaseHostKey {
		t.Errorf("phase %s", e.Phase)
	}
}

// Each plain word names what sshd really refused.
func TestMaxSessionsIsNamed(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys(), "MaxSessions 1")
	c := dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
	first, err := c.Start(t.Context(), "sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	_, err = c.Start(t.Context(), "true")
	if err == nil {
		t.Fatal("a second session")
	}
	mention(t, err, "MaxSessions", "open session on a")
	_ = first.Close()
}
