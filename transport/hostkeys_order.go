package transport

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

const certSuffix = "-cert-v01@openssh.com"

// openSSHHostKeys is the order in which OpenSSH prefers host keys
// (KEX_DEFAULT_PK_ALG in myproposal.h): a host that both meet first gets the
// same line in known_hosts from either.
var openSSHHostKeys = []string{
	ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

// hostKeyAlgorithms are those that t permits and we can do, best first. What
// is not named in the default order, because it is newer, comes last.
func hostKeyAlgorithms(t *Target) []string {
	can := ssh.SupportedAlgorithms().HostKeys
	want := append(slices.Clone(openSSHHostKeys), can...)
	if len(t.HostKeyAlgorithms) > 0 {
		can, want = append(can, ssh.InsecureAlgorithms().HostKeys...), t.HostKeyAlgorithms
	}
	var out []string
	for _, algo := range want {
		if slices.Contains(can, algo) && !slices.Contains(out, algo) {
			out = append(out, algo)
		}
	}
	return out
}

// algorithms orders the host key algorithms: those of the keys already known
// first, or a server with several keys offers one that looks changed
// (order_hostkeyalgs in OpenSSH's sshconnect2.c). Certificates are asked for
// only where an authority is known, for without one they say nothing.
func (h *hostKeys) algorithms() []string {
	var first, rest []string
	for _, algo := range h.accepts {
		_, isCert := strings.CutSuffix(algo, certSuffix)
		switch {
		case slices.Contains(h.refused, keyType(algo)):
		case isCert && h.hasAuthority(), !isCert && h.knowsType(keyType(algo)):
			first = append(first, algo)
		default:
			rest = append(rest, algo)
		}
	}
	return append(first, rest...)
}

// keyType is the type of the plain key that goes with an algorithm: that of
// rsa-sha2-512 is still ssh-rsa (RFC 8332).
func keyType(algo string) string {
	plain, isCert := strings.CutSuffix(algo, certSuffix)
	switch {
	case strings.HasPrefix(plain, "rsa-sha2-"):
		return ssh.KeyAlgoRSA
	case isCert && strings.HasPrefix(plain, "sk-"):
		return plain + "@openssh.com"
	}
	return plain
}

func (h *hostKeys) knowsType(name string) bool {
	return slices.ContainsFunc(h.known, func(k *knownKey) bool { return k.marker == "" && k.key != nil && k.key.Type() == name })
}
