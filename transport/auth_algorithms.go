package transport

import (
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// signatures are the algorithms by which a key may sign for t, best first
// (PubkeyAcceptedAlgorithms; key_sig_algorithm in OpenSSH's sshconnect2.c).
// RSA has several; SHA-1 is among them only where it is named.
func (t *Target) signatures(pub ssh.PublicKey) ([]string, error) {
	if err := t.longEnough(pub); err != nil {
		return nil, err
	}
	permitted, kind := t.PubkeyAlgorithms, pub.Type()
	if permitted == nil {
		permitted = slices.DeleteFunc(append(slices.Clone(openSSHHostKeys), kind), isWeak)
	}
	var out []string
	for _, algo := range permitted {
		plain, isCert := strings.CutSuffix(algo, certSuffix)
		switch {
		case keyType(kind) == ssh.KeyAlgoRSA && keyType(algo) == ssh.KeyAlgoRSA:
			if isCert == strings.HasSuffix(kind, certSuffix) && !slices.Contains(out, plain) {
				out = append(out, plain)
			}
		case algo == kind:
			return []string{keyType(kind)}, nil
		}
	}
	if out == nil {
		return nil, fmt.Errorf("PubkeyAcceptedAlgorithms permits no signature of %s", kind)
	}
	return out, nil
}

// isWeak tells what OpenSSH does only where it is asked to: SHA-1 and DSA.
func isWeak(algo string) bool {
	plain := keyType(algo)
	return algo == ssh.KeyAlgoRSA || algo == ssh.CertAlgoRSAv01 || plain == ssh.InsecureKeyAlgoDSA
}

// minRSA is the default of RequiredRSASize.
const minRSA = 1024

// longEnough refuses RSA keys below RequiredRSASize, of users and of hosts.
func (t *Target) longEnough(pub ssh.PublicKey) error {
	crypto, ok := plainKey(parsed(pub)).(ssh.CryptoPublicKey)
	if !ok {
		return nil
	}
	key, ok := crypto.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return nil
	}
	limit := t.RequiredRSASize
	if limit == 0 {
		limit = minRSA
	}
	if bits := key.N.BitLen(); bits < limit {
		return fmt.Errorf("it has %d bits, and RequiredRSASize wants %d", bits, limit)
	}
	return nil
}
