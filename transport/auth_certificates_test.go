package transport_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// The server knows the authority alone, so the certificate must have been shown.
func TestCertificateFile(t *testing.T) {
	me := newLogin(t)
	authority, file := transporttest.NewKey(t)
	cert := certificate(t, authority, ssh.Certificate{CertType: ssh.UserCert, Key: me.signer.PublicKey(), ValidPrincipals: []string{"root"}})
	s := transporttest.NewSSHD(t, nil, "TrustedUserCAKeys "+file+".pub")
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.CertificateFiles = []string{cert}
	dial(t, newPool(t, transport.Options{}), target)
	target.CertificateFiles = []string{filepath.Join(t.TempDir(), "none")}
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
	mention(t, asError(t, err), "holds no certificate")
}
