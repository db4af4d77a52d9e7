package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// boxConn logs in to a box, as user.
func boxConn(t testing.TB, user, setup string, extra ...string) transport.Conn {
	t.Helper()
	me := newLogin(t)
	s := transporttest.NewBox(t, me.keys(), setup, extra...)
	target := me.target(t, "box", s.Addr, s.HostKey)
	target.User = user
	return dial(t, newPool(t, transport.Options{}), target)
}

func sudoers(lines ...string) string {
	return "cat >> /etc/sudoers <<'END'\n" + strings.Join(lines, "\n") + "\nEND\n"
}

func doasConf(lines ...string) string {
	return "cat > /etc/doas.conf <<'END'\n" + strings.Join(lines, "\n") + "\nEND\n"
}

// known is a password that somebody has given before, as -K does: there is no other.
func known(password string) func(context.Context, string) (string, error) {
	return func(_ context.Context, refused string) (string, error) {
		if refused != "" {
			return "", errors.New("it was the only one")
		}
		return password, nil
	}
}

const (
	mayAll       = "alice ALL=(ALL:ALL) ALL"
	mayAllFreely = "alice ALL=(ALL:ALL) NOPASSWD: ALL"
)

// Every way into another user, with the programs as they are. Each is taken twice: the first pushes the agent.
func TestBecome(t *testing.T) {
	needRoot(t, "sudo", "doas", "su")
	right, root := known(transporttest.AlicePassword), known(transporttest.RootPassword)
	for _, test := range []struct {
		name  string
		setup string
		as    *transport.Become
		uid   string
	}{
		{"sudo without a password", sudoers(mayAllFreely), &transport.Become{User: "root"}, "0"},
		{"sudo without a password, though one is known", sudoers(mayAllFreely), &transport.Become{User: "root", Password: right, Known: true}, "0"},
		{"sudo", sudoers(mayAll), &transport.Become{User: "root", Password: right, Known: true}, "0"},
		{"sudo to another user", sudoers(mayAll), &transport.Become{User: "bob", Password: right}, "2001"},
		{"sudo to nobody", sudoers(mayAll), &transport.Become{User: "nobody", Password: right}, "65534"},
		{"sudo to oneself", sudoers(mayAll), &transport.Become{User: "alice", Password: right}, "2000"},
		{"sudo asks each time", sudoers(mayAll, "Defaults timestamp_timeout=0"), &transport.Become{User: "root", Password: right}, "0"},
		{"sudo asks once for all", sudoers(mayAll, "Defaults timestamp_type=global"), &transport.Become{User: "root", Password: right}, "0"},
		{"sudo use_pty", sudoers(mayAll, "Defaults use_pty"), &transport.Become{User: "root", Password: right}, "0"},
		{"sudo of the target's password", sudoers(mayAll, "Defaults targetpw"), &transport.Become{User: "root", Password: root}, "0"},
		{"sudo requiretty", sudoers(mayAllFreely, "Defaults requiretty"), &transport.Become{User: "root"}, "0"},
		{"sudo requiretty and a password", sudoers(mayAll, "Defaults requiretty"), &transport.Become{User: "root", Password: right}, "0"},
		{"sudo requiretty, use_pty and a password", sudoers(mayAll, "Defaults requiretty,use_pty"), &transport.Become{User: "root", Password: right}, "0"},
		{"sudo and no awk", sudoers(mayAll) + "mount --bind /dev/null /usr/bin/mawk", &transport.Become{User: "root", Password: right}, "0"},
		{"sudo with flags", sudoers(mayAll), &transport.Become{User: "root", Password: right, Flags: []string{"-H", "-S", "-n", "-E"}}, "0"},
		{"doas without a password", doasConf("permit nopass alice"), &transport.Become{User: "root", Method: "doas"}, "0"},
		{"doas without a password, though somebody could be asked", doasConf("permit nopass alice"), &transport.Become{User: "root", Method: "doas", Password: right}, "0"},
		{"doas", doasConf("permit alice"), &transport.Become{User: "root", Method: "doas", Password: right, Known: true}, "0"},
		{"doas that asks somebody", doasConf("permit alice"), &transport.Become{User: "bob", Method: "doas", Password: right}, "2001"},
		{"su", "", &transport.Become{User: "root", Method: "su", Password: root}, "0"},
		{"su that asks for nothing", "sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/su", &transport.Become{User: "bob", Method: "su"}, "2001"},
		{"su that asks for nothing, though a password is known", "sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/su",
			&transport.Become{User: "bob", Method: "su", Password: root, Known: true}, "2001"},
		{"su to oneself", "", &transport.Become{User: "alice", Method: "su"}, "2000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := boxConn(t, "alice", test.setup)
			b := newBins(t)
			say := "one\ntwo\x00\x03\x04\x11\x13\x1a\r\n\xff" + strings.Repeat("0123456789\n", 10_000)
			o := transport.AgentOptions{Become: test.as, Args: []string{"ahead"}}
			hello := fmt.Sprintf("%s args [\"ahead\"] uid %s\n", transport.AgentMagic, test.uid)
			for range 2 {
				converse(t, c, b, o, say, hello+say)
			}
			if len(b.opened) != 1 {
				t.Errorf("pushed %d times", len(b.opened))
			}
		})
	}
}

