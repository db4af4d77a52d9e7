package transport_test

import (
	"fmt"
	"strings"
	"testing"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// hardLogin is an account of a box, alice, as some users have made theirs.
type hardLogin struct {
	shell  string // path
	rc     string // the file that the shell reads even for one command, in the home directory; empty: it reads none
	read   string // how the shell reads a line of standard input
	prints string // how it prints to standard output and standard error
}

var hardLogins = map[string]hardLogin{
	"dash": {"/bin/dash", "", "", ""},
	"bash": {"/bin/bash", ".bashrc", "read answer", "echo Welcome; echo welcome >&2"}, // sshd's children are interactive to it, in Debian's build
	"zsh":  {"/bin/zsh", ".zshenv", "read answer", "echo Welcome; echo welcome >&2"},
	"fish": {"/usr/bin/fish", ".config/fish/config.fish", "read answer", "echo Welcome; echo welcome >&2"},
	"tcsh": {"/bin/tcsh", ".tcshrc", "set answer = $<", "echo Welcome; sh -c 'echo welcome >&2'"},
	"csh":  {"/bin/csh", ".cshrc", "set answer = $<", "echo Welcome; sh -c 'echo welcome >&2'"},
}

// setup makes alice use the shell, with lines in its start-up file.
func (l hardLogin) setup(lines string) string {
	script := fmt.Sprintf("sed -i 's|:/home/alice:.*|:/home/alice:%s|' /etc/passwd\n", l.shell)
	if l.rc == "" || lines == "" {
		return script
	}
	rc := "/home/alice/" + l.rc
	return script + fmt.Sprintf("mkdir -p $(dirname %s); cat > %s <<'END'\n%s\nEND\nchown -R alice: /home/alice\n", rc, rc, lines)
}

// asAlice logs in to a box as alice.
func asAlice(t testing.TB, setup string, extra ...string) transport.Conn {
	t.Helper()
	me := newLogin(t)
	s := transporttest.NewBox(t, me.keys(), setup, extra...)
	target := me.target(t, "box", s.Addr, s.HostKey)
	target.User = "alice"
	return dial(t, newPool(t, transport.Options{}), target)
}

// hello is what the agent of alice says first.
const hello = transport.AgentMagic + " args [] uid 2000\n"

// Whatever shell a user has, and whatever its start-up files print, the agent is pushed once and speaks.
func TestLoginShells(t *testing.T) {
	for name, login := range hardLogins {
		needTools(t, login.shell)
		for kind, lines := range map[string]string{
			"quiet": "",
			"noisy": strings.Repeat(login.prints+"\n", 40),
		} {
			if kind == "noisy" && login.rc == "" {
				continue
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				c := asAlice(t, login.setup(lines))
				b := newBins(t)
				for range 2 {
					if got, err := talk(t, c, b, transport.AgentOptions{}, "frames"); err != nil || got != hello+"frames" {
						t.Fatalf("got %q, %v", got, err)
					}
				}
				if len(b.opened) != 1 {
					t.Errorf("pushed %d times", len(b.opened))
				}
				if out, _ := run(t, c, "echo out", ""); (kind == "noisy") != strings.Contains(out, "Welcome") {
					t.Errorf("%q says the shell: the test is not what it says", out)
				}
			})
		}
	}
}

// A start-up file that reads a line of standard input finds one that is not missed.
func TestLoginScriptReads(t *testing.T) {
	for name, login := range hardLogins {
		if login.rc == "" {
			continue
		}
		needTools(t, login.shell)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := asAlice(t, login.setup(login.read+"\necho read: $answer"))
			if got, err := talk(t, c, newBins(t), transport.AgentOptions{}, "frames"); err != nil || got != hello+"frames" {
				t.Errorf("got %q, %v", got, err)
			}
			if out, _ := run(t, c, "cat", "one\ntwo\n"); out != "read: one\ntwo\n" {
				t.Errorf("%q says the shell: the test is not what it says", out)
			}
		})
	}
}
