package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxKeysOffered keeps below sshd's MaxAuthTries (6), where it hangs up and
// counts a penalty.
const maxKeysOffered = 5

// agentTimeout bounds the question which keys the agent holds.
const agentTimeout = 10 * time.Second

// identity is one key to offer, and where it comes from.
type identity struct {
	signer ssh.Signer
	source string // for messages: a file, or the agent with the key's comment
}

// identities are what one hop is offered, in this order, each once.
type identities struct {
	keys     []identity
	withheld int      // keys of the agent left out, see maxKeysOffered
	problems []string // files and agents that could not be used
}

// defaultIdentities are OpenSSH's, without those that need hardware.
var defaultIdentities = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"}

// findIdentities puts the keys that files name first, whether the file or the
// agent holds the private half: the right key at the first attempt costs the
// fewest round trips, and sshd penalises wrong ones.
func findIdentities(t *Target, p *Pool) (*identities, error) {
	ids := &identities{}
	if !slices.Contains(t.authentications(), "publickey") {
		return ids, nil
	}
	other := slices.ContainsFunc(t.authentications(), func(m string) bool { return m != "publickey" }) && (&answers{target: t, pool: p}).possible()
	held, err := p.agents.keys(t.IdentityAgent)
	if err != nil {
		ids.problems = append(ids.problems, err.Error())
	}
	files := t.IdentityFiles
	if len(files) == 0 {
		files = defaultIdentities
	}
	for _, f := range files {
		if f == "none" { // ssh_config(5): what the agent holds, and no file
			continue
		}
		id, err := loadIdentity(expandHome(f), held)
		if errors.Is(err, errLocked) && len(t.IdentityFiles) > 0 && p.opts.Ask != nil && !t.BatchMode {
			id, err = p.unlock(expandHome(f))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(t.IdentityFiles) == 0:
		case err != nil:
			ids.problems = append(ids.problems, err.Error())
		default:
			ids.add(id)
		}
	}
	if len(t.CertificateFiles) > 0 {
		ids.certified(t, held)
	}
	if len(ids.problems) > 0 && len(t.IdentityFiles) > 0 && len(ids.keys) == 0 && !other {
		return nil, errors.New(strings.Join(ids.problems, "; "))
	}
	if !t.IdentitiesOnly {
		for _, k := range held {
			ids.add(k)
		}
	}
	if len(ids.keys) == 0 && !other {
		return nil, errors.New("no key to offer: " + strings.Join(append(ids.problems, "name one with identity_file, or add it to the ssh-agent"), "; "))
	}
	return ids, nil
}

func (ids *identities) add(id identity) {
	blob := id.signer.PublicKey().Marshal()
	for _, have := range ids.keys {
		if bytes.Equal(have.signer.PublicKey().Marshal(), blob) {
			return
		}
	}
	if len(ids.keys) == maxKeysOffered {
		ids.withheld++
		return
	}
	ids.keys = append(ids.keys, id)
}

func (ids *identities) method() ssh.AuthMethod {
	signers := make([]ssh.Signer, len(ids.keys))
	for i, k := range ids.keys {
		signers[i] = k.signer
	}
	return ssh.PublicKeys(signers...)
}

// loadIdentity reads a private key, or finds in the agent the private half of
// a public key, of an encrypted private key, or of a file of which only the
// .pub is here.
func loadIdentity(path string, held []identity) (identity, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if pub := readPublic(path + ".pub"); pub != nil {
			if id, ok := findHeld(held, pub); ok {
				return id, nil
			}
		}
	}
	if err != nil {
		return identity{}, fmt.Errorf("read identity file: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err == nil {
		return withCertificate(path, signer), nil
	}
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return lockedIdentity(path, locked.PublicKey, held)
	}
	if pub, _, _, _, pubErr := ssh.ParseAuthorizedKey(data); pubErr == nil {
		if id, ok := findHeld(held, pub); ok {
			return id, nil
		}
		return identity{}, fmt.Errorf("identity file %s is a public key and the ssh-agent does not hold its private half", path)
	}
	return identity{}, fmt.Errorf("read identity file %s: not a private key: %w", path, err)
}

func lockedIdentity(path string, pub ssh.PublicKey, held []identity) (identity, error) {
	if pub == nil { // PEM files do not hold it in the clear
		pub = readPublic(path + ".pub")
	}
	if pub != nil {
		if id, ok := findHeld(held, pub); ok {
			return id, nil
		}
	}
	return identity{}, fmt.Errorf("identity file %s is %w and the ssh-agent does not hold it: run ssh-add %s", path, errLocked, path)
}

// withCertificate adds the certificate beside a key, as ssh(1) does.
func withCertificate(path string, signer ssh.Signer) identity {
	if cert, ok := readPublic(path + "-cert.pub").(*ssh.Certificate); ok {
		if s, err := ssh.NewCertSigner(cert, signer); err == nil {
			return identity{signer: s, source: path + "-cert.pub"}
		}
	}
	return identity{signer: signer, source: path}
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

func findHeld(held []identity, pub ssh.PublicKey) (identity, bool) {
	for _, id := range held {
		if bytes.Equal(id.signer.PublicKey().Marshal(), pub.Marshal()) {
			return id, true
		}
	}
	return identity{}, false
}

// agentPool keeps one connection to each ssh-agent, and asks it once for its
// keys: a thousand hosts must not ask a thousand times.
type agentPool struct {
	mu    sync.Mutex
	known map[string]*heldKeys
}

type heldKeys struct {
	conn io.Closer
	keys []identity
	err  error
}

// keys returns what the agent at socket holds; see Target.IdentityAgent. No
// agent at all is not an error.
func (p *agentPool) keys(socket string) ([]identity, error) {
	switch socket {
	case "none":
		return nil, nil
	case "", "SSH_AUTH_SOCK":
		if socket = os.Getenv("SSH_AUTH_SOCK"); socket == "" {
			return nil, nil
		}
	}
	socket = expandHome(socket)
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.known[socket]
	if held == nil {
		held = askAgent(socket)
		if p.known == nil {
			p.known = map[string]*heldKeys{}
		}
		p.known[socket] = held
	}
	return held.keys, held.err
}

func askAgent(socket string) *heldKeys {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return &heldKeys{err: fmt.Errorf("ask ssh-agent: %w", err)}
	}
	_ = conn.SetDeadline(time.Now().Add(agentTimeout))
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		_ = conn.Close()
		return &heldKeys{err: fmt.Errorf("list keys of the ssh-agent: %w", err)}
	}
	_ = conn.SetDeadline(time.Time{}) // a signature may wait for the user's touch
	held := &heldKeys{conn: conn}
	for _, s := range signers {
		source := "the ssh-agent"
		if k, ok := s.PublicKey().(*agent.Key); ok && k.Comment != "" {
			source += " (" + k.Comment + ")"
		}
		held.keys = append(held.keys, identity{signer: s, source: source})
	}
	return held
}

func (p *agentPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.known {
		if h.conn != nil {
			_ = h.conn.Close()
		}
	}
	p.known = nil
}
