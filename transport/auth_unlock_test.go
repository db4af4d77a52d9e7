package transport_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

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
