package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
)

// Recipient is one for whom things are encrypted.
type Recipient = age.Recipient

// RecipientsFile is the file that says for whom the files of its directory, and of those below, are encrypted. Others that build upon age
// have it, too (passage).
const RecipientsFile = ".age-recipients"

// ParseRecipient reads age1..., or a public key of SSH.
func ParseRecipient(text string) (Recipient, error) {
	switch {
	case strings.HasPrefix(text, "age1pq1"):
		return age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1"):
		return age.ParseX25519Recipient(text)
	case strings.HasPrefix(text, "ssh-"):
		return agessh.ParseRecipient(text)
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"):
		return nil, errors.New("this is a secret identity; its public half, age1..., is the recipient (age-keygen -y shows it)")
	}
	return nil, fmt.Errorf("%q is no recipient, which is age1... or a public key of SSH (ssh-ed25519 or ssh-rsa)", text)
}

// ReadRecipients reads a file of recipients, one a line. Lines that begin with # are comments.
func ReadRecipients(file string) ([]Recipient, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read recipients: %w", err)
	}
	var out []Recipient
	n := 0
	for row := range strings.Lines(string(b)) {
		n++
		row = strings.TrimSpace(row)
		if row == "" || row[0] == '#' {
			continue
		}
		r, err := ParseRecipient(row)
		if err != nil {
			return nil, fmt.Errorf("read recipients: %s line %d: %w", file, n, err)
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read recipients: %s names none", file)
	}
	return out, nil
}

// FindRecipients looks for the file that says for whom the files of dir are encrypted: in dir, and in those above. It is "" where there
// is none.
func FindRecipients(dir string) string {
	dir, err := filepath.Abs(dir)
	for err == nil {
		file := filepath.Join(dir, RecipientsFile)
		if _, err := os.Stat(file); err == nil {
			return file
		}
		above := filepath.Dir(dir)
		if above == dir {
			break
		}
		dir = above
	}
	return ""
}

// ByPassphrase makes a recipient of a passphrase, which goes with no other.
func ByPassphrase(passphrase string) (Recipient, error) { return age.NewScryptRecipient(passphrase) }

// Seal encrypts.
func Seal(plain []byte, to []Recipient, armored bool) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil || !armored {
		return out.Bytes(), err
	}
	var text bytes.Buffer
	a := armor.NewWriter(&text)
	_, err = a.Write(out.Bytes())
	err = errors.Join(err, a.Close())
	return text.Bytes(), err
}

// Armored reports whether a file of age is text.
func Armored(b []byte) bool { return !bytes.HasPrefix(b, []byte(ageIntro)) }

// OpenAgain is Open of a file of age, and returns for whom to encrypt it after a change: nil where it is for several, since a file does not
// tell who they are.
func (k *Keys) OpenAgain(name string, b []byte) ([]byte, []Recipient, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	plain, again, err := k.openAge(name, b)
	if again == nil {
		return plain, nil, err
	}
	return plain, []Recipient{again}, err
}

// block is an armored value within a text, each of its lines behind the same blanks or not.
var block = regexp.MustCompile(`-----BEGIN AGE ENCRYPTED FILE-----\r?\n(?:[ \t]*[A-Za-z0-9+/=]*\r?\n)+?[ \t]*-----END AGE ENCRYPTED FILE-----`)

// HasValues reports whether a text has values of age within.
func HasValues(b []byte) bool { return block.Match(b) }

// HasVaultValues reports whether a text has values of Ansible Vault within.
func HasVaultValues(b []byte) bool { return bytes.Contains(b, []byte(vaultIntro)) }

// ResealValues encrypts all values within a text anew.
func (k *Keys) ResealValues(b []byte, to []Recipient) ([]byte, int, error) {
	n := 0
	var failed error
	out := block.ReplaceAllFunc(b, func(value []byte) []byte {
		n++
		plain, err := k.Value(string(value))
		var sealed []byte
		if err == nil {
			sealed, err = Seal([]byte(plain), to, true)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("value %d: %w", n, err))
			return value
		}
		return indented(sealed, value)
	})
	return out, n, failed
}

// indented gives the lines of a value the blanks that the last one of another had.
func indented(sealed, like []byte) []byte {
	last := like[bytes.LastIndexByte(like, '\n')+1:]
	blanks := last[:len(last)-len(bytes.TrimLeft(last, " \t"))]
	rows := bytes.Split(bytes.TrimSpace(sealed), []byte("\n"))
	return bytes.Join(rows, slices.Concat([]byte("\n"), blanks))
}
