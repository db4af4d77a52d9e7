package transport

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// passphraseTries is how often a passphrase may be mistyped (ssh has 3 too).
const passphraseTries = 3

// lockedKey is a private key of which only the public half can be read without
// its passphrase. The user is asked when there is something to sign: the server
// is content with the key.
type lockedKey struct {
	path   string
	public ssh.PublicKey
	pool   *Pool
}

func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

func (k *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

func (k *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := k.pool.unlock(k.path)
	if err != nil {
		return nil, err
	}
	if !sameKey(signer.PublicKey(), k.public) {
		return nil, fmt.Errorf("%s is another key than %s.pub: make it anew with ssh-keygen -y", k.path, k.path)
	}
	return signer.SignWithAlgorithm(rand, data, algorithm)
}

// locked is the key of a file that is encrypted.
func (ids *identities) locked(path string, pub ssh.PublicKey) (identity, error) {
	a := ids.answers
	if !a.somebody() {
		return identity{}, fmt.Errorf("identity file %s is protected by a passphrase, the ssh-agent does not hold it, and %w: run ssh-add %s", path, errNobody, path)
	}
	if pub == nil { // nothing can be offered without the passphrase
		signer, err := a.pool.unlock(path)
		return identity{signer: signer, source: path}, err
	}
	return identity{signer: &lockedKey{path: path, public: pub, pool: a.pool}, source: path}, nil
}

// unlockLone asks for the passphrase before anything is dialled where it is
// sure to be needed: of the only key that a target names.
func (ids *identities) unlockLone(found []identity) error {
	if len(ids.answers.target.IdentityFiles) != 1 || len(found) == 0 {
		return nil
	}
	k, ok := found[len(found)-1].signer.(*lockedKey)
	if !ok {
		return nil
	}
	_, err := k.pool.unlock(k.path)
	return err
}

// unlocked are the private keys that a passphrase was typed for. It is asked
// for once, whoever needs the key.
type unlocked struct {
	mu   sync.Mutex // held while the user is asked: others wait for the answer
	keys map[string]unlockedKey
}

type unlockedKey struct {
	signer ssh.AlgorithmSigner
	err    error
}

func (u *unlocked) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys = nil
}

// unlock needs somebody to ask: Options.Ask is set.
func (p *Pool) unlock(path string) (ssh.AlgorithmSigner, error) {
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
		return nil, fmt.Errorf("unlock %s: %w", path, k.err)
	}
	return k.signer, nil
}

func (p *Pool) askPassphrase(path string) (ssh.AlgorithmSigner, error) {
	data, err := p.readFile(path)
	if err != nil {
		return nil, err
	}
	q := Question{Fields: []Field{{Prompt: fmt.Sprintf("Enter passphrase for key '%s': ", path)}}}
	for range passphraseTries {
		out, err := p.opts.Ask(p.ctx, q)
		if err != nil {
			return nil, err
		}
		if out[0] == "" { // as with ssh: no, thank you
			return nil, errors.New("no passphrase was given")
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(data, []byte(out[0]))
		if s, ok := signer.(ssh.AlgorithmSigner); err == nil && ok {
			return s, nil
		}
		q.Title = "This is not the passphrase."
	}
	return nil, errors.New("the passphrase is wrong")
}
