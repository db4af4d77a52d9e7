// Package secrets opens what is encrypted: files and single values of age, Ansible Vault and sops. What it needs for that, an identity
// or a password, it looks for once and in the places where the tools themselves keep theirs; what has to be asked for is asked
// for when the first thing needs it, and never twice.
package secrets

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Keys opens things. Its methods may be called from any goroutine, and on nil, which has no keys.
type Keys struct {
	Identities []string                                     // files of identities of age, beside those that are found
	Vault      []VaultPassword                              // those of Ansible Vault, in the order they are tried
	Getenv     func(string) string                          // nil: there is no environment
	Ask        func(prompt string) (answer string, _ error) // nil: nobody can be asked

	mu          sync.Mutex
	opened      map[[sha256.Size]byte]opened
	identities  []identity // once looked for
	lookedFor   []string
	searched    bool
	unread      error // why the identities could not be read
	passphrases []string
}

// opened is a thing that was opened before: a thousand hosts may have the same one.
type opened struct {
	plain []byte
	err   error
}

// Kind is what a thing is encrypted by.
type Kind string

// The kinds of encryption.
const (
	None  Kind = ""
	Age   Kind = "age"
	Vault Kind = "Ansible Vault"
	Sops  Kind = "sops"
)

const (
	ageIntro   = "age-encryption.org/v1\n"
	armorIntro = "-----BEGIN AGE ENCRYPTED FILE-----"
	vaultIntro = "$ANSIBLE_VAULT;"
)

// KindOf tells by what a file of that name is encrypted. Of a large one, the beginning tells of all but sops.
func KindOf(name string, b []byte) Kind {
	switch start := bytes.TrimLeft(b[:min(len(b), 1<<10)], " \t\r\n"); {
	case bytes.HasPrefix(b, []byte(ageIntro)), bytes.HasPrefix(start, []byte(armorIntro)):
		return Age
	case bytes.HasPrefix(b, []byte(vaultIntro)):
		return Vault
	case isSops(name, b):
		return Sops
	}
	return None
}

// Open returns a file in clear, and by what it was encrypted. What is not encrypted comes back as it is.
func (k *Keys) Open(name string, b []byte) ([]byte, Kind, error) {
	kind := KindOf(name, b)
	if kind == None {
		return b, None, nil
	}
	if k == nil {
		return nil, kind, fmt.Errorf("it is encrypted by %s, and no keys are given here", kind)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	sum := sha256.Sum256(b)
	o, ok := k.opened[sum]
	if !ok {
		o.plain, o.err = k.open(name, b, kind)
		if k.opened == nil {
			k.opened = map[[sha256.Size]byte]opened{}
		}
		k.opened[sum] = o
	}
	return o.plain, kind, o.err
}

// Value returns a single value in clear.
func (k *Keys) Value(text string) (string, error) {
	text = unindented(text)
	if kind := KindOf("", []byte(text)); kind == None || kind == Sops {
		return "", errors.New("this is not encrypted: it begins neither with " + armorIntro + " nor with " + vaultIntro)
	}
	b, _, err := k.Open("the value", []byte(text))
	return string(b), err
}

// unindented takes off the blanks that a text has got where it was written.
func unindented(text string) string {
	var out strings.Builder
	for row := range strings.Lines(strings.TrimSpace(text)) {
		out.WriteString(strings.TrimSpace(row) + "\n")
	}
	return out.String()
}

func (k *Keys) open(name string, b []byte, kind Kind) ([]byte, error) {
	switch kind {
	case Age:
		plain, _, err := k.openAge(name, b)
		return plain, err
	case Vault:
		return k.openVault(b)
	}
	return k.openSops(name, b)
}

func (k *Keys) getenv(name string) string {
	if k.Getenv == nil {
		return ""
	}
	return k.Getenv(name)
}

// ask asks for a passphrase or a password, and knows how to say that it cannot.
func (k *Keys) ask(prompt string) (string, error) {
	if k.Ask == nil {
		return "", errors.New("nobody can be asked here")
	}
	answer, err := k.Ask(prompt)
	if err == nil && answer == "" {
		err = errors.New("the answer was empty")
	}
	return answer, err
}

// Opened returns what has been opened, for whoever has to see that it is not shown.
func (k *Keys) Opened() []string {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, o := range k.opened {
		out = append(out, string(o.plain))
	}
	return append(out, k.passphrases...)
}
