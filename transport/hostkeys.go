package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// hostKeys checks the key of one hop, as check_host_key in OpenSSH's
// sshconnect.c does.
type hostKeys struct {
	ctx     context.Context // of the connection: what is asked for ends with it
	target  *Target
	store   *knownStore
	logf    func(string, ...any)
	files   []string
	policy  string
	hash    bool   // names are hidden in the lines that are written
	pinned  bool   // known is what the inventory says, and files do not count
	name    string // alias, host or [host]:port
	bare    string // host or alias alone: principal of certificates, and second name to look up
	private string // third name, and the one to write, where the address means another machine elsewhere; see privateName
	accepts []string
	revoked []*revokedKeys
	known   []*knownKey

	// Pinned fingerprints do not tell the type to ask for, so types are asked
	// for one by one.
	refused []string
	// unsafe is set when a key is let pass although it is wrong: then nobody
	// may be told a password.
	unsafe bool
}

func newHostKeys(ctx context.Context, p *Pool, t *Target) (*hostKeys, error) {
	h := &hostKeys{ctx: ctx, target: t, store: &p.known, logf: p.opts.Logf, policy: t.HostKeyPolicy, hash: t.HashKnownHosts, bare: strings.ToLower(bareHost(t.Address))}
	switch h.policy {
	case "":
		h.policy = PolicyAsk
	case PolicyStrict, PolicyAsk, PolicyAcceptNew, PolicyOff:
	default:
		return nil, fmt.Errorf("host key policy %q is none of strict, ask, accept-new, off", t.HostKeyPolicy)
	}
	if h.policy == PolicyAsk && (p.opts.Ask == nil || t.BatchMode) {
		h.policy = PolicyStrict
	}
	h.name = knownName(h.bare, t.port())
	if t.HostKeyAlias != "" {
		h.bare = strings.ToLower(t.HostKeyAlias)
		h.name = h.bare
	}
	h.private = privateName(t)
	h.files = knownFiles(t)
	h.accepts = hostKeyAlgorithms(t)
	var err error
	if h.revoked, err = p.loadRevoked(t.RevokedHostKeys); err != nil {
		return nil, err
	}
	if len(t.HostKeys)+len(t.HostCAs) > 0 {
		h.pinned = true
		h.known, err = pinnedKeys(t)
		return h, err
	}
	return h, h.lookup()
}

func knownFiles(t *Target) []string {
	if len(t.KnownHosts) == 0 {
		return slices.DeleteFunc([]string{expandHome("~/.ssh/known_hosts"), expandHome("~/.ssh/known_hosts2"),
			"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}, func(path string) bool { // messages need not name what few have
			_, err := os.Stat(path)
			return err != nil && strings.HasSuffix(path, "2")
		})
	}
	files := make([]string, len(t.KnownHosts))
	for i, f := range t.KnownHosts {
		files[i] = expandHome(f)
	}
	return files
}

// lookup finds the lines for the names; those for the host without its port,
// which OpenSSH also takes, only where there are none for the full name.
func (h *hostKeys) lookup() error {
	if h.pinned {
		return nil
	}
	known, err := h.find(h.name)
	if err == nil && h.private != "" {
		var more []*knownKey
		more, err = h.find(h.private)
		known = appendNew(known, more)
	}
	if err != nil {
		return err
	}
	if h.bare != h.name {
		more, err := h.find(h.bare)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(known, func(k *knownKey) bool { return k.marker == "" }) {
			more = slices.DeleteFunc(more, func(k *knownKey) bool { return k.marker == "" })
		}
		known = appendNew(known, more)
	}
	h.known = known
	return nil
}

func (h *hostKeys) find(name string) ([]*knownKey, error) {
	known, err := h.store.lookup(h.files, name)
	if err != nil {
		return nil, fmt.Errorf("read known hosts: %w", err)
	}
	return known, nil
}

// appendNew appends what is not there yet: a line with a wildcard may be found
// by several names.
func appendNew(known, more []*knownKey) []*knownKey {
	for _, k := range more {
		if !slices.Contains(known, k) {
			known = append(known, k)
		}
	}
	return known
}

