package secrets

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// sshIdentity makes an identity of a private key of SSH. For the passphrase of one that is encrypted it asks when something turns out to
// be for that key.
func (k *Keys) sshIdentity(from string, pem []byte) (identity, error) {
	var locked *ssh.PassphraseMissingError
	id, err := agessh.ParseIdentity(pem)
	public := (ssh.PublicKey)(nil)
	switch {
	case errors.As(err, &locked):
		if public = locked.PublicKey; public == nil { // only OpenSSH's own form has it in clear
			if public, err = beside(from); err != nil {
				return identity{}, err
			}
		}
		id, err = agessh.NewEncryptedSSHIdentity(public, pem, func() ([]byte, error) { return k.unlock(from, pem) })
	case err == nil:
		var signer ssh.Signer
		if signer, err = ssh.ParsePrivateKey(pem); err == nil {
			public = signer.PublicKey()
		}
	}
	if err != nil {
		return identity{}, fmt.Errorf("use private key: %w", err)
	}
	recipient, err := sshRecipient(public)
	return identity{id, recipient, from}, err
}

// beside reads the public key that ssh-keygen has put beside a private one.
func beside(private string) (ssh.PublicKey, error) {
	b, err := os.ReadFile(private + ".pub")
	if err != nil {
		return nil, fmt.Errorf("it is encrypted in an old form, so its public key is needed: %w", err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(b)
	return public, err
}

func sshRecipient(public ssh.PublicKey) (age.Recipient, error) {
	return agessh.ParseRecipient(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))))
}

// unlock asks for the passphrase of a private key until it is the right one.
func (k *Keys) unlock(from string, pem []byte) ([]byte, error) {
	prompt := fmt.Sprintf("Enter passphrase for key '%s': ", from) // ssh's words
	for range tries {
		answer, err := k.ask(prompt)
		if err != nil {
			return nil, fmt.Errorf("it needs its passphrase: %w", err)
		}
		if _, err = ssh.ParseRawPrivateKeyWithPassphrase(pem, []byte(answer)); !errors.Is(err, x509.IncorrectPasswordError) {
			return []byte(answer), err
		}
		prompt = fmt.Sprintf("That is not it. Enter passphrase for key '%s': ", from)
	}
	return nil, errors.New("that is not its passphrase")
}
