package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
)

// identity is one that can open what is for its recipient.
type identity struct {
	age.Identity
	recipient age.Recipient
	from      string // the file or the environment variable
}

// sources lists where the identities are from.
func (k *Keys) sources() []string {
	var out []string
	for _, id := range k.identities {
		if !slices.Contains(out, id.from) {
			out = append(out, id.from)
		}
	}
	return out
}

// keyVariables hold identities; sops has the same.
var keyVariables = []string{"LABCTL_AGE_KEY", "SOPS_AGE_KEY"}

// ageIdentities reads, once, those given and those found: in the environment, in files of the user's configuration, and the keys of SSH.
func (k *Keys) ageIdentities() ([]identity, error) {
	if k.searched {
		return k.identities, k.unread
	}
	k.searched = true
	for _, name := range keyVariables {
		if text := k.getenv(name); text != "" {
			k.add(name, []byte(text))
		}
	}
	for _, file := range k.Identities {
		k.read(k.tilde(file), true)
	}
	for _, name := range []string{"LABCTL_AGE_KEY_FILE", "SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"} {
		if file := k.getenv(name); file != "" {
			k.read(file, true)
		}
	}
	for _, file := range k.usual() {
		k.read(file, false)
	}
	return k.identities, k.unread
}

// usual are the files that are read if they are there.
func (k *Keys) usual() []string {
	home := k.getenv("HOME")
	config := k.getenv("XDG_CONFIG_HOME")
	if config == "" && home != "" {
		config = filepath.Join(home, ".config")
	}
	var out []string
	if config != "" {
		out = append(out, filepath.Join(config, "labctl", "age.txt"), filepath.Join(config, "sops", "age", "keys.txt"))
	}
	if home != "" {
		out = append(out, filepath.Join(home, ".ssh", "id_ed25519"), filepath.Join(home, ".ssh", "id_rsa"))
	}
	return out
}

func (k *Keys) tilde(file string) string {
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		return filepath.Join(k.getenv("HOME"), rest)
	}
	return file
}

// read takes the identities of a file. Of the usual ones, those that cannot be read or are something else are left out.
func (k *Keys) read(file string, wanted bool) {
	k.lookedFor = append(k.lookedFor, file)
	b, err := os.ReadFile(file)
	switch {
	case err == nil && (wanted || len(b) > 0):
		if before := k.unread; !k.add(file, b) && !wanted {
			k.unread = before
		}
	case err != nil && wanted:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		k.unread = errors.Join(k.unread, fmt.Errorf("read identity %s: %w", file, err))
	}
}

// add takes identities of a text: those of age, a line each, or a private key of SSH. It may be encrypted by a passphrase itself.
func (k *Keys) add(from string, b []byte) bool {
	fail := func(err error) bool {
		k.unread = errors.Join(k.unread, fmt.Errorf("read identity %s: %w", from, err))
		return false
	}
	if KindOf("", b) == Age {
		plain, err := (&opener{keys: &Keys{Ask: k.Ask, searched: true}, name: from}).read(b)
		if err != nil {
			return fail(err)
		}
		b = plain
	}
	if bytes.Contains(b, []byte("PRIVATE KEY-----")) {
		id, err := k.sshIdentity(from, b)
		if err != nil {
			return fail(err)
		}
		k.identities = append(k.identities, id)
		return true
	}
	ids, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil {
		return fail(errors.New(`it holds no identity, which is a line "AGE-SECRET-KEY-1..." or a private key of SSH`)) // age's error may show the line
	}
	for _, id := range ids {
		k.identities = append(k.identities, identity{id, recipientOf(id), from})
	}
	return true
}

func recipientOf(id age.Identity) age.Recipient {
	switch id := id.(type) {
	case *age.X25519Identity:
		return id.Recipient()
	case *age.HybridIdentity:
		return id.Recipient()
	}
	return nil
}
