package transport

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// HostKeyError says that a host's key is not the one to expect: unknown (Known
// is empty), changed (Known holds what was expected), or Revoked.
type HostKeyError struct {
	Name        string // as in known_hosts: host, [host]:port or an alias
	Type        string // of the key offered
	Fingerprint string // of the key offered, SHA256:...
	Line        string // the known_hosts line for the key offered
	Known       []KnownKey
	Revoked     bool
	Files       []string // that were searched; the first takes new keys
}

// KnownKey is an entry of a known_hosts file.
type KnownKey struct {
	File        string
	Line        int
	Type        string
	Fingerprint string
}

func (e *HostKeyError) Error() string {
	switch {
	case e.Revoked:
		k := e.Known[0]
		return fmt.Sprintf("the key of %s (%s %s) is revoked by %s:%d", e.Name, e.Type, e.Fingerprint, k.File, k.Line)
	case len(e.Known) > 0:
		k := e.Known[0]
		return fmt.Sprintf("the key of %s has changed: %s:%d holds %s %s, the machine offers %s %s",
			e.Name, k.File, k.Line, k.Type, k.Fingerprint, e.Type, e.Fingerprint)
	}
	return fmt.Sprintf("the key of %s (%s %s) is unknown: it is not in %s", e.Name, e.Type, e.Fingerprint, strings.Join(e.Files, ", "))
}

func (e *HostKeyError) hint() string {
	switch {
	case e.Revoked:
		return ""
	case len(e.Known) > 0:
		return fmt.Sprintf("if the machine was rebuilt, or its address given to another, forget the old key with: ssh-keygen -R '%s' -f %s; if not, someone stands between", e.Name, e.Known[0].File)
	case len(e.Files) == 0:
		return ""
	}
	return fmt.Sprintf("compare the fingerprint, then add the key with: echo '%s' >> %s; or set host_key_policy = \"accept-new\"", e.Line, e.Files[0])
}

// hostKeys checks the key of one hop.
type hostKeys struct {
	store  *knownStore
	files  []string
	policy string
	name   string // alias, host or [host]:port
	bare   string // host or alias alone: principal of certificates, and second name to look up
	known  []*knownKey
}

func newHostKeys(store *knownStore, t *Target) (*hostKeys, error) {
	h := &hostKeys{store: store, policy: t.HostKeyPolicy, bare: strings.ToLower(bareHost(t.Address))}
	switch h.policy {
	case "":
		h.policy = PolicyStrict
	case PolicyStrict, PolicyAsk, PolicyAcceptNew, PolicyOff:
	default:
		return nil, fmt.Errorf("host key policy %q is none of strict, ask, accept-new, off", t.HostKeyPolicy)
	}
	h.name = knownName(h.bare, t.port())
	if t.HostKeyAlias != "" {
		h.bare = strings.ToLower(t.HostKeyAlias)
		h.name = h.bare
	}
	h.files = knownFiles(t)
	return h, h.lookup()
}

