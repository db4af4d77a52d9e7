package transport_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// One passphrase opens a key for all hosts, and is asked for before any is dialled.
func TestPassphraseIsAskedOnce(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, file := transporttest.WriteKey(t, private, "open sesame")
	me := login{signer, file}
	s := transporttest.NewSSHD(t, []ssh.PublicKey{signer.PublicKey()})
	var targets []*transport.Target
	for _, name := range []string{"a", "b", "c"} {
		targets = append(targets, me.target(t, name, s.Addr, s.HostKey))
	}
	u := &person{answers: [][]string{{"wrong"}, {"open sesame"}}, before: func() {
		if n := s.Connections(); n > 0 {
			t.Errorf("%d connections before the answer", n)
		}
	}}
	for _, err := range dialAll(t, newPool(t, transport.Options{Ask: u.ask}), targets) {
		if err != nil {
			t.Error(err)
		}
	}
	if len(u.asked) != 2 || !strings.Contains(u.asked[0].Fields[0].Prompt, file) {
		t.Errorf("asked %+v", u.asked)
	}
	u = &person{answers: [][]string{{"1"}, {"2"}, {"3"}}}
	_, err = newPool(t, transport.Options{Ask: u.ask}).Dial(t.Context(), targets[0])
	mention(t, asError(t, err), "the passphrase is wrong")
}

// defaultKeys makes a home whose ~/.ssh has keys of these names, each encrypted by its name.
func defaultKeys(t *testing.T, names ...string) (keys []login) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		signer, file := transporttest.WriteKey(t, ed25519Key(t), name)
		to := filepath.Join(home, ".ssh", name)
		if err := os.Rename(file, to); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, login{signer, to})
	}
	return keys
}

// Encrypted keys in their usual places are offered by their public halves, and opened when the server wants one: never for a
// server that does not, and once for all that do, a jump host among them.
func TestPassphraseOfAnAcceptedKey(t *testing.T) {
	keys := defaultKeys(t, "id_rsa", "id_ed25519")
	good, other := transporttest.NewSSHD(t, keys[1].keys()), transporttest.NewSSHD(t, newLogin(t).keys())
	target := func(name string, s *transporttest.SSHD) *transport.Target {
		out := keys[1].target(t, name, s.Addr, s.HostKey)
		out.IdentityFiles, out.ConnectTimeout = nil, 5*time.Second
		return out
	}
	u := &person{answers: [][]string{{"id_ed25519"}}, before: func() { time.Sleep(time.Second) }}
	pool := newPool(t, transport.Options{Ask: u.ask})
	behind := target("behind", good)
	behind.Via = target("hop", good)
	for i, err := range dialAll(t, pool, []*transport.Target{target("a", good), target("b", good), behind}) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	_, err := pool.Dial(t.Context(), target("no", other))
	mention(t, asError(t, err), "none of the keys was accepted", ssh.FingerprintSHA256(keys[0].signer.PublicKey()), keys[1].file)
	if len(u.asked) != 1 || u.asked[0].Fields[0].Prompt != "Enter passphrase for key '"+keys[1].file+"': " {
		t.Errorf("asked %+v", u.asked)
	}
}

// A key that stays locked is passed over for the next one, on the same connection.
func TestKeyThatStaysLocked(t *testing.T) {
	keys := defaultKeys(t, "id_rsa", "id_ed25519")
	both := transporttest.NewSSHD(t, []ssh.PublicKey{keys[0].signer.PublicKey(), keys[1].signer.PublicKey()})
	target := keys[1].target(t, "a", both.Addr, both.HostKey)
	target.IdentityFiles = nil
	u := &person{answers: [][]string{{""}, {"id_ed25519"}}}
	dial(t, newPool(t, transport.Options{Ask: u.ask}), target)
	if len(u.asked) != 2 || both.Connections() != 1 {
		t.Errorf("%d connections, asked %+v", both.Connections(), u.asked)
	}
	u = &person{answers: [][]string{{""}, {"1"}, {"2"}, {"3"}}}
	_, err := newPool(t, transport.Options{Ask: u.ask}).Dial(t.Context(), target)
	mention(t, asError(t, err), "unlock "+keys[0].file+": no passphrase was given", "unlock "+keys[1].file+": the passphrase is wrong")
	_, err = newPool(t, transport.Options{}).Dial(t.Context(), target)
	if e := asError(t, err); e.Phase != transport.PhaseAuth {
		t.Errorf("phase %s", e.Phase)
	}
	mention(t, err, "ssh-add "+keys[0].file, "ssh-add "+keys[1].file)
}

// Who thinks for longer than the server waits is not asked again.
func TestPassphraseComesLate(t *testing.T) {
	key := defaultKeys(t, "id_ed25519")[0]
	s := transporttest.NewSSHD(t, key.keys(), "LoginGraceTime 1")
	target := key.target(t, "a", s.Addr, s.HostKey)
	target.IdentityFiles = nil
	u := &person{answers: [][]string{{"id_ed25519"}}, before: func() { time.Sleep(1500 * time.Millisecond) }}
	dial(t, newPool(t, transport.Options{Ask: u.ask}), target)
	if len(u.asked) != 1 || s.Connections() != 2 {
		t.Errorf("%d connections, asked %+v", s.Connections(), u.asked)
	}
}