// What becoming another user costs at the start of a run, where the agent is there and nothing is known of the machine but
// what the user has said.
func TestBecomeCost(t *testing.T) {
	needRoot(t, "sudo", "doas", "su")
	const rtt = 150 * time.Millisecond
	right := known(transporttest.AlicePassword)
	for _, test := range []struct {
		name  string
		setup string
		as    *transport.Become
		trips int
	}{
		{"nobody", "", nil, 3}, // open a session; run the command, which is when sshd takes input; speak to it
		{"sudo", sudoers(mayAllFreely), &transport.Become{User: "root"}, 3},
		{"sudo, a password in case", sudoers(mayAllFreely), &transport.Become{User: "root", Password: right, Known: true}, 3},
		{"sudo with a password", sudoers(mayAll), &transport.Become{User: "root", Password: right, Known: true}, 3},
		{"sudo requiretty", sudoers(mayAll, "Defaults requiretty"), &transport.Become{User: "root", Password: right, Known: true}, 6},
		{"doas", doasConf("permit nopass alice"), &transport.Become{User: "root", Method: "doas"}, 3},
		{"doas with a password", doasConf("permit alice"), &transport.Become{User: "root", Method: "doas", Password: right, Known: true}, 4},
		{"su", "", &transport.Become{User: "root", Method: "su", Password: known(transporttest.RootPassword), Known: true}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			me := newLogin(t)
			s := transporttest.NewBox(t, me.keys(), test.setup)
			target := me.target(t, "box", s.Addr, s.HostKey)
			target.User = "alice"
			o, b := transport.AgentOptions{Become: test.as, Args: []string{"ahead"}}, newBins(t)
			hello := fmt.Sprintf("%s args [\"ahead\"] uid %d\nx", transport.AgentMagic, 2000)
			if test.as != nil {
				hello = strings.Replace(hello, "2000", "0", 1)
			}
			near := dial(t, newPool(t, transport.Options{}), target)
			converse(t, near, b, o, "x", hello) // leaves the agent there
			forget := func() {
				if test.as != nil {
					o.Become = &transport.Become{User: test.as.User, Method: test.as.Method, Password: test.as.Password, Known: test.as.Known}
				}
			}
			far := *target
			far.Name, far.Dial = "far", transporttest.NewWire(t, s.Addr, rtt/2).Addr
			conn := dial(t, newPool(t, transport.Options{}), &far)
			base, took := time.Hour, time.Hour
			for try := 1; ; try++ { // a busy machine makes either take longer, and neither shorter
				forget()
				base = min(base, elapsed(func() { converse(t, near, b, o, "x", hello) }))
				forget()
				took = min(took, elapsed(func() { converse(t, conn, b, o, "x", hello) }))
				trips := float64(took-base) / float64(rtt)
				if int(math.Round(trips)) == test.trips {
					break
				}
				if try == 5 {
					t.Fatalf("%.1f round trips, want %d", trips, test.trips)
				}
			}
		})
	}
}

