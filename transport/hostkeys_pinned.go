package transport

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

const thisInventory = "the inventory"

// pinnedKeys are what the inventory says of a host's key, in place of
// known_hosts.
func pinnedKeys(t *Target) ([]*knownKey, error) {
	var known []*knownKey
	for _, text := range t.HostKeys {
		k, err := pinnedKey(text)
		if err != nil {
			return nil, fmt.Errorf("host_key %q: %w", text, err)
		}
		known = append(known, k)
	}
	for _, text := range t.HostCAs {
		key, err := publicKey(text)
		if err != nil {
			return nil, fmt.Errorf("host_ca %q: %w", text, err)
		}
		known = append(known, &knownKey{file: thisInventory, marker: markAuthority, key: key})
	}
	return known, nil
}

func pinnedKey(text string) (*knownKey, error) {
	text = strings.TrimSpace(text)
	sum, isSum := strings.CutPrefix(text, "SHA256:")
	if !isSum {
		key, err := publicKey(text)
		return &knownKey{file: thisInventory, key: key}, err
	}
	sum = strings.TrimRight(sum, "=")
	if raw, err := base64.RawStdEncoding.DecodeString(sum); err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("a fingerprint is SHA256: and 43 characters, as ssh-keygen -lf prints it")
	}
	return &knownKey{file: thisInventory, fingerprint: "SHA256:" + sum}, nil
}

// publicKey reads the form of a .pub file.
func publicKey(text string) (ssh.PublicKey, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(options) > 0 || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, fmt.Errorf("it should be one line like that of a .pub file: ssh-ed25519 AAAA..., as ssh-keyscan prints it behind the name")
	}
	if _, isCert := key.(*ssh.Certificate); isCert {
		return nil, fmt.Errorf("it is a certificate, and should be a key")
	}
	return key, nil
}

// anotherType says that the server showed a key that is not the one pinned by
// its fingerprint, but may have that too.
type anotherType struct{ *HostKeyError }

// otherType finds out whether it is worth to ask the server for a key of
// another type.
func (h *hostKeys) otherType(key ssh.PublicKey, verdict *HostKeyError) error {
	bySum := false
	for _, k := range h.known {
		bySum = bySum || k.fingerprint != ""
	}
	h.refused = append(h.refused, plainKey(key).Type())
	if bySum && !verdict.Revoked && len(h.algorithms()) > 0 {
		return &anotherType{verdict}
	}
	return verdict
}
