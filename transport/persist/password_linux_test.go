package persist_test

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// aliceAt is a target for a box, and a directory for the server.
func aliceAt(t *testing.T, setup string, keys []ssh.PublicKey, extra ...string) (dir string, target *transport.Target, box *transporttest.SSHD) {
	box = transporttest.NewBox(t, keys, setup, extra...)
	dir, err := os.MkdirTemp("", "persist")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(dir)
		eventually(t, "the server has ended", func() bool { return !serving(dir) })
	})
	host, p, _ := net.SplitHostPort(box.Addr)
	port, _ := strconv.Atoi(p)
	return dir, &transport.Target{
		Name: "box", Address: host, Port: port, User: "alice", IdentityFiles: []string{"none"}, IdentityAgent: "none",
		KnownHosts: []string{transporttest.KnownHosts(t, "["+host+"]:"+p, box.HostKey)},
	}, box
}

// asker answers every question by alice's password.
type asker struct {
	mu      sync.Mutex
	prompts []string
}

func (a *asker) ask(_ context.Context, q transport.Question) (out []string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range q.Fields {
		a.prompts = append(a.prompts, strings.TrimSpace(f.Prompt))
		out = append(out, transporttest.AlicePassword)
	}
	return out, nil
}

func (a *asker) said() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.prompts, ", ")
}

// TestPasswords are asked for by the run that logs in, once, on its own terminal, and known to no other run.
func TestPasswords(t *testing.T) {
	t.Parallel()
	const byPAM = `printf '%s\n' 'auth required pam_unix.so nodelay' 'account required pam_unix.so' 'session required pam_permit.so' > /etc/pam.d/sshd` + "\n"
	for name, test := range map[string]struct {
		sshd  []string
		asked string
	}{
		"password":             {[]string{"UsePAM yes", "PasswordAuthentication yes"}, "alice@box's password:"},
		"keyboard-interactive": {[]string{"UsePAM yes", "KbdInteractiveAuthentication yes"}, "(alice@box) Password:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target, box := aliceAt(t, byPAM, nil, test.sshd...)
			run := func(who *asker, fresh bool) error {
				var o transport.Options
				if who != nil {
					o.Ask = who.ask
				}
				d := newDialer(dir, o)
				defer d.Close()
				dial := d.Dial
				if fresh {
					dial = d.DialFresh
				}
				for range 2 {
					c, err := dial(t.Context(), target)
					if err != nil {
						return err
					}
					defer c.Close()
					if out := said(t, c, "id -un"); out != "alice" {
						t.Errorf("runs as %s", out)
					}
				}
				return nil
			}
			logins := 0
			for _, step := range []struct {
				what     string
				who      *asker
				fresh    bool
				asked    string
				logins   int
				expected string // of the error
			}{
				{what: "cold, nobody there", logins: 1, expected: "there is nobody to ask"},
				{what: "cold", who: &asker{}, asked: test.asked, logins: 1},
				{what: "warm", who: &asker{}},
				{what: "warm, nobody there"},
				{what: "anew, nobody there", fresh: true, logins: 1, expected: "there is nobody to ask"},
				{what: "anew, twice", who: &asker{}, fresh: true, asked: test.asked, logins: 2},
			} {
				err := run(step.who, step.fresh)
				if step.expected == "" && err != nil || step.expected != "" && (err == nil || !strings.Contains(err.Error(), step.expected)) {
					t.Errorf("%s: %v", step.what, err)
				}
				if step.who != nil && step.who.said() != step.asked {
					t.Errorf("%s: asked for %q", step.what, step.who.said())
				}
				if n := box.Connections() - logins; n != step.logins {
					t.Errorf("%s: %d logins", step.what, n)
				}
				logins = box.Connections()
			}
		})
	}
}

// TestSudoTicket: what sudo remembers of a password (timestamp_timeout in sudoers(5)) holds for the session in which it was given,
// not for the next run over the same connection.
func TestSudoTicket(t *testing.T) {
	t.Parallel()
	signer, key := transporttest.NewKey(t)
	dir, target, box := aliceAt(t, "echo 'alice ALL=(ALL) ALL' >> /etc/sudoers\n", []ssh.PublicKey{signer.PublicKey()})
	target.IdentityFiles = []string{key}
	for _, step := range []struct{ command, input, output string }{
		{"sudo -S -p '' true; sudo -n id -u; exit $?", transporttest.AlicePassword + "\n", "0"}, // one parent, one ticket
		{"exec sudo -S -p '' id -u", transporttest.AlicePassword + "\n", "0"},                   // the parent is the connection's sshd
		{"exec sudo -n id -u", "", ""},
	} {
		d := newDialer(dir, transport.Options{})
		c, err := d.Dial(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Start(t.Context(), step.command)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(p.Stdin, step.input)
		_ = p.Stdin.Close()
		out, err := io.ReadAll(p.Stdout)
		status, waitErr := p.Wait()
		if got := strings.TrimSpace(string(out)); got != step.output || (status == 0) != (got != "") || err != nil || waitErr != nil {
			t.Errorf("%s: %q, status %d, %q, %v, %v", step.command, got, status, p.Stderr(), err, waitErr)
		}
		_, _ = c.Close(), d.Close()
	}
	if n := box.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestQuestionsEnd when nobody waits for their answers, and before their run does: the terminal is somebody else's then.
func TestQuestionsEnd(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"interrupted", "closed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target, _ := bed(t)
			target = target.Via
			if err := os.Truncate(target.KnownHosts[0], 0); err != nil {
				t.Fatal(err)
			}
			asked, over := make(chan struct{}), make(chan struct{})
			d := newDialer(dir, transport.Options{Ask: func(ctx context.Context, _ transport.Question) ([]string, error) {
				close(asked)
				<-ctx.Done()
				time.Sleep(50 * time.Millisecond) // as setting the terminal right does
				close(over)
				return nil, ctx.Err()
			}})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := d.Dial(ctx, target)
				ended <- err
			}()
			<-asked
			if name == "interrupted" { // and its run goes on
				cancel()
				select {
				case <-over:
				case <-time.After(5 * time.Second):
					t.Error("the question outlives its dial")
				}
			}
			_ = d.Close()
			if err := <-ended; err == nil {
				t.Error("connected without an answer")
			}
			select {
			case <-over:
			default:
				t.Error("the question outlives its run")
			}
		})
	}
}
