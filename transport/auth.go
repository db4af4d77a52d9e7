package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxKeysOffered keeps below sshd's MaxAuthTries (6), where it hangs up and
// counts a penalty.
const maxKeysOffered = 5

// identity is one key to offer, and where it comes from.
type identity struct {
	signer ssh.AlgorithmSigner
	source string // for messages: a file, or the agent with the key's comment
}

// identities are what one hop is offered, in this order, each once.
type identities struct {
	answers  *answers
	keys     []*offer
	held     []identity // of the agent
	withheld int        // keys left out, see maxKeysOffered
	problems []string   // files and agents that could not be used
	broken   *offer     // the last one, if it could not sign
}

// offer is a key as x/crypto takes it: an ssh.MultiAlgorithmSigner.
type offer struct {
	identity
	algorithms []string // of its signatures, best first
	of         *identities
}

// defaultIdentities are OpenSSH's (ssh_config(5), IdentityFile).
var defaultIdentities = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"}

func (t *Target) identityFiles() []string {
	if len(t.IdentityFiles) == 0 {
		return defaultIdentities
	}
	return t.IdentityFiles
}

// findIdentities puts the keys that files name first, whether the file or the
// agent holds the private half: the right key at the first attempt costs the
// fewest round trips, and sshd penalises wrong ones. Without any, the machine
// is dialled all the same, as by ssh: it may let in whoever comes, and if it
// cannot be reached, that is the news.
func findIdentities(a *answers) *identities {
	t := a.target
	ids := &identities{answers: a}
	if !slices.Contains(t.authentications(), "publickey") {
		return ids
	}
	var err error
	if ids.held, err = a.pool.agents.keys(a.pool.ctx, t.IdentityAgent); err != nil {
		ids.problems = append(ids.problems, err.Error())
	}
	found := ids.files()
	if err := ids.unlockLone(found); err != nil {
		ids.problems, found = append(ids.problems, err.Error()), nil
	}
	for _, id := range append(ids.certified(found), found...) {
		ids.add(id)
	}
	if !t.IdentitiesOnly {
		for _, k := range ids.held {
			ids.add(k)
		}
	}
	return ids
}

// files finds the keys that files name; default ones need not exist.
func (ids *identities) files() (found []identity) {
	t := ids.answers.target
	for _, f := range t.identityFiles() {
		if f == "none" { // ssh_config(5): what the agent holds, and no file
			continue
		}
		id, err := ids.load(expandHome(f))
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(t.IdentityFiles) == 0:
		case err != nil:
			ids.problems = append(ids.problems, err.Error())
		default:
			found = append(found, id...)
		}
	}
	return found
}

func (ids *identities) add(id identity) {
	pub := id.signer.PublicKey()
	blob := pub.Marshal()
	if slices.ContainsFunc(ids.keys, func(have *offer) bool { return bytes.Equal(have.PublicKey().Marshal(), blob) }) {
		return
	}
	algorithms, err := ids.answers.target.signatures(pub)
	switch {
	case err != nil:
		ids.problems = append(ids.problems, fmt.Sprintf("%s from %s is not offered: %v", pub.Type(), id.source, err))
	case len(ids.keys) == maxKeysOffered:
		ids.withheld++
	default:
		ids.keys = append(ids.keys, &offer{identity: id, algorithms: algorithms, of: ids})
	}
}

func (ids *identities) method() ssh.AuthMethod { return publicKeys(ids.keys) }

func publicKeys(keys []*offer) ssh.AuthMethod {
	signers := make([]ssh.Signer, len(keys))
	for i, k := range keys {
		signers[i] = k
	}
	return ssh.PublicKeys(signers...)
}

// afterBroken is the method that goes on behind a key that could not sign, as
// ssh does; nil if that is not what has just happened, or no key is left.
func (ids *identities) afterBroken() ssh.AuthMethod {
	at := slices.Index(ids.keys, ids.broken)
	ids.broken = nil
	if at < 0 || at+1 == len(ids.keys) {
		return nil
	}
	return publicKeys(ids.keys[at+1:])
}

func (o *offer) PublicKey() ssh.PublicKey { return o.signer.PublicKey() }

func (o *offer) Algorithms() []string { return o.algorithms }

func (o *offer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return o.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm is called for a key that the server is content with. The
// time for it is not the server's: the user may have to type, or to touch.
func (o *offer) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (sig *ssh.Signature, err error) {
	a, begin := o.of.answers, time.Now()
	err = a.pause(func() error {
		defer a.askTouch(o.PublicKey())()
		sig, err = o.signer.SignWithAlgorithm(rand, data, algorithm)
		return err
	})
	a.asked = a.asked || time.Since(begin) > time.Second
	if err != nil {
		err = fmt.Errorf("sign with %s: %w", o.source, err)
		o.of.broken, o.of.problems = o, append(o.of.problems, err.Error())
	}
	return sig, err
}

var _ ssh.MultiAlgorithmSigner = (*offer)(nil)
