//go:build unix

package persist_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/persist"
	"labctl/transport/transporttest"
)

// TestOtherSettings: a kept connection makes no wrong thing right. With other settings a run logs in, or is refused as it would be
// without one.
func TestOtherSettings(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	target = target.Via
	once(t, dir, target, "true")
	_, stranger := transporttest.NewKey(t)
	for name, test := range map[string]struct {
		change  func(*transport.Target)
		refused string
	}{
		"key":         {func(o *transport.Target) { o.IdentityFiles = []string{stranger} }, "none of the keys was accepted"},
		"user":        {func(o *transport.Target) { o.User = "nobody-of-that-name" }, "none of the keys was accepted"},
		"known_hosts": {func(o *transport.Target) { o.KnownHosts = []string{transporttest.KnownHosts(t)} }, "is unknown"},
		"pinned key":  {func(o *transport.Target) { o.HostKeys = []string{"SHA256:" + strings.Repeat("A", 43)} }, "host key"},
		"name":        {func(o *transport.Target) { o.HostKeyAlias = "another" }, "is unknown"},
		"policy":      {func(o *transport.Target) { o.HostKeyPolicy = transport.PolicyStrict }, ""},
		"cipher":      {func(o *transport.Target) { o.Ciphers = []string{"aes256-ctr"} }, ""},
		"methods":     {func(o *transport.Target) { o.Authentications = []string{"password"} }, "auth"},
	} {
		before := servers[0].Connections()
		other := *target
		test.change(&other)
		d := newDialer(dir, transport.Options{})
		c, err := d.Dial(t.Context(), &other)
		if err == nil {
			_ = c.Close()
		}
		_ = d.Close()
		if test.refused == "" && err != nil || test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)) {
			t.Errorf("another %s: %v", name, err)
		}
		if n := servers[0].Connections() - before; n == 0 && test.refused == "" {
			t.Errorf("another %s: no login", name)
		}
	}
	before := servers[0].Connections()
	if once(t, dir, target, "true"); servers[0].Connections() != before {
		t.Error("the first connection is not used any more")
	}
}

// TestKeyFilesChanged: the same settings with another key in the same file, or a jump host's, are another login.
func TestKeyFilesChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(key string) error{
		"replaced": func(key string) error {
			_, stranger := transporttest.NewKey(t)
			return os.Rename(stranger, key)
		},
		"deleted":     os.Remove,
		"certificate": func(key string) error { return os.WriteFile(key+"-cert.pub", nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target, servers := bed(t)
			once(t, dir, target, "true")
			before := servers[0].Connections()
			must(t, change(target.Via.IdentityFiles[0]))
			d := newDialer(dir, transport.Options{})
			defer d.Close()
			c, err := d.Dial(t.Context(), target)
			if err == nil {
				_ = c.Close()
			}
			if (err == nil) != (name == "certificate") || err != nil && !strings.Contains(err.Error(), "hop1") {
				t.Error(err)
			}
			if n := servers[0].Connections() - before; n != 1 && name != "deleted" {
				t.Errorf("%d logins", n)
			}
		})
	}
}

// TestMasterGone: the socket that a killed OpenSSH master has left keeps nobody from keeping connections.
func TestMasterGone(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	target.Via.ControlPath = filepath.Join(t.TempDir(), "master")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: target.Via.ControlPath, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for range 2 {
		once(t, dir, target, "true")
	}
	if n := servers[0].Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestMasterFirst: where an OpenSSH master runs, it is used, and nothing else is kept.
func TestMasterFirst(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	target = target.Via
	target.ControlPath = filepath.Join(t.TempDir(), "master")
	master := exec.Command("ssh", "-F", "none", "-M", "-N", "-S", target.ControlPath, "-i", target.IdentityFiles[0], "-o", "IdentityAgent=none",
		"-o", "UserKnownHostsFile="+target.KnownHosts[0], "-p", strconv.Itoa(target.Port), "root@"+target.Address)
	must(t, transporttest.Start(master))
	t.Cleanup(func() { _ = master.Process.Kill(); _ = master.Wait() })
	eventually(t, "the master listens", func() bool { _, err := os.Stat(target.ControlPath); return err == nil })
	for range 2 {
		if out := once(t, dir, target, "echo through"); out != "through" {
			t.Errorf("said %q", out)
		}
	}
	list, err := persist.List(dir)
	if n := servers[0].Connections(); n != 1 || len(list) != 0 || err != nil {
		t.Errorf("%d connections, listed %+v, %v", n, list, err)
	}
}

// TestGate: the session is open before its command may be sent, and is given back where it may not.
func TestGate(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{"opened": nil, "refused": errors.New("no, thank you")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target, servers := bed(t, "MaxSessions 1")
			c := dialled(t, dir, target, transport.Options{})
			before, released := servers[1].Connections(), make(chan error)
			type outcome struct {
				p   *transport.Process
				err error
			}
			started := make(chan outcome, 1)
			go func() {
				p, err := c.(transport.GatedStarter).StartGated(t.Context(), "echo through", false, func() error { return <-released })
				started <- outcome{p, err}
			}()
			eventually(t, "one of them has to log in", func() bool {
				once(t, dir, target, "true")
				return servers[1].Connections() > before
			})
			released <- refusal
			got := <-started
			if refusal != nil {
				if !errors.Is(got.err, refusal) {
					t.Error(got.err)
				}
				return
			}
			if got.err != nil {
				t.Fatal(got.err)
			}
			out, _ := io.ReadAll(got.p.Stdout)
			if status, err := got.p.Wait(); string(out) != "through\n" || status != 0 || err != nil {
				t.Errorf("said %q, status %d, %v", out, status, err)
			}
		})
	}
}

// TestInterruptedDial ends at once, on the wire as well.
func TestInterruptedDial(t *testing.T) {
	t.Parallel()
	dir, target, _ := bed(t)
	target = target.Via
	came, left := make(chan struct{}, 1), make(chan struct{}, 1)
	silent := transporttest.Serve(t, func(c net.Conn) {
		came <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
		left <- struct{}{}
	})
	_, port, _ := net.SplitHostPort(silent)
	target.Port, _ = strconv.Atoi(port)
	d := newDialer(dir, transport.Options{})
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := d.Dial(ctx, target)
		ended <- err
	}()
	<-came
	begin := time.Now()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-left
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestFirstRunsAtOnce start one server.
func TestFirstRunsAtOnce(t *testing.T) {
	t.Parallel()
	dir, target, _ := bed(t)
	runsAtOnce(t, dir, target, 4, 1000)
	if n := len(pids(dir)); n != 1 {
		t.Errorf("%d servers", n)
	}
	list, err := persist.List(dir)
	if err != nil || len(list) < 2 {
		t.Errorf("listed %+v, %v", list, err)
	}
}

// TestSocketIsPrivate to its user, by its mode and by that of its directory.
func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	dir, target, _ := bed(t)
	old := target.Via
	once(t, dir, old, "true")
	sockets, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("%q, %v", sockets, err)
	}
	if info, err := os.Stat(sockets[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
