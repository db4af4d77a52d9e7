package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// VaultPassword is a password of Ansible Vault.
type VaultPassword struct {
	ID  string // the vault id, "default" where none was given
	Get func() (string, error)
}

// envelope is what Ansible Vault writes (docs.ansible.com, "Format of files encrypted with Ansible Vault"; lib/ansible/parsing/vault):
// a header, and behind it hexadecimal digits of three lines of them: salt, HMAC and ciphertext.
type envelope struct {
	id              string // of 1.2
	salt, mac, text []byte
}

var errNotVault = errors.New("this is no file of Ansible Vault: it was cut or changed")

func parseVault(b []byte) (*envelope, error) {
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	words := strings.Split(strings.TrimSpace(string(head)), ";")
	e := &envelope{}
	switch {
	case len(words) == 3 && words[1] == "1.1":
	case len(words) == 4 && words[1] == "1.2":
		e.id = words[3]
	default:
		return nil, fmt.Errorf("it is in a form of Ansible Vault that is not read, %q: \"ansible-vault rekey\" writes it anew", string(head))
	}
	if words[2] != "AES256" {
		return nil, fmt.Errorf("its cipher is %q, of which labctl knows only AES256: \"ansible-vault rekey\" writes it anew", words[2])
	}
	outer, err := hex.DecodeString(strings.Join(strings.Fields(string(rest)), ""))
	if err != nil {
		return nil, errNotVault
	}
	parts := bytes.Split(outer, []byte("\n"))
	if len(parts) != 3 {
		return nil, errNotVault
	}
	for i, to := range []*[]byte{&e.salt, &e.mac, &e.text} {
		if *to, err = hex.DecodeString(string(parts[i])); err != nil || len(*to) == 0 {
			return nil, errNotVault
		}
	}
	return e, nil
}

// errWrongPassword is that a password does not belong to what is opened, or that this was changed: the HMAC cannot tell the two apart.
var errWrongPassword = errors.New("wrong password")

// open opens the envelope: PBKDF2 with 10000 rounds gives the key, that of the HMAC, and the counter (VaultAES256._gen_key_initctr).
func (e *envelope) open(password string) ([]byte, error) {
	derived, err := pbkdf2.Key(sha256.New, password, e.salt, 10000, 32+32+aes.BlockSize)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, derived[32:64])
	mac.Write(e.text)
	if !hmac.Equal(mac.Sum(nil), e.mac) { // in constant time
		return nil, errWrongPassword
	}
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(e.text))
	cipher.NewCTR(block, derived[64:]).XORKeyStream(plain, e.text)
	return unpadded(plain)
}

// unpadded takes off what fills up the last block (RFC 5652, 6.3).
func unpadded(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errNotVault
	}
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize || n > len(b) || slices.ContainsFunc(b[len(b)-n:], func(c byte) bool { return int(c) != n }) {
		return nil, errNotVault
	}
	return b[:len(b)-n], nil
}

// openVault tries the passwords, those of the same vault id first, and then the others, as Ansible does.
func (k *Keys) openVault(b []byte) ([]byte, error) {
	e, err := parseVault(b)
	if err != nil {
		return nil, err
	}
	order := slices.Clone(k.Vault)
	slices.SortStableFunc(order, func(a, b VaultPassword) int { return boolInt(b.ID == e.id) - boolInt(a.ID == e.id) })
	var tried []string
	for _, p := range order {
		password, err := p.Get()
		if err != nil {
			return nil, fmt.Errorf("it is encrypted by ansible-vault, and its password cannot be read: %w", err)
		}
		plain, err := e.open(password)
		if !errors.Is(err, errWrongPassword) {
			return plain, err
		}
		tried = append(tried, p.ID)
	}
	return nil, e.refusal(tried)
}

func (e *envelope) refusal(tried []string) error {
	of, give := "", "--vault-password-file FILE or --ask-vault-pass"
	if e.id != "" {
		of, give = fmt.Sprintf(" with the vault id %q", e.id), fmt.Sprintf("--vault-id %s@FILE or --vault-id %s@prompt", e.id, e.id)
	}
	if len(tried) == 0 {
		return fmt.Errorf("it is encrypted by ansible-vault%s: give its password with %s", of, give)
	}
	return fmt.Errorf("it is encrypted by ansible-vault%s, and no password that was given opens it (%s): give its own with %s", of, strings.Join(tried, ", "), give)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
