package transport_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// master starts an OpenSSH master and returns its socket, and what ends it.
func master(t *testing.T, me login, s *transporttest.SSHD) (string, func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cm") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	args := append(strings.Fields(openssh(me, s, "-M -N -S "+path))[1:], "")
	cmd := exec.Command("ssh", args[:len(args)-1]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(func() {
		end()
		_ = os.RemoveAll(dir)
	})
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return path, end
		}
		if time.Now().After(limit) {
			t.Fatal("the master does not come up")
		}
	}
}

func TestControlMaster(t *testing.T) {
	me, stranger := newLogin(t), newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	path, end := master(t, me, s)
	target := stranger.target(t, "a", s.Addr, s.HostKey) // who could not log in
	target.ControlPath = path
	target.ServerAliveInterval, target.ServerAliveCountMax = 50*time.Millisecond, 1
	p := newPool(t, transport.Options{})
	c := dial(t, p, target)
	if out, status := run(t, c, "cat; exit 3", strings.Repeat("x", 3<<20)); len(out) != 3<<20 || status != 3 {
		t.Errorf("%d bytes, status %d", len(out), status)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := c.Upload(t.Context(), file, 0o600, 5, strings.NewReader("hello")); err != nil {
		t.Error(err)
	}
	far, err := c.(transport.Forwarder).Forward(t.Context(), s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	banner := make([]byte, 4)
	if _, err := io.ReadFull(far, banner); err != nil || !bytes.Equal(banner, []byte("SSH-")) {
		t.Errorf("%q, %v", banner, err)
	}
	_ = far.Close()
	time.Sleep(300 * time.Millisecond) // keepalives would have ended it
	proc, err := c.Start(t.Context(), "sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Connections(); n != 2 { // the master's, and that to its own banner
		t.Errorf("%d connections", n)
	}
	end()
	if _, err := proc.Wait(); err == nil {
		t.Error("the end of the master is no error")
	} else {
		mention(t, err, "connection to a lost", "OpenSSH master")
	}
	target = me.target(t, "a", s.Addr, s.HostKey) // the socket is dead: a login of our own
	target.ControlPath = path
	if out, _ := run(t, dial(t, p, target), "echo back", ""); out != "back\n" {
		t.Errorf("got %q", out)
	}
}

// What is there but is no master must not hold up or break the login.
func TestControlPathWithoutMaster(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	dir, err := os.MkdirTemp("", "cm")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("what?"))
			_ = c.Close()
		}
	}()
	for _, path := range []string{dir + "/none", dir + "/s", "none"} {
		target := me.target(t, "a", s.Addr, s.HostKey)
		target.ControlPath = path
		dial(t, newPool(t, transport.Options{}), target)
	}
}
