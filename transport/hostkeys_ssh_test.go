package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// sshSays connects as target says by OpenSSH's ssh, without asking.
func sshSays(t testing.TB, target *transport.Target, options ...string) (ok bool, said string) {
	t.Helper()
	args := []string{"-F", "none", "-o", "BatchMode=yes", "-o", "GlobalKnownHostsFile=none", "-o", "IdentityAgent=none",
		"-o", "UserKnownHostsFile=" + target.KnownHosts[0], "-i", target.IdentityFiles[0], "-p", strconv.Itoa(target.Port), "-l", target.User}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	out, err := exec.Command("ssh", append(args, target.Address, "true")...).CombinedOutput()
	return err == nil, string(out)
}

// sshPolicies are StrictHostKeyChecking of ours.
var sshPolicies = map[string]string{transport.PolicyStrict: "yes", transport.PolicyAcceptNew: "accept-new", transport.PolicyOff: "no"}

func line(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

// certificate signs key and writes the certificate to a file.
func certificate(t testing.TB, authority ssh.Signer, c ssh.Certificate) string {
	t.Helper()
	if c.ValidBefore == 0 {
		c.ValidBefore = ssh.CertTimeInfinity
	}
	if err := c.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id-cert.pub")
	if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(&c), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func keygen(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
	}
}

// TestHostKeysAgreeWithSSH: who ssh lets through, and only who it lets through,
// is reached, and known_hosts looks the same afterwards.
func TestHostKeysAgreeWithSSH(t *testing.T) {
	me := newLogin(t)
	authority, authorityFile := transporttest.NewKey(t)
	other, _ := transporttest.NewKey(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, secondFile := transporttest.WriteKey(t, private, "")
	now := uint64(time.Now().Unix())
	cert := func(c ssh.Certificate) string {
		c.CertType, c.Key = ssh.HostCert, second.PublicKey()
		return certificate(t, authority, c)
	}
	server := func(certFile string) *transporttest.SSHD {
		extra := []string{"HostKey " + secondFile}
		if certFile != "" {
			extra = append(extra, "HostCertificate "+certFile)
		}
		return transporttest.NewSSHD(t, me.keys(), extra...)
	}
	local := []string{"127.0.0.1"}
	servers := map[string]*transporttest.SSHD{
		"plain":     server(""),
		"good":      server(cert(ssh.Certificate{ValidPrincipals: local, Serial: 7, KeyId: "box"})),
		"pattern":   server(cert(ssh.Certificate{ValidPrincipals: []string{"127.*"}})),
		"elsewhere": server(cert(ssh.Certificate{ValidPrincipals: []string{"elsewhere"}})),
		"expired":   server(cert(ssh.Certificate{ValidPrincipals: local, ValidBefore: now - 10})),
		"future":    server(cert(ssh.Certificate{ValidPrincipals: local, ValidAfter: now + 1000})),
		"critical":  server(cert(ssh.Certificate{ValidPrincipals: local, Permissions: ssh.Permissions{CriticalOptions: map[string]string{"x": "y"}}})),
	}
	krl := func(args ...string) string {
		path := filepath.Join(t.TempDir(), "krl")
		keygen(t, append([]string{"-q", "-k", "-f", path}, args...)...)
		return path
	}
	spec := func(text string) string { return writeConfig(t, text+"\n") }
	public := func(s ssh.Signer) string { return spec(line(s.PublicKey())) }

	some := map[string]bool{"nothing known": true, "known": true, "changed": true, "revoked": true, "revoked by file": true,
		"certificate": true, "certificate expired": true, "certificate, plain changed": true, "authority revoked": true}
	for _, c := range []struct {
		name, server, file string
		revoked            string // RevokedHostKeys
		algorithms         string // HostKeyAlgorithms
		alias              string
		more               string // why we reach what the ssh of today does not
	}{
		{name: "nothing known"},
		{name: "known", file: "NAME FIRST"},
		{name: "second known", file: "NAME SECOND"},
		{name: "both known", file: "NAME SECOND\nNAME FIRST"},
		{name: "changed", file: "NAME OTHER"},
		{name: "one of two changed", file: "NAME OTHER\nNAME SECOND"},
		{name: "hashed", file: "HASHED FIRST"},
		{name: "hashed and changed", file: "HASHED OTHER"},
		{name: "without port", file: "127.0.0.1 FIRST"},
		{name: "changed without port", file: "127.0.0.1 OTHER"},
		{name: "with and without port", file: "NAME OTHER\n127.0.0.1 FIRST"},
		{name: "without port, second", file: "127.0.0.1 SECOND", more: "the known key is asked for"},
		{name: "wildcard", file: "* FIRST"},
		{name: "wildcard host", file: "[127.0.0.?]:* FIRST"},
		{name: "wildcard changed", file: "* OTHER"},
		{name: "negated", file: "*,!NAME,!127.0.0.1 FIRST"},
		{name: "negated with port alone", file: "*,!NAME FIRST"},
		{name: "negation alone", file: "!elsewhere FIRST"},
		{name: "other names too", file: "x,NAME,y FIRST # comment"},
		{name: "upper case alias", file: "boX FIRST", alias: "BOx"},
		{name: "alias has no port", file: "NAME FIRST", alias: "box"},
		{name: "wrong type word", file: "NAME ssh-rsa FIRSTBLOB"},
		{name: "unknown marker", file: "@future NAME OTHER\nNAME FIRST"},
		{name: "garbage", file: "NAME\n\x00\nNAME ssh-ed25519 !!!\nNAME 1024 35 123\nNAME FIRST"},
		{name: "leading blanks", file: "  \tNAME\t FIRST"},
		{name: "revoked", file: "NAME FIRST\n@revoked * FIRST"},
		{name: "revoked other", file: "NAME FIRST\n@revoked * OTHER"},
		{name: "revoked with port", file: "NAME FIRST\n@revoked NAME FIRST"},
		{name: "authority as plain key", file: "@cert-authority * FIRST"},
		{name: "authority and known", file: "@cert-authority * CA\nNAME FIRST"},

		{name: "certificate without authority", server: "good"},
		{name: "certificate, plain known", server: "good", file: "NAME SECOND"},
		{name: "certificate, other plain known", server: "good", file: "NAME FIRST", more: "the known key is asked for"},
		{name: "certificate", server: "good", file: "@cert-authority * CA"},
		{name: "certificate by host", server: "good", file: "@cert-authority 127.0.0.1 CA"},
		{name: "certificate by host and port", server: "good", file: "@cert-authority NAME CA"},
		{name: "certificate hashed", server: "good", file: "@cert-authority HASHED CA"},
		{name: "certificate elsewhere", server: "good", file: "@cert-authority elsewhere CA"},
		{name: "certificate of another", server: "good", file: "@cert-authority * OTHER"},
		{name: "certificate of another, plain known", server: "good", file: "@cert-authority * OTHER\nNAME SECOND"},
		{name: "certificate, plain changed", server: "good", file: "@cert-authority * CA\nNAME OTHER"},
		{name: "certificate by plain line", server: "good", file: "NAME CA"},
		{name: "certificate, alias", server: "good", file: "@cert-authority * CA", alias: "box"},
		{name: "certificate pattern", server: "pattern", file: "@cert-authority * CA", more: "OpenSSH takes patterns since 10.1"},
		{name: "certificate for another", server: "elsewhere", file: "@cert-authority * CA"},
		{name: "certificate for another, alias", server: "elsewhere", file: "@cert-authority * CA", alias: "elsewhere"},
		{name: "certificate for another, plain known", server: "elsewhere", file: "@cert-authority * CA\nNAME SECOND"},
		{name: "certificate expired", server: "expired", file: "@cert-authority * CA"},
		{name: "certificate expired, plain known", server: "expired", file: "@cert-authority * CA\nNAME SECOND"},
		{name: "certificate expired, plain changed", server: "expired", file: "@cert-authority * CA\nNAME OTHER"},
		{name: "certificate too early", server: "future", file: "@cert-authority * CA"},
		{name: "certificate with critical option", server: "critical", file: "@cert-authority * CA"},
		{name: "authority revoked", server: "good", file: "@cert-authority * CA\n@revoked * CA"},
		{name: "authority revoked, plain known", server: "good", file: "@cert-authority * CA\n@revoked * CA\nNAME SECOND"},
		{name: "certified key revoked", server: "good", file: "@cert-authority * CA\n@revoked * SECOND"},
		{name: "only certificates, plain known", server: "good", file: "NAME SECOND", algorithms: "ecdsa-sha2-nistp256-cert-v01@openssh.com"},
		{name: "only certificates", server: "good", file: "@cert-authority * CA", algorithms: "ecdsa-sha2-nistp256-cert-v01@openssh.com"},
		{name: "only ecdsa", file: "NAME FIRST", algorithms: "ecdsa-sha2-nistp256"},
		{name: "ecdsa first", algorithms: "ecdsa-sha2-nistp256,ssh-ed25519"},
		{name: "ecdsa first, ed25519 known", file: "NAME FIRST", algorithms: "ecdsa-sha2-nistp256,ssh-ed25519", more: "the known key is asked for"},

		{name: "revoked by file", file: "NAME SECOND", revoked: public(second)},
		{name: "another revoked by file", file: "NAME FIRST", revoked: public(second)},
		{name: "revoked by empty file", file: "NAME FIRST", revoked: spec("# none")},
		{name: "revoked by missing file", file: "NAME FIRST", revoked: "/nonexistent/file"},
		{name: "revoked by broken file", file: "NAME FIRST", revoked: spec("garbage")},
		{name: "authority revoked by file", server: "good", file: "@cert-authority * CA", revoked: public(authority)},
		{name: "revoked by KRL", file: "NAME SECOND", revoked: krl(public(second))},
		{name: "another revoked by KRL", file: "NAME FIRST", revoked: krl(public(second))},
		{name: "revoked by KRL, SHA-256", file: "NAME SECOND", revoked: krl(spec("hash: " + ssh.FingerprintSHA256(second.PublicKey())))},
		{name: "revoked by KRL, SHA-1", file: "NAME SECOND", revoked: krl(spec("sha1: " + line(second.PublicKey())))},
		{name: "authority revoked by KRL", server: "good", file: "@cert-authority * CA", revoked: krl(public(authority))},
		{name: "serial revoked by KRL", server: "good", file: "@cert-authority * CA", revoked: krl("-s", authorityFile+".pub", spec("serial: 7"))},
		{name: "serials revoked by KRL", server: "good", file: "@cert-authority * CA", revoked: krl("-s", authorityFile+".pub", spec("serial: 1-100"))},
		{name: "many serials revoked by KRL", server: "good", file: "@cert-authority * CA", revoked: krl("-s", authorityFile+".pub", spec("serial: 1\nserial: 3\nserial: 5\nserial: 7\nserial: 9\nserial: 11\nserial: 13\nserial: 20"))},
		{name: "other serial revoked by KRL", server: "good", file: "@cert-authority * CA", revoked: krl("-s", authorityFile+".pub", spec("serial: 1\nserial: 3\nserial: 5\nserial: 9\nserial: 11\nserial: 13\nserial: 20"))},
		{name: "ID revoked by KRL", server: "good", file: "@cert-authority * CA", revoked: krl("-s", authorityFile+".pub", spec("id: box"))},
		{name: "ID of any authority revoked by KRL", server: "good", file: "@cert-authority * CA", revoked: krl("-s", "none", spec("id: box"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.server == "" {
				c.server = "plain"
			}
			s := servers[c.server]
			name := knownhosts.Normalize(s.Addr)
			text := strings.NewReplacer("NAME", name, "HASHED", knownhosts.HashHostname(name), "FIRSTBLOB", strings.Fields(line(s.HostKey))[1],
				"FIRST", line(s.HostKey), "SECOND", line(second.PublicKey()), "OTHER", line(other.PublicKey()), "CA", line(authority.PublicKey())).Replace(c.file) + "\n"
			pool := newPool(t, transport.Options{})
			// That nothing is written under accept-new tells the unknown from the known; the other policies are for some cases.
			policies := []string{transport.PolicyAcceptNew}
			if some[c.name] {
				policies = append(policies, transport.PolicyStrict, transport.PolicyOff)
			}
			for _, policy := range policies {
				target := me.target(t, "a", s.Addr, s.HostKey)
				target.HostKeyPolicy, target.HostKeyAlias = policy, c.alias
				options := []string{"StrictHostKeyChecking=" + sshPolicies[policy]}
				if c.alias != "" {
					options = append(options, "HostKeyAlias="+c.alias)
				}
				if c.revoked != "" {
					target.RevokedHostKeys = []string{c.revoked}
					options = append(options, "RevokedHostKeys="+c.revoked)
				}
				if c.algorithms != "" {
					options = append(options, "HostKeyAlgorithms="+c.algorithms)
					target.HostKeyAlgorithms = strings.Split(c.algorithms, ",")
				}
				ours, theirs := writeConfig(t, text), writeConfig(t, text)
				target.KnownHosts = []string{theirs}
				want, said := sshSays(t, target, options...)
				target.KnownHosts = []string{ours}
				conn, err := pool.Dial(t.Context(), target)
				switch {
				case c.more != "":
					if err != nil {
						t.Errorf("%s: %v", policy, err)
					}
				case want != (err == nil):
					t.Errorf("%s: we say %v, ssh says\n%s", policy, err, said)
				}
				if err == nil {
					_ = conn.Close()
				}
				if policy == transport.PolicyOff || c.more != "" { // we write nothing then
					continue
				}
				if a, b := readFile(t, ours), readFile(t, theirs); a != b {
					t.Errorf("%s: we wrote\n%s\nssh wrote\n%s", policy, a, b)
				}
			}
		})
	}
}
