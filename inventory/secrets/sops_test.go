package secrets

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withKey are keys with the identity that the files of testdata are for.
func withKey(t *testing.T) *Keys {
	t.Helper()
	return &Keys{Identities: []string{"testdata/key.txt"}}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSops reads what sops 3.11 has written, and compares with what its -d prints.
func TestSops(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"vars.yaml", "only.yaml", "vars.json", "vars.env", "blob.bin"} {
		plain, kind, err := withKey(t).Open(name, read(t, "testdata/sops/"+name))
		if err != nil || kind != Sops {
			t.Errorf("%s: %q, %v", name, kind, err)
			continue
		}
		want := read(t, "testdata/sops/"+strings.Replace(name, ".", ".plain.", 1))
		plain = bytes.ReplaceAll(plain, []byte("\n\n"), []byte("\n")) // which comes before the last comment
		if !bytes.Equal(bytes.TrimSpace(plain), bytes.TrimSpace(want)) {
			t.Errorf("%s:\n%s\nwant\n%s", name, plain, want)
		}
	}
}

func TestSopsRefused(t *testing.T) {
	t.Parallel()
	yaml := string(read(t, "testdata/sops/vars.yaml"))
	swapped := strings.NewReplacer("token: ", "words: ", "words: ", "token: ").Replace(yaml)
	for _, c := range []struct{ name, text, want string }{
		{"vars.yaml", strings.Replace(yaml, "plain_unencrypted: seen", "plain_unencrypted: forged", 1), "its MAC does not match"},
		{"vars.yaml", swapped, "the value of words was changed"},
		{"vars.yaml", strings.Replace(yaml, "iv:UM", "iv:UN", 1), "the value of token was changed since"},
		{"vars.yaml", strings.Replace(yaml, "    lastmodified", "    key_groups: [a, b]\n    lastmodified", 1), "shared out among groups"},
		{"pgp.yaml", string(read(t, "testdata/sops/pgp.yaml")), "no PGP, no KMS of a cloud): sops -d pgp.yaml prints"},
		{"vars.ini", string(read(t, "testdata/sops/vars.ini")), "does not read: sops -d vars.ini prints"},
		{"vars.yaml", yaml + "---\na: 1\n", "several documents"},
		{"vars.json", "{\"a\": \"ENC[AES256_GCM,\", \"sops\":", "cannot be read"},
	} {
		_, _, err := withKey(t).Open(c.name, []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	_, _, err := (&Keys{}).Open("vars.yaml", []byte(yaml))
	if err == nil || !strings.Contains(err.Error(), "give one with --identity FILE") {
		t.Errorf("without identity: %v", err)
	}
}

// TestNotSops: what only speaks of sops is no file of it.
func TestNotSops(t *testing.T) {
	t.Parallel()
	text := string(read(t, "testdata/sops/vars.yaml"))
	for _, name := range []string{"README.md", "notes.txt", "vars.json", filepath.Join("a", "b")} {
		if kind := KindOf(name, []byte(text)); kind != None {
			t.Errorf("%s is taken for %s", name, kind)
		}
	}
	if kind := KindOf("vars.yaml", []byte("sops: {mac: a}\n")); kind != None {
		t.Errorf("a mapping is taken for %s", kind)
	}
}

func FuzzSops(f *testing.F) {
	for _, name := range []string{"vars.yaml", "vars.json", "vars.env", "blob.bin"} {
		b, err := os.ReadFile("testdata/sops/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, string(b))
	}
	k := &Keys{Identities: []string{"testdata/key.txt"}}
	f.Fuzz(func(_ *testing.T, name, text string) { _, _ = k.openSops(name, []byte(text)) })
}

// FuzzValues changes nothing of a text but the values in it.
func FuzzValues(f *testing.F) {
	f.Add("a = 1\n  -----BEGIN AGE ENCRYPTED FILE-----\n  AA==\n  -----END AGE ENCRYPTED FILE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		out, n, err := (&Keys{}).ResealValues([]byte(text), nil)
		if n == 0 && (err != nil || string(out) != text) {
			t.Errorf("%q, %v", out, err)
		}
	})
}
