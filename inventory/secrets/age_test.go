package secrets

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// sealed encrypts a text, in binary or as text.
func sealed(t *testing.T, text string, armored bool, to ...age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if !armored {
		return out.Bytes()
	}
	var text2 bytes.Buffer
	a := armor.NewWriter(&text2)
	if _, err := a.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return text2.Bytes()
}

func passphraseTo(t *testing.T, p string) age.Recipient {
	t.Helper()
	r, err := age.NewScryptRecipient(p)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(10)
	return r
}

// sshKey is a private key, as ssh-keygen writes one, and the recipient of it.
func sshKey(t *testing.T, seed byte, passphrase string) ([]byte, age.Recipient) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	r, err := sshRecipient(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), r
}

// asked answers questions in turn, and counts them.
func asked(n *int, answers ...string) func(string) (string, error) {
	return func(string) (string, error) {
		*n++
		if *n > len(answers) {
			return "", errors.New("nobody is there")
		}
		return answers[*n-1], nil
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	id, _ := age.GenerateX25519Identity()
	other, _ := age.GenerateX25519Identity()
	pq, _ := age.GenerateHybridIdentity()
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plainKey, plainTo := sshKey(t, 1, "")
	lockedKey, lockedTo := sshKey(t, 2, "open it")
	x := write("x.txt", []byte("# mine\n"+id.String()+"\n"))
	locked := write("locked", lockedKey)
	write(".ssh/id_ed25519", plainKey)
	write(".config/labctl/age.txt", []byte(id.String()))
	env := func(set map[string]string) func(string) string { return func(n string) string { return set[n] } }
	for _, c := range []struct {
		name    string
		keys    *Keys
		b       []byte
		answers []string
		asks    int
		refused string
	}{
		{"an identity", &Keys{Identities: []string{x}}, sealed(t, "hello", false, id.Recipient()), nil, 0, ""},
		{"armored, for two", &Keys{Identities: []string{x}}, sealed(t, "hello", true, other.Recipient(), id.Recipient()), nil, 0, ""},
		{"post-quantum", &Keys{Getenv: env(map[string]string{"SOPS_AGE_KEY": pq.String()})}, sealed(t, "hello", true, pq.Recipient()), nil, 0, ""},
		{"the environment", &Keys{Getenv: env(map[string]string{"LABCTL_AGE_KEY": id.String()})}, sealed(t, "hello", true, id.Recipient()), nil, 0, ""},
		{"a file of the environment", &Keys{Getenv: env(map[string]string{"SOPS_AGE_KEY_FILE": x})}, sealed(t, "hello", true, id.Recipient()), nil, 0, ""},
		{"the usual file", &Keys{Getenv: env(map[string]string{"HOME": dir})}, sealed(t, "hello", true, id.Recipient()), nil, 0, ""},
		{"the usual key of SSH", &Keys{Getenv: env(map[string]string{"HOME": dir})}, sealed(t, "hello", true, plainTo), nil, 0, ""},
		{"an encrypted key of SSH", &Keys{Identities: []string{locked}}, sealed(t, "hello", true, lockedTo), []string{"no", "open it"}, 2, ""},
		{"one that is not needed", &Keys{Identities: []string{locked, x}}, sealed(t, "hello", true, id.Recipient()), nil, 0, ""},
		{"an encrypted identity", &Keys{Identities: []string{write("sealed.txt", sealed(t, id.String(), true, passphraseTo(t, "pp")))}}, sealed(t, "hello", true, id.Recipient()), []string{"pp"}, 1, ""},
		{"a passphrase", &Keys{}, sealed(t, "hello", true, passphraseTo(t, "pp")), []string{"no", "pp"}, 2, ""},
		{"no passphrase", &Keys{}, sealed(t, "hello", true, passphraseTo(t, "pp")), []string{"a", "b", "c"}, 3, "that is not its passphrase"},
		{"nobody", &Keys{}, sealed(t, "hello", true, passphraseTo(t, "pp")), nil, 1, "it needs its passphrase: nobody is there"},
		{"no passphrase of a key", &Keys{Identities: []string{locked}}, sealed(t, "hello", true, lockedTo), []string{"a", "b", "c"}, 3, "locked: that is not its passphrase"},
		{"no match", &Keys{Identities: []string{x}}, sealed(t, "hello", true, other.Recipient()), nil, 0, "no identity matches: give another with --identity FILE (tried " + x},
		{"no identity", &Keys{}, sealed(t, "hello", true, other.Recipient()), nil, 0, "(X25519), and there is no identity to open it with: give one with --identity FILE"},
		{"no such file", &Keys{Identities: []string{dir + "/none"}}, sealed(t, "hello", true, id.Recipient()), nil, 0, "none: no such file"},
		{"no identity in it", &Keys{Identities: []string{write("junk", []byte("AGE-SECRET-KEY-junk"))}}, sealed(t, "hello", true, id.Recipient()), nil, 0, "it holds no identity, which is a line"},
		{"cut", &Keys{Identities: []string{x}}, sealed(t, "hello", false, id.Recipient())[:215], nil, 0, "was cut or changed"},
	} {
		n := 0
		c.keys.Ask = asked(&n, c.answers...)
		for range 2 { // what is asked is asked once
			plain, kind, err := c.keys.Open("f", c.b)
			switch {
			case kind != Age:
				t.Errorf("%s: taken for %q", c.name, kind)
			case c.refused == "" && (err != nil || string(plain) != "hello"):
				t.Errorf("%s: %q, %v", c.name, plain, err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
				t.Errorf("%s: %v, want %q", c.name, err, c.refused)
			case err != nil && strings.Contains(err.Error(), "AGE-SECRET-KEY-junk"):
				t.Errorf("%s shows the key: %v", c.name, err)
			}
		}
		if n != c.asks {
			t.Errorf("%s: asked %d times, want %d", c.name, n, c.asks)
		}
	}
}

// TestOnePassphrase: one that has opened something is tried for the next.
func TestOnePassphrase(t *testing.T) {
	t.Parallel()
	n := 0
	k := &Keys{Ask: asked(&n, "pp")}
	for _, text := range []string{"one", "two"} {
		if plain, _, err := k.Open(text, sealed(t, text, true, passphraseTo(t, "pp"))); err != nil || string(plain) != text {
			t.Errorf("%q, %v", plain, err)
		}
	}
	if n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	id, _ := age.GenerateX25519Identity()
	k := &Keys{Getenv: func(n string) string { return map[string]string{"LABCTL_AGE_KEY": id.String()}[n] }}
	text := strings.ReplaceAll(string(sealed(t, "hello", true, id.Recipient())), "\n", "\n    ")
	if plain, err := k.Value("  " + text); err != nil || plain != "hello" {
		t.Errorf("%q, %v", plain, err)
	}
	if _, err := k.Value("hello"); err == nil || !strings.Contains(err.Error(), "this is not encrypted") || strings.Contains(err.Error(), "hello") {
		t.Error(err)
	}
	if _, err := (*Keys)(nil).Value(text); err == nil {
		t.Error("opened without keys")
	}
}
