package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"labctl/transport/transporttest"
)

// offeredKeys finds in the log of an sshd what it was asked about, and then shown a signature of.
var offeredKeys = regexp.MustCompile(`valid user root (querying|attempting) public key (\S+)`)

// TestKeysAgreeWithSSH: by which keys and signatures a login is tried is what ssh does, as the server sees it.
func TestKeysAgreeWithSSH(t *testing.T) {
	rsaKey := func(bits int) login {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		s, f := transporttest.WriteKey(t, k, "")
		return login{s, f}
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	nist, nistFile := transporttest.WriteKey(t, curve, "")
	long, ed := rsaKey(2048), newLogin(t)
	authority, authorityFile := transporttest.NewKey(t)
	certify := func(l login) string {
		return certificate(t, authority, ssh.Certificate{CertType: ssh.UserCert, Key: l.signer.PublicKey(), ValidPrincipals: []string{"root"}})
	}
	debug := "LogLevel DEBUG2"
	servers := map[string]*transporttest.SSHD{
		"ALL":   transporttest.NewSSHD(t, []ssh.PublicKey{long.signer.PublicKey(), nist.PublicKey(), ed.signer.PublicKey()}, debug),
		"ED":    transporttest.NewSSHD(t, ed.keys(), debug),
		"OLD":   transporttest.NewSSHD(t, long.keys(), debug, "PubkeyAcceptedAlgorithms ssh-rsa"),
		"SHORT": transporttest.NewSSHD(t, long.keys(), debug, "PubkeyAcceptedAlgorithms rsa-sha2-256"),
		"CERTS": transporttest.NewSSHD(t, nil, debug, "TrustedUserCAKeys "+authorityFile+".pub"),
	}
	names := []string{"LONGCERT", certify(long), "EDCERT", certify(ed), "HOLDER", realAgent(t, long.file), "LONGKEY", long.file, "NIST", nistFile, "EDKEY", ed.file}
	for name, s := range servers {
		names = append(names, name, strconv.Itoa(s.Port))
	}
	cert := func(algo string) string { return algo + "-cert-v01@openssh.com" }
	for _, c := range []struct {
		name, server, config string
		offered              string
		reached              bool
	}{
		{"RSA", "ALL", "IdentityFile LONGKEY", "rsa-sha2-512", true},
		{"RSA from the agent", "ALL", "IdentityAgent HOLDER\nIdentitiesOnly no", "rsa-sha2-512", true},
		{"SHA-256 alone", "ALL", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms rsa-sha2-256", "rsa-sha2-256", true},
		{"SHA-256 alone, from the agent", "ALL", "IdentityAgent HOLDER\nIdentitiesOnly no\nPubkeyAcceptedAlgorithms rsa-sha2-256", "rsa-sha2-256", true},
		{"SHA-256 first", "ALL", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms ^rsa-sha2-256", "rsa-sha2-256", true},
		{"without SHA-512", "ALL", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms -rsa-sha2-512", "rsa-sha2-256", true},
		{"without RSA", "ALL", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms -rsa*", "", false},
		{"another type alone", "ALL", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms ssh-ed25519", "", false},
		{"of two types one", "ALL", "IdentityFile NIST\nIdentityFile EDKEY\nPubkeyAcceptedAlgorithms ssh-ed25519", "ssh-ed25519", true},
		{"the second is good", "ED", "IdentityFile NIST\nIdentityFile EDKEY", "ecdsa-sha2-nistp256 ssh-ed25519", true},
		{"a server that takes SHA-1 alone", "OLD", "IdentityFile LONGKEY", "rsa-sha2-512", false},
		{"SHA-1 added, after the others", "OLD", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms +ssh-rsa", "rsa-sha2-512", false},
		{"SHA-1 alone", "OLD", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms ssh-rsa", "ssh-rsa", true},
		{"SHA-1 first", "OLD", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms ^ssh-rsa", "ssh-rsa", true},
		{"a server that takes SHA-256 alone", "SHORT", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms -rsa-sha2-512", "rsa-sha2-256", true},
		{"SHA-1 permitted, and not needed", "ALL", "IdentityFile LONGKEY\nPubkeyAcceptedAlgorithms +ssh-rsa", "rsa-sha2-512", true},
		{"too short", "ALL", "IdentityFile LONGKEY\nRequiredRSASize 3072", "", false},
		{"too short, in the agent", "ALL", "IdentityAgent HOLDER\nIdentitiesOnly no\nRequiredRSASize 3072", "", false},
		{"long enough", "ALL", "IdentityFile LONGKEY\nRequiredRSASize 2048", "rsa-sha2-512", true},
		{"certificate", "CERTS", "IdentityFile EDKEY\nCertificateFile EDCERT", cert("ssh-ed25519"), true},
		{"certificate of RSA", "CERTS", "IdentityFile LONGKEY\nCertificateFile LONGCERT", cert("rsa-sha2-512"), true},
		{"certificate of RSA, SHA-256", "CERTS", "IdentityFile LONGKEY\nCertificateFile LONGCERT\nPubkeyAcceptedAlgorithms rsa-sha2-256*", cert("rsa-sha2-256"), true},
		{"certificate not permitted", "CERTS", "IdentityFile LONGKEY\nCertificateFile LONGCERT\nPubkeyAcceptedAlgorithms -*cert*", "rsa-sha2-512", false},
		{"certificate of no use, and the key", "ED", "IdentityFile EDKEY\nCertificateFile EDCERT", cert("ssh-ed25519") + " ssh-ed25519", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := servers[c.server]
			known := transporttest.KnownHosts(t, "[127.0.0.1]:"+strconv.Itoa(server.Port), server.HostKey)
			end := strings.Replace(agreeEnd, "  IdentityFile KEY\n", "", 1)
			in := strings.NewReplacer(append([]string{"KNOWN", known}, names...)...)
			config := writeConfig(t, in.Replace("Host box\nPort "+strconv.Itoa(server.Port)+"\n"+c.config+end))
			t.Setenv("HOME", t.TempDir())
			before := len(server.Log())
			theirs, said := sshReaches(t, config, nil)
			seen := offered(server.Log()[before:])
			if theirs != c.reached || seen != c.offered {
				t.Errorf("ssh reaches it: %t, offers %q\n%s", theirs, seen, said)
			}
			before = len(server.Log())
			ours, err := labctlReaches(t, config, nil)
			if seen := offered(server.Log()[before:]); ours != c.reached || seen != c.offered {
				t.Errorf("labctl reaches it: %t, offers %q, %v", ours, seen, err)
			}
		})
	}
}

// offered are the algorithms of a log, each once: keys that may not be good are asked about first.
func offered(log string) string {
	var out []string
	for _, m := range offeredKeys.FindAllStringSubmatch(log, -1) {
		out = append(out, m[2])
	}
	return strings.Join(slices.Compact(out), " ")
}
