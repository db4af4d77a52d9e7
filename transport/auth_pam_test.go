package transport_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// pam is the set-up of a box whose sshd asks as PAM does: lines of pam.d/sshd, with pw for pam_unix and code for a second
// factor, pam_google_authenticator, with codes that are good once.
func pam(lines ...string) string {
	return "cat > /etc/pam.d/sshd <<'END'\n" + strings.NewReplacer(
		"PW", "auth required pam_unix.so nodelay", "CODE", "auth required pam_google_authenticator.so no_increment_hotp",
	).Replace(strings.Join(lines, "\n")) + `
account required pam_unix.so
password required pam_unix.so
session required pam_permit.so
END
printf '%s\n' JBSWY3DPEHPK3PXP '" TOTP_AUTH' 10000001 10000002 10000003 > /home/alice/.google_authenticator
chown alice:alice /home/alice/.google_authenticator && chmod 400 /home/alice/.google_authenticator
`
}

var (
	byPAM     = []string{"UsePAM yes", "KbdInteractiveAuthentication yes"}
	byPAMWord = []string{"UsePAM yes", "PasswordAuthentication yes"}
	expired   = "sed -i 's/^\\(alice:[^:]*\\):19000/\\1:0/' /etc/shadow\n"
)

// alice is a target for a box, for which she has no key.
func alice(t testing.TB, name string, s *transporttest.SSHD) *transport.Target {
	target := newLogin(t).target(t, name, s.Addr, s.HostKey)
	target.User, target.IdentityFiles = "alice", []string{"none"}
	return target
}

// prompts are what was asked, in order.
func (u *person) prompts() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []string
	for _, q := range u.asked {
		for _, f := range q.Fields {
			out = append(out, strings.TrimSuffix(strings.TrimSpace(f.Prompt), ":"))
		}
	}
	return strings.Join(out, ", ")
}