func elapsed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// converse starts the agent, writes before it answers, and reads what is wanted. On a terminal there is no end of file.
func converse(t testing.TB, c transport.Conn, b *bins, o transport.AgentOptions, say, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p, err := transport.StartAgent(ctx, c, b, o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	go io.WriteString(p.Stdin, say) //nolint:errcheck // shows in what comes back
	got := make([]byte, len(want))
	if n, err := io.ReadFull(p.Stdout, got); err != nil || string(got) != want {
		t.Fatalf("%v; got %d bytes, want %d: %.200q", err, n, len(want), got[:n])
	}
}

// How becoming another user fails: at once, and in words that say what to do.
func TestBecomeRefused(t *testing.T) {
	needRoot(t, "sudo", "doas", "su")
	right, wrong := known(transporttest.AlicePassword), known("wrong")
	for _, test := range []struct {
		name  string
		setup string
		as    *transport.Become
		want  []string
	}{
		{"sudo, no password known", sudoers(mayAll), &transport.Become{User: "root"},
			[]string{"sudo: a password is required", "-K (--ask-become-pass)", "become_password", "NOPASSWD"}},
		{"sudo, nobody to ask", sudoers(mayAll), &transport.Become{User: "root", Password: nobody},
			[]string{"sudo wants a password to become root: nobody is there", "-K (--ask-become-pass)"}},
		{"sudo, wrong password", sudoers(mayAll), &transport.Become{User: "root", Password: wrong}, []string{"sudo refused the password to become root", "that of the login user"}},
		{"sudo requiretty, wrong password", sudoers(mayAll, "Defaults requiretty"), &transport.Become{User: "root", Password: wrong},
			[]string{"sudo refused the password to become root"}},
		{"sudo requiretty, no password known", sudoers(mayAll, "Defaults requiretty"), &transport.Become{User: "root"},
			[]string{"sudo wants a password to become root", "-K (--ask-become-pass)"}},
		{"sudo, no rule", "", &transport.Become{User: "root", Password: right}, []string{"alice is not in the sudoers file", "does not let the login user become root"}},
		{"sudo, a rule for another user", sudoers("alice ALL=(bob) NOPASSWD: ALL"), &transport.Become{User: "root", Password: right},
			[]string{"not allowed to execute", "see /etc/sudoers"}},
		{"sudo, unknown user", sudoers(mayAllFreely), &transport.Become{User: "zoe"}, []string{"unknown user", "zoe"}},
		{"no sudo", without("sudo"), &transport.Become{User: "root", Password: right}, []string{"sudo is not installed there", "become_method"}},
		{"no doas", without("doas"), &transport.Become{User: "root", Method: "doas"}, []string{"doas is not installed there"}},
		{"doas, no password known", doasConf("permit alice"), &transport.Become{User: "root", Method: "doas"},
			[]string{"doas: Authentication required", "-K (--ask-become-pass)", "permit nopass USER as root"}},
		{"doas, wrong password", doasConf("permit alice"), &transport.Become{User: "root", Method: "doas", Password: wrong, Known: true},
			[]string{"doas refused the password to become root"}},
		{"doas, no rule", "", &transport.Become{User: "root", Method: "doas", Password: right}, []string{"doas: Operation not permitted", "/etc/doas.conf"}},
		{"su, no password known", "", &transport.Become{User: "root", Method: "su"}, []string{"su: Authentication failure", "-K (--ask-become-pass)"}},
		{"su, the password of another", "", &transport.Become{User: "root", Method: "su", Password: right},
			[]string{"su refused the password to become root", "su wants the password of root, not that of the login user"}},
		{"su, unknown user", "", &transport.Become{User: "zoe", Method: "su", Password: right}, []string{"user zoe does not exist"}},
		{"another method", "", &transport.Become{User: "root", Method: "pbrun"}, []string{`become method "pbrun" is not known: sudo, doas or su`}},
		{"flags that take a command apart", "", &transport.Become{User: "root", Flags: []string{"-i"}}, []string{"become flag -i", "leave it out"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := talk(t, boxConn(t, "alice", test.setup), newBins(t), transport.AgentOptions{Become: test.as}, "hi")
			if err == nil {
				t.Fatal("no error")
			}
			t.Logf("message: %v", err)
			mention(t, err, test.want...)
			if strings.Contains(err.Error(), "labctl-") || strings.Contains(err.Error(), transporttest.AlicePassword) {
				t.Errorf("the message shows how it is done: %v", err)
			}
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func nobody(context.Context, string) (string, error) { return "", errors.New("nobody is there") }

// without takes a program out of /usr/bin.
func without(program string) string {
	return "mkdir /mnt/bin /mnt/bin-work; mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=/mnt/bin,workdir=/mnt/bin-work /usr/bin; rm /usr/bin/" + program
}

// A terminal is wanted where sshd gives none.
func TestBecomeWithoutTerminal(t *testing.T) {
	needRoot(t, "sudo")
	c := boxConn(t, "alice", sudoers(mayAll, "Defaults requiretty"), "PermitTTY no")
	_, err := talk(t, c, newBins(t), transport.AgentOptions{Become: &transport.Become{User: "root"}}, "hi")
	if err == nil {
		t.Fatal("no error")
	}
	t.Logf("message: %v", err)
	mention(t, err, "must have a tty", "PermitTTY")
}

// Who mistypes a password is asked again, as often as the method allows, and what was sent before comes once.
func TestBecomeAsksAgain(t *testing.T) {
	needRoot(t, "sudo")
	for _, setup := range []string{sudoers(mayAll), sudoers(mayAll, "Defaults requiretty")} {
		c := boxConn(t, "alice", setup)
		var refused []string
		answers := []string{"wrong", "wrong again", transporttest.AlicePassword}
		b := newBins(t)
		ask := func(_ context.Context, no string) (string, error) {
			refused = append(refused, no)
			return answers[min(len(refused), len(answers))-1], nil
		}
		hello := fmt.Sprintf("%s args [\"ahead\"] uid 0\n", transport.AgentMagic)
		converse(t, c, b, transport.AgentOptions{Become: &transport.Become{User: "root", Password: ask}, Args: []string{"ahead"}}, "a\nb\n", hello+"a\nb\n")
		if want := []string{"", "wrong", "wrong again"}; len(refused) < 3 || !slices.Equal(refused[:3], want) {
			t.Errorf("asked with %q, want %q", refused, want)
		}
	}
}

// The user may take their time: it does not count as the machine's silence.
func TestBecomeWaitsForTheUser(t *testing.T) {
	needRoot(t, "sudo")
	c := boxConn(t, "alice", sudoers(mayAll))
	slow := func(context.Context, string) (string, error) {
		time.Sleep(3 * time.Second)
		return transporttest.AlicePassword, nil
	}
	b := newBins(t)
	converse(t, c, b, transport.AgentOptions{Become: &transport.Become{User: "root", Password: known(transporttest.AlicePassword)}}, "x",
		transport.AgentMagic+" args [] uid 0\nx")
	o := transport.AgentOptions{HelloTimeout: 2 * time.Second, Become: &transport.Become{User: "root", Password: slow}}
	converse(t, c, b, o, "x", transport.AgentMagic+" args [] uid 0\nx")
}

// Nobody on the machine finds the password in what its processes show.
func TestBecomePasswordIsNowhere(t *testing.T) {
	needRoot(t, "sudo", "doas", "su")
	stop, found := make(chan struct{}), make(chan string)
	go func() { found <- searchProcesses(stop, transporttest.AlicePassword, transporttest.RootPassword) }()
	for _, as := range []*transport.Become{
		{User: "root", Password: known(transporttest.AlicePassword)},
		{User: "root", Method: "su", Password: known(transporttest.RootPassword)},
		{User: "root", Method: "doas", Password: known(transporttest.AlicePassword)},
	} {
		c := boxConn(t, "alice", sudoers(mayAll)+doasConf("permit alice"))
		converse(t, c, newBins(t), transport.AgentOptions{Become: as}, "x", transport.AgentMagic+" args [] uid 0\nx")
	}
	close(stop)
	if where := <-found; where != "" {
		t.Error("a password stands in " + where)
	}
}

// searchProcesses looks through the arguments and environments of all processes again and again.
func searchProcesses(stop chan struct{}, secrets ...string) string {
	for {
		select {
		case <-stop:
			return ""
		default:
		}
		for _, kind := range []string{"cmdline", "environ"} {
			files, _ := filepath.Glob("/proc/[0-9]*/" + kind)
			for _, f := range files {
				text, _ := os.ReadFile(f)
				for _, s := range secrets {
					if strings.Contains(string(text), s) {
						return f + ": " + strings.ReplaceAll(string(text), "\x00", " ")
					}
				}
			}
		}
	}
}
