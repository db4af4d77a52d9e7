package transport_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// proxied is a target whose ProxyCommand is the given one, with its tokens replaced.
func proxied(t *testing.T, target *transport.Target, command string) *transport.Target {
	t.Helper()
	text, err := transport.ExpandProxyCommand(command, target, target.Name)
	if err != nil {
		t.Fatal(err)
	}
	out := *target
	out.ProxyCommand = text
	return &out
}

// openssh is a command line of ssh(1) to the server that reads nothing of this machine's user.
func openssh(me login, jump *transporttest.SSHD, rest string) string {
	return fmt.Sprintf("ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i %s -p %d %s root@127.0.0.1",
		me.file, jump.Port, rest)
}

// The second and the third method of reaching a host behind another, with nc and with -W, and the command on its own.
func TestProxyCommandReachesATarget(t *testing.T) {
	me := newLogin(t)
	jump, far := transporttest.NewSSHD(t, me.keys()), transporttest.NewSSHD(t, me.keys())
	plain := me.target(t, "boxA", far.Addr, far.HostKey)
	for name, command := range map[string]string{
		"nc here":            "nc %h %p",
		"nc on the jump":     openssh(me, jump, "") + " nc %h %p",
		"stdio forward":      openssh(me, jump, "-W [%h]:%p"),
		"a pipe of commands": "sh -c 'cat | nc %h %p | cat'",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, newPool(t, transport.Options{}), proxied(t, plain, command))
			if out, status := run(t, c, "cat; exit 3", strings.Repeat("x", 300_000)); len(out) != 300_000 || status != 3 {
				t.Errorf("%d bytes and status %d", len(out), status)
			}
			_ = c.Close()
		})
	}
}

// A hop may itself be behind a command, and what stands behind that hop shares it.
func TestProxyCommandOfAHop(t *testing.T) {
	me := newLogin(t)
	jump, far := transporttest.NewSSHD(t, me.keys()), transporttest.NewSSHD(t, me.keys())
	p := newPool(t, transport.Options{})
	hop := proxied(t, me.target(t, "jump", jump.Addr, jump.HostKey), "nc %h %p")
	for _, name := range []string{"a", "b"} {
		target := me.target(t, name, far.Addr, far.HostKey)
		target.Via = hop
		if out, _ := run(t, dial(t, p, target), "echo hi", ""); out != "hi\n" {
			t.Errorf("got %q", out)
		}
	}
	if jump.Connections() != 1 {
		t.Errorf("%d connections to the jump host", jump.Connections())
	}
	// A command takes the place of the hops of its own target.
	target := proxied(t, me.target(t, "c", far.Addr, far.HostKey), "nc %h %p")
	target.Via = me.target(t, "nowhere", "192.0.2.1:22", jump.HostKey)
	dial(t, p, target)
}

func TestProxyCommandThatFails(t *testing.T) {
	me := newLogin(t)
	nobody := closedPort(t)
	jump := transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no")
	target := me.target(t, "boxA", nobody, jump.HostKey)
	for name, c := range map[string]struct {
		command string
		words   []string
	}{
		"dies":               {"sh -c 'echo what a pity >&2; exit 5'", []string{"sh: it ended with status 5; it said: what a pity", "does it work by hand?"}},
		"is killed":          {"sh -c 'kill -TERM $$'", []string{"signal: terminated"}},
		"is not there":       {"no-such-program %h", []string{"status 127", "is it installed here"}},
		"cannot connect":     {"nc %h %p", []string{"nc: it ended with status 1"}},
		"may not forward":    {openssh(me, jump, "-W %h:%p"), []string{"administratively prohibited", "the host on the way forbids forwarding"}},
		"hides its password": {"sh -c 'exit 1' secret", []string{"sh: it ended with status 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newPool(t, transport.Options{}).Dial(t.Context(), proxied(t, target, c.command))
			if e := asError(t, err); e.Phase != transport.PhaseProxy || e.Hop != "boxA" || e.Via != "" {
				t.Errorf("hop %s phase %s via %q", e.Hop, e.Phase, e.Via)
			}
			mention(t, err, append(c.words, "proxy command: ")...)
			if strings.Contains(err.Error(), "secret") {
				t.Error("the error repeats the arguments")
			}
		})
	}
}

// sshd at its limit hangs up on nc, which then ends as if all were well; that is tried again.
func TestProxyCommandThatWasDropped(t *testing.T) {
	me := newLogin(t)
	s := transporttest.New(t, transporttest.Config{Drop: func(n int64) bool { return n <= 2 }})
	dial(t, newPool(t, transport.Options{}), proxied(t, me.target(t, "a", s.Addr, s.HostKey), "nc %h %p"))
	if s.Connections() != 3 {
		t.Errorf("%d connections", s.Connections())
	}
}

// Whatever it does: the command, and what it has started, are gone after a timeout and at the end of the connection.
func TestProxyCommandIsEnded(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	plain := me.target(t, "boxA", s.Addr, s.HostKey)
	for name, c := range map[string]struct {
		command string
		fails   bool
	}{
		"silent":    {`sh -c 'echo $$ >%s; echo waiting for nobody >&2; sleep 600'`, true},
		"stubborn":  {`sh -c 'trap "" HUP TERM PIPE; echo $$ >%s; sleep 600; sleep 600'`, true},
		"connected": {`sh -c 'echo $$ >%s; (trap "" HUP; sleep 600) & nc %%h %%p'`, false},
	} {
		t.Run(name, func(t *testing.T) {
			pid := filepath.Join(t.TempDir(), "pid")
			target := proxied(t, plain, fmt.Sprintf(c.command, pid))
			p := transport.NewPool(transport.Options{Logf: t.Logf})
			if c.fails {
				target.ConnectTimeout = 500 * time.Millisecond
			}
			_, err := p.Dial(t.Context(), target)
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if name == "silent" {
				mention(t, err, "connect_timeout", "waiting for nobody", "no SSH server answers through it")
			}
			_ = p.Close()
			group := groupOf(t, pid)
			for end := time.Now().Add(5 * time.Second); syscall.Kill(-group, 0) == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					_ = syscall.Kill(-group, syscall.SIGKILL)
					t.Fatal("something of it still runs")
				}
			}
		})
	}
}

func groupOf(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	group, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return group
}

func TestExpandProxyCommand(t *testing.T) {
	target := &transport.Target{Name: "boxA", Address: "192.168.178.3", Port: 2222, User: "alice"}
	got, err := transport.ExpandProxyCommand("x %h %p %r %n 100%%", target, "box.example")
	if want := "x 192.168.178.3 2222 alice box.example 100%"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	for command, word := range map[string]string{"nc %x": "unknown token %x", "nc %h %": "ends in %", "nc %d": "unknown token %d"} {
		if _, err := transport.ExpandProxyCommand(command, target, "a"); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", command, err)
		}
	}
	for _, bad := range []string{"-oX", "a;b", "a b", "$(id)", "a`b", "a\nb", "a|b", "a'b", "{a,b}", "a>b", ""} {
		odd := &transport.Target{Address: bad}
		if got, err := transport.ExpandProxyCommand("nc %h %p", odd, "a"); err == nil {
			t.Errorf("address %q gave %q", bad, got)
		}
		if bad == "a b" || bad == "" {
			continue
		}
		odd = &transport.Target{Address: "a", User: bad}
		if got, err := transport.ExpandProxyCommand("nc %r", odd, "a"); err == nil {
			t.Errorf("user %q gave %q", bad, got)
		}
	}
}
