package transport

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// load finds the key that a file holds, or of which it names the public half,
// and a certificate beside it, which ssh offers before the key alone.
func (ids *identities) load(path string) ([]identity, error) {
	id, err := ids.loadKey(path)
	if err != nil {
		return nil, err
	}
	beside := strings.TrimSuffix(path, ".pub") + "-cert.pub"
	if cert, ok := readPublic(beside).(*ssh.Certificate); ok {
		if with, ok := certified(cert, beside, id); ok {
			return []identity{with, id}, nil
		}
	}
	return []identity{id}, nil
}

// loadKey reads a private key, or finds in the agent the private half of a
// public key, of an encrypted private key, or of a file of which only the
// .pub is here.
func (ids *identities) loadKey(path string) (identity, error) {
	data, err := ids.answers.pool.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if id, ok := findHeld(ids.held, readPublic(path+".pub")); ok {
			return id, nil
		}
	}
	if err != nil {
		return identity{}, fmt.Errorf("read identity file: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	open := (err == nil || errors.As(err, &locked)) && !OnlyHere(path) && openToOthers(path)
	if s, ok := signer.(ssh.AlgorithmSigner); err == nil && ok && !open {
		return identity{signer: s, source: path}, nil
	}
	pub := publicHalf(path, data)
	if id, ok := findHeld(ids.held, pub); ok {
		return id, nil
	}
	switch {
	case open: // as with ssh (sshkey_perm_ok in OpenSSH's authfile.c)
		return identity{}, fmt.Errorf("identity file %s is passed over, since others may read it: run chmod 600 %s", path, path)
	case pub != nil && isSecurityKey(pub):
		return identity{}, fmt.Errorf("identity file %s is of a security key, which only the ssh-agent can sign with, and it does not hold it: run ssh-add %s", path, path)
	case errors.As(err, &locked):
		return ids.locked(path, pub)
	case pub != nil:
		return identity{}, fmt.Errorf("identity file %s is a public key and the ssh-agent does not hold its private half", path)
	}
	return identity{}, fmt.Errorf("read identity file %s: not a private key: %w", path, err)
}

// publicHalf is the public key of a file that cannot be signed with as it is:
// itself, or its own half that is not encrypted (PROTOCOL.key of OpenSSH), or
// of the .pub beside it, which is all there is for the older forms.
func publicHalf(path string, data []byte) ssh.PublicKey {
	if pub, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
		return pub
	}
	const magic = "openssh-key-v1\x00"
	var head struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public               []byte
		Rest                 []byte `ssh:"rest"`
	}
	if block, _ := pem.Decode(data); block != nil && bytes.HasPrefix(block.Bytes, []byte(magic)) {
		if ssh.Unmarshal(block.Bytes[len(magic):], &head) == nil {
			if pub, err := ssh.ParsePublicKey(head.Public); err == nil {
				return pub
			}
		}
	}
	return readPublic(path + ".pub")
}

func readPublic(path string) ssh.PublicKey {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return nil
	}
	return pub
}

func isSecurityKey(pub ssh.PublicKey) bool { return strings.HasPrefix(pub.Type(), "sk-") }

// parsed is a key with all that is in it; that of an agent is its wire form.
func parsed(pub ssh.PublicKey) ssh.PublicKey {
	if key, err := ssh.ParsePublicKey(pub.Marshal()); err == nil {
		return key
	}
	return pub
}
