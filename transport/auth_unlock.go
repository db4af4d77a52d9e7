package transport

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// errLocked says that a file needs a passphrase.
var errLocked = errors.New("protected by a passphrase")

// passphraseTries is how often a passphrase may be mistyped (ssh has 3 too).
const passphraseTries = 3

// unlocked are the private keys that a passphrase was typed for. It is asked
// for once, before anything is dialled, whoever needs the key.
type unlocked struct {
	mu   sync.Mutex // held while the user is asked: others wait for the answer
	keys map[string]unlockedKey
}

type unlockedKey struct {
	signer ssh.Signer
	err    error
}

func (u *unlocked) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys = nil
}

// unlock needs somebody to ask: Options.Ask is set.
func (p *Pool) unlock(path string) (identity, error) {
	p.unlocked.mu.Lock()
	defer p.unlocked.mu.Unlock()
	k, ok := p.unlocked.keys[path]
	if !ok {
		k.signer, k.err = p.askPassphrase(path)
		if p.unlocked.keys == nil {
			p.unlocked.keys = map[string]unlockedKey{}
		}
		p.unlocked.keys[path] = k
	}
	if k.err != nil {
		return identity{}, fmt.Errorf("unlock %s: %w", path, k.err)
	}
	return withCertificate(path, k.signer), nil
}

func (p *Pool) askPassphrase(path string) (ssh.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	q := Question{Fields: []Field{{Prompt: fmt.Sprintf("Enter passphrase for key '%s': ", path)}}}
	for range passphraseTries {
		out, askErr := p.opts.Ask(p.ctx, q)
		if askErr != nil {
			return nil, askErr
		}
		var signer ssh.Signer
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(data, []byte(out[0])); err == nil {
			return signer, nil
		}
		q.Title = "This is not the passphrase."
	}
	return nil, errors.New("the passphrase is wrong")
}
