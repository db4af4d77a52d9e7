package transport

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// revokedKeys is a file of RevokedHostKeys (ssh_config(5)): one public key a
// line, or a KRL.
type revokedKeys struct {
	path string
	keys []knownKey
	krl  *revocationList
}

// loadRevoked reads the files. One that cannot be read refuses every host, as
// ssh does: a key may be in it.
func (p *Pool) loadRevoked(paths []string) (out []*revokedKeys, err error) {
	for _, path := range paths {
		path = expandHome(path)
		r, err := p.revoked.load(path, func(data []byte) (*revokedKeys, error) { return parseRevoked(path, data) })
		if err != nil {
			return nil, fmt.Errorf("read RevokedHostKeys: %w", err)
		}
		out = append(out, r)
	}
	return out, nil
}

func parseRevoked(path string, data []byte) (r *revokedKeys, err error) {
	r = &revokedKeys{path: path}
	if !bytes.HasPrefix(data, []byte(krlMagic)) {
		return r, r.readLines(data)
	}
	if r.krl, err = parseKRL(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (r *revokedKeys) readLines(data []byte) error {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", r.path, n, errors.New("it is no public key, and the file no KRL"))
		}
		r.keys = append(r.keys, knownKey{file: r.path, line: n, marker: markRevoked, key: key})
	}
	return nil
}

// checkRevoked returns an error if a file says that the key, the key in the
// certificate, or the authority that signed it is revoked.
func (h *hostKeys) checkRevoked(key ssh.PublicKey) error {
	for _, r := range h.revoked {
		if by := r.find(key); by != nil {
			err := h.mismatch(key, []*knownKey{by})
			err.Revoked = true
			return err
		}
	}
	return nil
}

func (r *revokedKeys) find(key ssh.PublicKey) *knownKey {
	cert, isCert := key.(*ssh.Certificate)
	for i := range r.keys {
		k := &r.keys[i]
		if k.is(key) || isCert && (k.is(cert.Key) || k.is(cert.SignatureKey)) {
			return k
		}
	}
	if r.krl != nil && r.krl.revokes(key) {
		return &knownKey{file: r.path, marker: markRevoked, key: plainKey(key)}
	}
	return nil
}
