package secrets

import (
	"errors"
	"strings"
	"testing"
)

func vaultPassword(id, password string) VaultPassword {
	return VaultPassword{ID: id, Get: func() (string, error) { return password, nil }}
}

// TestVault reads what ansible-vault of ansible-core 2.14 has written.
func TestVault(t *testing.T) {
	t.Parallel()
	v11, v12 := read(t, "testdata/vault/v11.yml"), read(t, "testdata/vault/v12.yml")
	want := string(read(t, "testdata/vault/plain.yml"))
	one, two, other := vaultPassword("default", "vault one"), vaultPassword("prod", "vault two"), vaultPassword("dev", "nothing")
	unread := VaultPassword{ID: "prod", Get: func() (string, error) { return "", errors.New("no such file") }}
	for _, c := range []struct {
		name      string
		b         []byte
		passwords []VaultPassword
		refused   string
	}{
		{"1.1", v11, []VaultPassword{one}, ""},
		{"1.1, the second password", v11, []VaultPassword{other, one}, ""},
		{"1.2", v12, []VaultPassword{two}, ""},
		{"1.2, by another id", v12, []VaultPassword{vaultPassword("dev", "vault two")}, ""},
		{"1.2, its own id first", v12, []VaultPassword{{ID: "dev", Get: func() (string, error) { t.Error("the other id was asked"); return "", nil }}, two}, ""},
		{"none", v11, nil, "give its password with --vault-password-file FILE or --ask-vault-pass"},
		{"none of that id", v12, nil, `with the vault id "prod": give its password with --vault-id prod@FILE or --vault-id prod@prompt`},
		{"wrong", v12, []VaultPassword{one, other}, "no password that was given opens it (default, dev)"},
		{"unread", v12, []VaultPassword{unread}, "its password cannot be read: no such file"},
		{"cut", v11[:len(v11)-3], []VaultPassword{one}, "no file of Ansible Vault: it was cut or changed"},
		{"changed", []byte(strings.Replace(string(v11), "\n6", "\n7", 1)), []VaultPassword{one}, "cut or changed"},
		{"1.0", []byte("$ANSIBLE_VAULT;1.0;AES\n00\n"), []VaultPassword{one}, "not read"},
		{"cipher", []byte("$ANSIBLE_VAULT;1.1;DES\n00\n"), []VaultPassword{one}, `its cipher is "DES"`},
	} {
		plain, kind, err := (&Keys{Vault: c.passwords}).Open("vars.yml", c.b)
		switch {
		case kind != Vault:
			t.Errorf("%s: taken for %q", c.name, kind)
		case c.refused == "" && (err != nil || string(plain) != want):
			t.Errorf("%s: %q, %v", c.name, plain, err)
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		}
	}
}

func FuzzParseVault(f *testing.F) {
	f.Add("$ANSIBLE_VAULT;1.1;AES256\n3030\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _, _ = (&Keys{Vault: []VaultPassword{vaultPassword("default", "x")}}).Open("x", []byte("$ANSIBLE_VAULT;"+text))
	})
}
