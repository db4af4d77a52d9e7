package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentTimeout bounds the question which keys the agent holds.
const agentTimeout = 10 * time.Second

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
func (p *agentPool) keys(ctx context.Context, socket string) ([]identity, error) {
	if socket = agentSocket(socket); socket == "" {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.known[socket]
	if held == nil {
		held = askAgent(ctx, socket)
		if p.known == nil {
			p.known = map[string]*heldKeys{}
		}
		p.known[socket] = held
	}
	return held.keys, held.err
}

// agentSocket is where the agent is; empty if there is none.
func agentSocket(setting string) string {
	switch setting {
	case "none":
		return ""
	case "", "SSH_AUTH_SOCK":
		return os.Getenv("SSH_AUTH_SOCK")
	}
	return expandHome(setting)
}

func askAgent(ctx context.Context, socket string) *heldKeys {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return &heldKeys{err: fmt.Errorf("ask ssh-agent: %w", err)}
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
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
		if s, ok := s.(ssh.AlgorithmSigner); ok {
			held.keys = append(held.keys, identity{signer: s, source: source})
		}
	}
	return held
}

// findHeld finds the private half of a key: itself, or one that the agent
// holds with a certificate only, which signs the same.
func findHeld(held []identity, pub ssh.PublicKey) (identity, bool) {
	if pub == nil {
		return identity{}, false
	}
	for _, id := range held {
		if sameKey(id.signer.PublicKey(), pub) {
			return id, true
		}
	}
	return identity{}, false
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

// touchWait is how long a security key may take that wants nothing of the user.
const touchWait = 300 * time.Millisecond

// securityKeys are the types of keys that want a touch, as OpenSSH calls them to the user.
var securityKeys = map[string]string{ssh.KeyAlgoSKED25519: "ED25519-SK", ssh.KeyAlgoSKECDSA256: "ECDSA-SK"}

// askTouch tells the user to touch a security key that does not sign by itself
// (the words are those of OpenSSH's sshconnect2.c), until done is called.
func (a *answers) askTouch(pub ssh.PublicKey) (done func()) {
	if !isSecurityKey(pub) {
		return func() {}
	}
	text := fmt.Sprintf("Confirm user presence for key %s %s", securityKeys[keyType(pub.Type())], ssh.FingerprintSHA256(plainKey(parsed(pub))))
	timer := time.AfterFunc(touchWait, func() {
		if !a.somebody() {
			a.pool.opts.Logf("%s: %s", a.target.Name, text)
			return
		}
		if _, err := a.pool.opts.Ask(a.ctx, Question{Hop: a.target.Name, Title: text}); err != nil {
			a.pool.opts.Logf("%s: %s", a.target.Name, text)
		}
	})
	return func() { timer.Stop() }
}
