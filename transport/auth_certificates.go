package transport

import (
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"
)

// certified are the certificates that the target names, each with the key it is
// for: they go first, as with ssh (pubkey_prepare in OpenSSH's sshconnect2.c).
func (ids *identities) certified(found []identity) (out []identity) {
	for _, path := range ids.answers.target.CertificateFiles {
		path = expandHome(path)
		cert, ok := readPublic(path).(*ssh.Certificate)
		if !ok {
			ids.problems = append(ids.problems, fmt.Sprintf("certificate file %s holds no certificate", path))
			continue
		}
		key, ok := findHeld(slices.Concat(found, ids.held), cert.Key)
		if !ok {
			key, ok = findHeld(ids.held, cert)
		}
		if !ok {
			ids.problems = append(ids.problems, fmt.Sprintf("no identity file and no agent holds the key of certificate %s", path))
			continue
		}
		if id, ok := certified(cert, path, key); ok {
			out = append(out, id)
		}
	}
	return out
}

// certified is a key with the certificate of a file, if that is for this key.
func certified(cert *ssh.Certificate, path string, id identity) (identity, bool) {
	if cert.CertType != ssh.UserCert {
		return identity{}, false
	}
	if sameKey(cert, id.signer.PublicKey()) { // the agent holds both as one
		return identity{signer: id.signer, source: path}, true
	}
	signer, err := ssh.NewCertSigner(cert, id.signer)
	s, ok := signer.(ssh.AlgorithmSigner)
	return identity{signer: s, source: path}, err == nil && ok
}
