package transport_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// agentWith starts an ssh-agent that holds keys, and returns its socket.
func agentWith(t testing.TB, keys ...any) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k, Comment: "of the test"}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		_ = os.RemoveAll(dir)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = agent.ServeAgent(ring, c)
				_ = c.Close()
			}()
		}
	}()
	return socket
}

func ed25519Key(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signerOf(t testing.TB, k any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeyTypes(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]any{"rsa": rsaKey, "ecdsa": ecdsaKey, "ed25519": ed25519Key(t)} {
		t.Run(name, func(t *testing.T) {
			signer, file := transporttest.WriteKey(t, key, "")
			s := transporttest.NewSSHD(t, []ssh.PublicKey{signer.PublicKey()})
			target := login{signer, file}.target(t, "a", s.Addr, s.HostKey)
			dial(t, newPool(t, transport.Options{}), target)
			target.IdentityFiles, target.IdentityAgent = nil, agentWith(t, key)
			t.Setenv("HOME", t.TempDir())
			dial(t, newPool(t, transport.Options{}), target)
		})
	}
}

func TestWrongKey(t *testing.T) {
	me, stranger := newLogin(t), newLogin(t)
	s := transporttest.NewSSHD(t, stranger.keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.IdentityAgent = agentWith(t, ed25519Key(t))
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
	e := asError(t, err)
	a, ok := e.Err.(*transport.AuthError)
	if !ok || e.Phase != transport.PhaseAuth || len(a.Offered) != 2 {
		t.Fatalf("phase %s, %T %v", e.Phase, e.Err, e.Err)
	}
	mention(t, err, "user root", ssh.FingerprintSHA256(me.signer.PublicKey())+" from "+me.file, "from the ssh-agent (of the test)")
	if strings.Contains(err.Error(), "PRIVATE") {
		t.Error("the key itself is in the message")
	}
}

// sshd hangs up after six attempts: a full agent must not use them up.
func TestAgentWithManyKeys(t *testing.T) {
	var many []any
	for range 12 {
		many = append(many, ed25519Key(t))
	}
	mine := ed25519Key(t)
	signer, file := transporttest.WriteKey(t, mine, "")
	s := transporttest.NewSSHD(t, []ssh.PublicKey{signer.PublicKey()})
	target := login{signer, file}.target(t, "a", s.Addr, s.HostKey)
	target.IdentityAgent = agentWith(t, append(many, mine)...)
	dial(t, newPool(t, transport.Options{}), target) // the file names it: it is first
	if n := strings.Count(s.Log(), "Failed publickey"); n != 0 {
		t.Errorf("%d wrong keys were offered first", n)
	}
	target.IdentityFiles = nil
	t.Setenv("HOME", t.TempDir())
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
	asError(t, err)
	mention(t, err, "8 more keys held back")
}

func TestIdentityFiles(t *testing.T) {
	key := ed25519Key(t)
	signer := signerOf(t, key)
	s := transporttest.NewSSHD(t, []ssh.PublicKey{signer.PublicKey()})
	_, locked := transporttest.WriteKey(t, key, "secret")
	_, open := transporttest.WriteKey(t, key, "")
	onlyPublic := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(onlyPublic+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	notAKey := writeConfig(t, "hello\n")
	holding := agentWith(t, key)
	for name, c := range map[string]struct {
		files []string
		agent string
		words []string // of the error; nil: success
	}{
		"locked, in the agent":     {files: []string{locked}, agent: holding},
		"locked":                   {files: []string{locked}, words: []string{locked, "passphrase", "ssh-add " + locked}},
		"public half, in agent":    {files: []string{open + ".pub"}, agent: holding},
		"public half":              {files: []string{open + ".pub"}, words: []string{"is a public key"}},
		"only .pub, in the agent":  {files: []string{onlyPublic}, agent: holding},
		"missing":                  {files: []string{"/nonexistent/id"}, words: []string{"/nonexistent/id", "no such file"}},
		"missing, but another":     {files: []string{"/nonexistent/id", open}},
		"not a key":                {files: []string{notAKey}, words: []string{notAKey, "not a private key"}},
		"agent that does not live": {files: nil, agent: "/nonexistent/agent", words: []string{"/nonexistent/agent", "no such file"}},
		"nothing at all":           {files: nil, words: []string{"the server takes publickey", "no key to offer", "identity_file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", t.TempDir())
			target := login{signer, open}.target(t, "a", s.Addr, s.HostKey)
			target.IdentityFiles = c.files
			target.IdentityAgent = c.agent
			if c.agent == "" {
				target.IdentityAgent = "none"
			}
			_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
			if c.words == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := asError(t, err); e.Phase != transport.PhaseAuth {
				t.Errorf("phase %s", e.Phase)
			}
			mention(t, err, c.words...)
		})
	}
}

func TestUserCertificate(t *testing.T) {
	authority, _ := transporttest.NewKey(t)
	me := newLogin(t)
	cert := &ssh.Certificate{Key: me.signer.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"root"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(me.file+"-cert.pub", ssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := writeConfig(t, string(ssh.MarshalAuthorizedKey(authority.PublicKey())))
	s := transporttest.NewSSHD(t, nil, "TrustedUserCAKeys "+ca)
	dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
	s = transporttest.NewSSHD(t, me.keys()) // which knows the key, and no authority
	dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
}

// What ssh-add has put into OpenSSH's agent counts: a certificate beside the key, by itself or where a file names the key.
func TestCertificateInTheAgent(t *testing.T) {
	authority, file := transporttest.NewKey(t)
	me := newLogin(t)
	cert := certificate(t, authority, ssh.Certificate{CertType: ssh.UserCert, Key: me.signer.PublicKey(), ValidPrincipals: []string{"root"}})
	if err := os.Rename(cert, me.file+"-cert.pub"); err != nil {
		t.Fatal(err)
	}
	holder := realAgent(t, me.file)
	s := transporttest.NewSSHD(t, nil, "TrustedUserCAKeys "+file+".pub")
	public := filepath.Join(t.TempDir(), "me.pub")
	if err := os.WriteFile(public, []byte(line(me.signer.PublicKey())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	for name, c := range map[string]struct {
		files []string
		only  bool
	}{
		"all that it holds":             {},
		"named by the file":             {[]string{me.file}, true},
		"named by the public half":      {[]string{me.file + ".pub"}, true},
		"public half without its cert.": {[]string{public}, false},
	} {
		target := me.target(t, name, s.Addr, s.HostKey)
		target.IdentityFiles, target.IdentitiesOnly, target.IdentityAgent = c.files, c.only, holder
		_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func writeConfig(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