// check is the ssh.HostKeyCallback. An unknown key that the user may be asked
// about is an *unknownKey.
func (h *hostKeys) check(_ string, from net.Addr, key ssh.PublicKey) error {
	h.unsafe = false
	if err := h.target.longEnough(key); err != nil {
		return fmt.Errorf("the host's key is refused: %w", err)
	}
	if err := h.checkRevoked(key); err != nil {
		return err
	}
	if h.unasked(from) {
		return nil
	}
	if err := h.lookup(); err != nil { // another host with this name may have come first
		return err
	}
	if err := h.ask("HOSTNAME", key); err != nil {
		return err
	}
	verdict := h.judge(key)
	switch {
	case verdict == nil:
		return nil
	case h.pinned:
		return h.otherType(key, verdict)
	case h.policy == PolicyOff:
		h.unsafe = verdict.Revoked || len(verdict.Known) > 0
		return nil
	case verdict.Revoked || len(verdict.Known) > 0 || h.policy == PolicyStrict:
		return verdict
	}
	if err := recordable(h.newName()); err != nil {
		verdict.Refused = err.Error()
		return verdict
	}
	fresh := &unknownKey{HostKeyError: verdict, name: h.newName(), files: h.files, hash: h.hash, key: plainKey(key), target: h.target}
	if h.policy == PolicyAsk {
		return fresh
	}
	fresh.record(h.store, h.logf)
	return nil
}

// unasked reports whether any key will do (check_host_key in OpenSSH's sshconnect.c): of this computer, whose address means
// another one for each that shares known_hosts. What is reached through something else has no address of an IP.
func (h *hostKeys) unasked(from net.Addr) bool {
	tcp, ok := from.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback() && !h.target.proxied() && h.target.NoHostAuthenticationForLocalhost && h.target.HostKeyAlias == "" && !h.pinned
}

// newName is the name under which a new key is written.
func (h *hostKeys) newName() string {
	if h.private != "" {
		return h.private
	}
	return h.name
}

// recordable refuses names that could not be read back from known_hosts as
// they were written (sshconnect.c has the same list).
func recordable(name string) error {
	if host := strings.TrimPrefix(name, "["); strings.ContainsAny(strings.Replace(host, "]:", "", 1), "@?*#[]|'\"\\, \t\r\n") {
		return fmt.Errorf("the name %q cannot stand in known_hosts", name)
	}
	return nil
}

// judge returns nil for a key that may be trusted, else what is wrong with it.
// A certificate that nothing speaks for is as good as its key alone.
func (h *hostKeys) judge(key ssh.PublicKey) *HostKeyError {
	if k := h.revokedBy(key); k != nil {
		err := h.mismatch(key, []*knownKey{k})
		err.Revoked = true
		return err
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return h.judgePlain(key)
	}
	why := h.checkCert(cert)
	if why == nil {
		return nil
	}
	if !slices.ContainsFunc(h.accepts, func(algo string) bool { return keyType(algo) == cert.Key.Type() }) {
		why = fmt.Errorf("%w, and a plain key is not permitted by HostKeyAlgorithms", why)
		err := h.mismatch(cert.Key, nil)
		err.Certificate = why.Error()
		return err
	}
	err := h.judge(cert.Key)
	if err != nil && !errors.Is(why, errNoAuthority) {
		err.Certificate = why.Error()
	}
	return err
}

func (h *hostKeys) judgePlain(key ssh.PublicKey) *HostKeyError {
	var others []*knownKey
	for _, k := range h.known {
		switch {
		case k.marker != "":
		case k.is(key):
			return nil
		case h.binding(k):
			others = append(others, k)
		}
	}
	return h.mismatch(key, others)
}

// binding reports whether k was found by a full name. A key known for the
// host without the port is good enough to trust, but does not bind: another
// sshd on another port may have its own.
func (h *hostKeys) binding(k *knownKey) bool {
	return h.pinned || h.bare == h.name || matchNames(k.names, strings.ToLower(h.name)) ||
		h.private != "" && matchNames(k.names, strings.ToLower(h.private))
}

func (h *hostKeys) revokedBy(key ssh.PublicKey) *knownKey {
	cert, isCert := key.(*ssh.Certificate)
	for _, k := range h.known {
		if k.marker == markRevoked && (k.is(key) || isCert && (k.is(cert.Key) || k.is(cert.SignatureKey))) {
			return k
		}
	}
	return nil
}

// plainKey is key without its certificate.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