func TestPAM(t *testing.T) {
	needRoot(t, "google-authenticator")
	const good = transporttest.AlicePassword
	for _, test := range []struct {
		name    string
		setup   string
		sshd    []string
		key     bool
		given   string
		answers [][]string
		asked   string
		again   string // asked for a second login
		batch   bool
		slow    bool // the user takes longer than the server may
		fault   []string
	}{
		{name: "keyboard-interactive", setup: pam("PW"), sshd: byPAM, answers: [][]string{{good}}, asked: "(alice@box) Password", slow: true},
		{name: "keyboard-interactive, slower than sshd waits", setup: pam("PW"), sshd: append(byPAM, "LoginGraceTime 1"), answers: [][]string{{good}},
			asked: "(alice@box) Password", slow: true},
		{name: "password, slower than sshd waits", setup: pam("PW"), sshd: append(byPAMWord, "LoginGraceTime 1"), answers: [][]string{{good}},
			asked: "alice@box's password", slow: true},
		{name: "a code, slower than sshd waits", setup: pam("PW", "CODE"), sshd: append(byPAM, "LoginGraceTime 1"), given: good,
			answers: [][]string{{"10000001"}, {"10000001"}, {"10000002"}}, asked: "(alice@box) Verification code, (alice@box) Verification code",
			again: "(alice@box) Verification code", slow: true},
		{name: "password", setup: pam("PW"), sshd: byPAMWord, answers: [][]string{{good}}, asked: "alice@box's password"},
		{name: "wrong, then right", setup: pam("PW"), sshd: byPAM, answers: [][]string{{"x"}, {good}}, asked: "(alice@box) Password, (alice@box) Password"},
		{name: "wrong", setup: pam("PW"), sshd: byPAM, answers: [][]string{{"x"}, {"y"}, {"z"}}, fault: []string{"user alice: not let in; the server takes publickey, keyboard-interactive; tried: keyboard-interactive"},
			asked: "(alice@box) Password, (alice@box) Password, (alice@box) Password"},
		{name: "wrong, and sshd hangs up", setup: pam("PW"), sshd: append(byPAM, "MaxAuthTries 2"), answers: [][]string{{"x"}, {"y"}, {"z"}},
			fault: []string{"Too many authentication failures", "tried: keyboard-interactive"}, asked: "(alice@box) Password, (alice@box) Password"},
		{name: "password, wrong, then right", setup: pam("PW"), sshd: byPAMWord, answers: [][]string{{"x"}, {good}}, asked: "alice@box's password, alice@box's password"},
		{name: "given up", setup: pam("PW"), sshd: byPAM, asked: "(alice@box) Password", fault: []string{"user alice: not let in; nobody is there any more"}},
		{name: "given", setup: pam("PW"), sshd: byPAM, given: good},
		{name: "given wrong", setup: pam("PW"), sshd: byPAM, given: "x", answers: [][]string{{good}}, asked: "(alice@box) Password"},
		{name: "two factors", setup: pam("PW", "CODE"), sshd: byPAM, answers: [][]string{{good}, {"10000001"}, {"10000002"}},
			asked: "(alice@box) Password, (alice@box) Verification code", again: "(alice@box) Verification code"},
		{name: "two factors, the password given", setup: pam("PW", "CODE"), sshd: byPAM, given: good, answers: [][]string{{"10000001"}, {"10000002"}},
			asked: "(alice@box) Verification code", again: "(alice@box) Verification code"},
		{name: "the code first", setup: pam("CODE", "PW"), sshd: byPAM, given: good, answers: [][]string{{"10000001"}, {"10000002"}},
			asked: "(alice@box) Verification code", again: "(alice@box) Verification code"},
		{name: "a key and a code", setup: pam("CODE"), key: true, sshd: append(byPAM, "AuthenticationMethods publickey,keyboard-interactive"),
			answers: [][]string{{"10000001"}, {"10000002"}}, asked: "(alice@box) Verification code", again: "(alice@box) Verification code"},
		{name: "a key and two factors", setup: pam("PW", "CODE"), key: true, sshd: append(byPAM, "AuthenticationMethods publickey,keyboard-interactive:pam"),
			answers: [][]string{{good}, {"10000001"}, {"10000002"}}, asked: "(alice@box) Password, (alice@box) Verification code", again: "(alice@box) Verification code"},
		{name: "a password and a code", setup: pam("CODE"), sshd: append(byPAM, "PasswordAuthentication yes", "AuthenticationMethods keyboard-interactive"),
			answers: [][]string{{"10000001"}, {"10000002"}}, asked: "(alice@box) Verification code", again: "(alice@box) Verification code"},
		{name: "expired", setup: pam("PW") + expired, sshd: byPAM, answers: [][]string{{good}, {"a New one 1"}, {"a New one 1"}},
			asked: "(alice@box) Password, (alice@box) New password, (alice@box) Retype new password"},
		{name: "expired, nobody there", setup: pam("PW") + expired, sshd: byPAM, given: good, batch: true, fault: []string{"user alice: not let in; the password has expired"}},
		{name: "given wrong, nobody there", setup: pam("PW"), sshd: byPAM, given: "x", batch: true, fault: []string{"user alice: not let in; there is nobody to ask"}},
		{name: "nobody there", setup: pam("PW"), key: true, sshd: append(byPAM, "AuthenticationMethods publickey,keyboard-interactive"), batch: true,
			fault: []string{"publickey alone is not enough", "the server takes keyboard-interactive; tried: nothing", "keyboard-interactive is not tried: there is nobody to ask"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			me := newLogin(t)
			s := transporttest.NewBox(t, []ssh.PublicKey{me.signer.PublicKey()}, test.setup, test.sshd...)
			target := alice(t, "box", s)
			target.Password, target.BatchMode = test.given, test.batch
			if test.key {
				target.IdentityFiles = []string{me.file}
			}
			u := &person{answers: test.answers}
			if test.slow {
				target.ConnectTimeout = time.Second
				u.before = sync.OnceFunc(func() { time.Sleep(1500 * time.Millisecond) })
			}
			pool := newPool(t, transport.Options{Ask: u.ask})
			c, err := pool.Dial(t.Context(), target)
			if got := u.prompts(); got != test.asked {
				t.Errorf("asked for %q; wanted %q", got, test.asked)
			}
			if test.fault != nil {
				mention(t, asError(t, err), test.fault...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if out, status := run(t, c, "id -un", ""); out != "alice\n" || status != 0 {
				t.Errorf("%q, status %d", out, status)
			}
			u.asked = nil
			if _, err := pool.DialFresh(t.Context(), target); err != nil || u.prompts() != test.again {
				t.Errorf("again: %v, asked for %q; wanted %q", err, u.prompts(), test.again)
			}
		})
	}
}

// What all who are behind a bastion need is asked once, by one login.
func TestPAMAskedOncePerBastion(t *testing.T) {
	needRoot(t, "google-authenticator")
	bastion := transporttest.NewBox(t, nil, pam("PW", "CODE"), byPAM...)
	via := alice(t, "bastion", bastion)
	me := newLogin(t)
	u := &person{answers: [][]string{{transporttest.AlicePassword}, {"10000001"}}}
	pool := newPool(t, transport.Options{Ask: u.ask})
	var targets []*transport.Target
	for _, name := range []string{"a", "b", "c"} {
		s := transporttest.NewSSHD(t, me.keys())
		target := me.target(t, name, s.Addr, s.HostKey)
		target.Via = via
		targets = append(targets, target)
	}
	for i, err := range dialAll(t, pool, targets) {
		if err != nil {
			t.Errorf("%s: %v", targets[i].Name, err)
		}
	}
	if want := "(alice@bastion) Password, (alice@bastion) Verification code"; u.prompts() != want || bastion.Connections() != 1 {
		t.Errorf("asked for %q by %d connections", u.prompts(), bastion.Connections())
	}
}

// sshd may let in who has an expired password and then run nothing; see do_exec_no_pty and session_pty_req.
func TestPAMExpiredRunsNothing(t *testing.T) {
	needRoot(t)
	for _, method := range []string{"publickey", "password"} {
		me := newLogin(t)
		s := transporttest.NewBox(t, me.keys(), pam("PW")+expired, byPAMWord...)
		target := alice(t, "box", s)
		if target.Password = transporttest.AlicePassword; method == "publickey" {
			target.IdentityFiles = []string{me.file}
		}
		c := dial(t, newPool(t, transport.Options{}), target)
		_, err := talk(t, c, newBins(t), transport.AgentOptions{}, "")
		if err == nil {
			t.Fatal("an agent runs")
		}
		mention(t, err, "password", "expired", "log in by hand")
	}
}
