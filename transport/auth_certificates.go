package transport

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// certified puts the certificates that t names first, each with the key it is
// for, as ssh does (pubkey_prepare in OpenSSH's sshconnect2.c).
func (ids *identities) certified(t *Target, held []identity) {
	keys := ids.keys
	ids.keys = nil
	for _, path := range t.CertificateFiles {
		path = expandHome(path)
		cert, ok := readPublic(path).(*ssh.Certificate)
		if !ok {
			ids.problems = append(ids.problems, fmt.Sprintf("certificate file %s holds no certificate", path))
			continue
		}
		id, ok := findHeld(append(keys[:len(keys):len(keys)], held...), cert.Key)
		if !ok {
			ids.problems = append(ids.problems, fmt.Sprintf("no identity file and no agent holds the key of certificate %s", path))
			continue
		}
		if signer, err := ssh.NewCertSigner(cert, id.signer); err == nil {
			ids.add(identity{signer: signer, source: path})
		}
	}
	for _, id := range keys {
		ids.add(id)
	}
}