func knownFiles(t *Target) []string {
	if len(t.KnownHosts) == 0 {
		return []string{expandHome("~/.ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"}
	}
	files := make([]string, len(t.KnownHosts))
	for i, f := range t.KnownHosts {
		files[i] = expandHome(f)
	}
	return files
}

// lookup finds the lines for name; failing that, those for the host without
// its port, which OpenSSH also takes.
func (h *hostKeys) lookup() error {
	known, err := h.store.lookup(h.files, h.name)
	if err != nil {
		return fmt.Errorf("read known hosts: %w", err)
	}
	if h.bare != h.name {
		more, err := h.store.lookup(h.files, h.bare)
		if err != nil {
			return fmt.Errorf("read known hosts: %w", err)
		}
		own := slices.ContainsFunc(known, func(k *knownKey) bool { return k.marker == "" })
		for _, k := range more {
			if k.marker != "" || !own {
				known = append(known, k)
			}
		}
	}
	h.known = known
	return nil
}

// algorithms orders the host key algorithms: those of the keys already known
// first, or a server with several keys offers one that looks changed.
// Certificates are asked for only where an authority is known, for without one
// they say nothing.
func (h *hostKeys) algorithms() []string {
	var first, rest []string
	for _, algo := range ssh.SupportedAlgorithms().HostKeys {
		base, isCert := strings.CutSuffix(algo, "-cert-v01@openssh.com")
		switch {
		case isCert && h.hasAuthority():
			first = append([]string{algo}, first...)
		case isCert:
		case h.policy != PolicyOff && h.knowsType(base):
			first = append(first, algo)
		default:
			rest = append(rest, algo)
		}
	}
	return append(first, rest...)
}

func (h *hostKeys) hasAuthority() bool {
	return slices.ContainsFunc(h.known, func(k *knownKey) bool { return k.marker == "cert-authority" })
}

func (h *hostKeys) knowsType(algo string) bool {
	if strings.HasPrefix(algo, "rsa-sha2-") { // RFC 8332: the key itself is still ssh-rsa
		algo = ssh.KeyAlgoRSA
	}
	return slices.ContainsFunc(h.known, func(k *knownKey) bool { return k.marker == "" && k.key.Type() == algo })
}

// check is the ssh.HostKeyCallback.
func (h *hostKeys) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if h.policy == PolicyOff {
		return nil
	}
	if err := h.lookup(); err != nil { // another host with this name may have come first
		return err
	}
	if err := h.checkRevoked(key); err != nil {
		return err
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		return h.checkCert(remote, cert)
	}
	var others []*knownKey
	for _, k := range h.known {
		if k.marker != "" {
			continue
		}
		if bytes.Equal(k.key.Marshal(), key.Marshal()) {
			return nil
		}
		others = append(others, k)
	}
	others = slices.DeleteFunc(others, func(k *knownKey) bool { return !h.binding(k) })
	if len(others) > 0 || h.policy == PolicyStrict || h.policy == PolicyAsk {
		return h.mismatch(key, others)
	}
	if err := h.store.appendKnown(h.files[0], h.name, key); err != nil {
		return fmt.Errorf("write known hosts: %w", err)
	}
	return nil
}

// binding reports whether k was found by the full name. A key known for the
// host without the port is good enough to trust, but does not bind: another
// sshd on another port may have its own.
func (h *hostKeys) binding(k *knownKey) bool {
	return h.bare == h.name || matchNames(k.names, strings.ToLower(h.name))
}

func (h *hostKeys) checkRevoked(key ssh.PublicKey) error {
	cert, isCert := key.(*ssh.Certificate)
	for _, k := range h.known {
		if k.marker != "revoked" {
			continue
		}
		same := bytes.Equal(k.key.Marshal(), key.Marshal())
		if isCert {
			same = same || bytes.Equal(k.key.Marshal(), cert.Key.Marshal()) || bytes.Equal(k.key.Marshal(), cert.SignatureKey.Marshal())
		}
		if same {
			err := h.mismatch(key, []*knownKey{k})
			err.Revoked = true
			return err
		}
	}
	return nil
}

func (h *hostKeys) checkCert(remote net.Addr, cert *ssh.Certificate) error {
	checker := ssh.CertChecker{IsHostAuthority: func(auth ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(h.known, func(k *knownKey) bool {
			return k.marker == "cert-authority" && bytes.Equal(k.key.Marshal(), auth.Marshal())
		})
	}}
	return checker.CheckHostKey(net.JoinHostPort(h.bare, "22"), remote, cert)
}

func (h *hostKeys) mismatch(key ssh.PublicKey, known []*knownKey) *HostKeyError {
	e := &HostKeyError{Name: h.name, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Files: h.files,
		Line: h.name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))}
	for _, k := range known {
		e.Known = append(e.Known, KnownKey{File: k.file, Line: k.line, Type: k.key.Type(), Fingerprint: ssh.FingerprintSHA256(k.key)})
	}
	// The line of the same type is the one that has changed.
	slices.SortStableFunc(e.Known, func(a, b KnownKey) int {
		switch {
		case a.Type == e.Type && b.Type != e.Type:
			return -1
		case a.Type != e.Type && b.Type == e.Type:
			return 1
		}
		return 0
	})
	return e
}
