package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// openAge opens a file of age, and returns what can encrypt it again to the one who could open it; nil if it is for others too.
func (k *Keys) openAge(name string, b []byte) ([]byte, age.Recipient, error) {
	o := &opener{keys: k, name: name}
	plain, err := o.read(b)
	return plain, o.again, err
}

// opener is an age.Identity that looks for one only once it has seen whom a file is for.
type opener struct {
	keys  *Keys
	name  string
	kinds []string      // of the recipients
	again age.Recipient // the only one
	fatal error
}

func (o *opener) read(b []byte) ([]byte, error) {
	var src io.Reader = bytes.NewReader(b)
	if !bytes.HasPrefix(b, []byte(ageIntro)) {
		src = armor.NewReader(bytes.NewReader(bytes.TrimLeft(b, " \t\r\n")))
	}
	r, err := age.Decrypt(src, o)
	if err != nil {
		return nil, o.refusal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("it is encrypted by age, and was cut or changed: %w", err)
	}
	return plain, nil
}

// Unwrap implements age.Identity.
func (o *opener) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if !slices.Contains(o.kinds, s.Type) {
			o.kinds = append(o.kinds, s.Type)
		}
	}
	if len(stanzas) == 1 && stanzas[0].Type == "scrypt" {
		return o.byPassphrase(stanzas)
	}
	ids, err := o.keys.ageIdentities()
	if err != nil {
		o.fatal = err
		return nil, err
	}
	for _, id := range ids {
		key, err := id.Unwrap(stanzas)
		switch {
		case err == nil:
			if len(stanzas) == 1 {
				o.again = id.recipient
			}
			return key, nil
		case !errors.Is(err, age.ErrIncorrectIdentity):
			o.fatal = fmt.Errorf("%s: %s", id.from, strings.TrimPrefix(err.Error(), "failed to obtain passphrase: ")) // agessh's words
			return nil, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// tries is how often a passphrase is asked for, as ssh does (NumberOfPasswordPrompts).
const tries = 3

// byPassphrase tries those that have opened something before it asks.
func (o *opener) byPassphrase(stanzas []*age.Stanza) ([]byte, error) {
	try := func(passphrase string) ([]byte, error) {
		id, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return nil, err
		}
		key, err := id.Unwrap(stanzas)
		if err == nil {
			o.again, err = age.NewScryptRecipient(passphrase)
		}
		return key, err
	}
	for _, p := range o.keys.passphrases {
		if key, err := try(p); !errors.Is(err, age.ErrIncorrectIdentity) {
			return key, err
		}
	}
	prompt := fmt.Sprintf("Passphrase for %s: ", o.name)
	for range tries {
		p, err := o.keys.ask(prompt)
		if err != nil {
			o.fatal = fmt.Errorf("it needs its passphrase: %w", err)
			return nil, err
		}
		key, err := try(p)
		if err == nil {
			o.keys.passphrases = append(o.keys.passphrases, p)
		}
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return key, err
		}
		prompt = fmt.Sprintf("That is not it. Passphrase for %s: ", o.name)
	}
	o.fatal = errors.New("that is not its passphrase")
	return nil, o.fatal
}

// refusal says what is missing.
func (o *opener) refusal(err error) error {
	var none *age.NoIdentityMatchError
	switch {
	case o.fatal != nil:
		return fmt.Errorf("it is encrypted by age: %w", o.fatal)
	case !errors.As(err, &none):
		return fmt.Errorf("it is encrypted by age, and was cut or changed: %w", err)
	case len(o.keys.identities) == 0:
		return fmt.Errorf("it is encrypted by age (%s), and there is no identity to open it with: give one with --identity FILE (looked for %s)", strings.Join(o.kinds, ", "), strings.Join(o.keys.lookedFor, ", "))
	}
	return fmt.Errorf("it is encrypted by age (%s), and no identity matches: give another with --identity FILE (tried %s)", strings.Join(o.kinds, ", "), strings.Join(o.keys.sources(), ", "))
}
