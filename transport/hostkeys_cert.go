package transport

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// errNoAuthority is what is wrong with most certificates: that they are of no
// use here.
var errNoAuthority = errors.New("its authority is not known for this host")

// checkCert says why a host certificate is not good for this host (RFC draft
// and sshkey_cert_check_host of OpenSSH: type, time, principals, which may be
// patterns, no critical options, no SHA-1).
func (h *hostKeys) checkCert(cert *ssh.Certificate) error {
	if !h.isAuthority(cert.SignatureKey) {
		return errNoAuthority
	}
	if cert.CertType != ssh.HostCert {
		return errors.New("it is not a host certificate")
	}
	algo := cert.Signature.Format
	switch permitted := h.target.CASignatureAlgorithms; {
	case permitted == nil && isWeak(algo):
		return fmt.Errorf("it is signed by %s, which is too weak", algo)
	case permitted != nil && !slices.Contains(permitted, algo):
		return fmt.Errorf("it is signed by %s, which CASignatureAlgorithms does not permit", algo)
	}
	principal := h.bare
	if len(cert.ValidPrincipals) > 0 {
		i := slices.IndexFunc(cert.ValidPrincipals, func(p string) bool { return MatchPattern(p, h.bare) })
		if i < 0 {
			return fmt.Errorf("it is for %s", strings.Join(cert.ValidPrincipals, ", "))
		}
		principal = cert.ValidPrincipals[i]
	}
	if err := new(ssh.CertChecker).CheckCert(principal, cert); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "ssh: "))
	}
	return nil
}

func (h *hostKeys) isAuthority(key ssh.PublicKey) bool {
	return slices.ContainsFunc(h.known, func(k *knownKey) bool { return k.marker == markAuthority && k.is(key) })
}

func (h *hostKeys) hasAuthority() bool {
	return slices.ContainsFunc(h.known, func(k *knownKey) bool { return k.marker == markAuthority })
}
