package transport_test

import (
	"io"
	"testing"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// Who has no key, and nobody to ask for a password, is let in where anybody is, as with ssh.
func TestWithoutAnyKey(t *testing.T) {
	needRoot(t)
	t.Setenv("HOME", t.TempDir())
	s := transporttest.NewBox(t, nil, "passwd -d alice", "PermitEmptyPasswords yes", "PasswordAuthentication yes", "UsePAM no")
	c := dial(t, newPool(t, transport.Options{}), keyless(t, s.Addr, s.HostKey))
	p, err := c.Start(t.Context(), "id -un")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(p.Stdout); string(out) != "alice\n" {
		t.Errorf("runs as %q, %v", out, err)
	}
}

// That there is no key does not hide that there is no server.
func TestRefusedBeforeKeys(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	key, _ := transporttest.NewKey(t)
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), keyless(t, closedPort(t), key.PublicKey()))
	if e := asError(t, err); e.Phase != transport.PhaseTCP {
		t.Errorf("phase %s", e.Phase)
	}
	mention(t, err, "connection refused")
}

func keyless(t testing.TB, addr string, key ssh.PublicKey) *transport.Target {
	target := login{}.target(t, "box", addr, key)
	target.User, target.IdentityFiles = "alice", nil
	return target
}
