package transport_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"labctl/transport"
	"labctl/transport/transporttest"
)

func hostKeyError(t testing.TB, err error) *transport.HostKeyError {
	t.Helper()
	e := asError(t, err)
	k, ok := e.Err.(*transport.HostKeyError)
	if !ok || e.Phase != transport.PhaseHostKey {
		t.Fatalf("phase %s, cause %T", e.Phase, e.Err)
	}
	return k
}

func TestChangedKeyOnTheMiddleHop(t *testing.T) {
	target, _ := chain(t, 3)
	middle := target.Via
	old, _ := transporttest.NewKey(t)
	name := "[" + middle.Address + "]:" + strings.TrimPrefix(strings.Split(readFile(t, middle.KnownHosts[0]), " ")[0], "["+middle.Address+"]:")
	middle.KnownHosts = []string{transporttest.KnownHosts(t, "other", old.PublicKey(), name, old.PublicKey())}
	for _, policy := range []string{transport.PolicyStrict, transport.PolicyAcceptNew} {
		middle.HostKeyPolicy = policy
		_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
		k := hostKeyError(t, err)
		if len(k.Known) != 1 || k.Known[0].Line != 2 {
			t.Errorf("known %v", k.Known)
		}
		mention(t, err, "reach hop3: connect to hop2", "through hop1", "has changed", middle.KnownHosts[0]+":2", "ssh-keygen -R '"+name+"'")
	}
	middle.HostKeyPolicy = transport.PolicyOff
	dial(t, newPool(t, transport.Options{}), target)
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestUnknownKey(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	file := filepath.Join(t.TempDir(), "new", "known_hosts")
	target.KnownHosts = []string{file}
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
	k := hostKeyError(t, err)
	if len(k.Known) != 0 || k.Revoked {
		t.Errorf("%+v", k)
	}
	mention(t, err, "is unknown", ssh.FingerprintSHA256(s.HostKey), ">> "+file, `host_key_policy = "accept-new"`)

	target.KnownHosts = []string{os.DevNull}
	_, err = newPool(t, transport.Options{}).Dial(t.Context(), target)
	mention(t, err, fmt.Sprintf("host_key = %q", ssh.FingerprintSHA256(s.HostKey)))
	target.KnownHosts = []string{file}

	// Ten at once, through different names: one line each, none lost or torn.
	var wg sync.WaitGroup
	pool := newPool(t, transport.Options{})
	for i := range 10 {
		wg.Go(func() {
			fresh := *target
			fresh.Name = string(rune('a' + i))
			fresh.HostKeyAlias = "Alias-" + fresh.Name
			fresh.HostKeyPolicy = transport.PolicyAcceptNew
			if _, err := pool.Dial(t.Context(), &fresh); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if lines := strings.Count(readFile(t, file), "\n"); lines != 10 {
		t.Errorf("%d lines:\n%s", lines, readFile(t, file))
	}
	target.HostKeyAlias = "alias-C"
	dial(t, newPool(t, transport.Options{}), target) // strict, and known now
}

// TestKnownHosts2 knows a host by the second of the user's files, as ssh does where none is named.
func TestKnownHosts2(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(target.KnownHosts[0], filepath.Join(home, ".ssh/known_hosts2")); err != nil {
		t.Fatal(err)
	}
	target.KnownHosts = nil
	dial(t, newPool(t, transport.Options{}), target)
}

func TestNamesInKnownHosts(t *testing.T) {
	me := newLogin(t)
	other, _ := transporttest.NewKey(t)
	s := transporttest.NewSSHD(t, me.keys())
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.HostKey)))
	otherKey := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(other.PublicKey())))
	base := me.target(t, "a", s.Addr, s.HostKey)
	full := knownhosts.Normalize(s.Addr)
	for name, c := range map[string]struct {
		file, alias string
		ok          bool
	}{
		"plain":                  {file: full + " " + key, ok: true},
		"hashed":                 {file: knownhosts.HashHostname(full) + " " + key, ok: true},
		"hashed, other":          {file: knownhosts.HashHostname("elsewhere") + " " + key},
		"list":                   {file: "x," + full + ",y " + key, ok: true},
		"wildcard":               {file: "[127.*]:* " + key, ok: true},
		"wildcard without port":  {file: "127.* " + key, ok: true},
		"negated":                {file: "*,!" + full + ",!127.0.0.1 " + key},
		"host without port":      {file: "127.0.0.1 " + key, ok: true},
		"other on the host":      {file: "127.0.0.1 " + otherKey},
		"alias":                  {file: "Box " + key, alias: "bOX", ok: true},
		"alias has no port":      {file: full + " " + key, alias: "box"},
		"one of several":         {file: full + " " + otherKey + "\n" + full + " " + key, ok: true},
		"after garbage":          {file: "# comment\n\x00\nx y z\n" + full + " ssh-future AAAAfoo\n1024 35 1234\n" + full + " " + key, ok: true},
		"revoked":                {file: full + " " + key + "\n@revoked * " + key},
		"authority as plain key": {file: "@cert-authority * " + key},
	} {
		t.Run(name, func(t *testing.T) {
			target := *base
			target.HostKeyAlias = c.alias
			target.KnownHosts = []string{filepath.Join(t.TempDir(), "missing"), writeConfig(t, c.file+"\n")}
			_, err := newPool(t, transport.Options{}).Dial(t.Context(), &target)
			if c.ok != (err == nil) {
				t.Errorf("got %v", err)
			}
			if err != nil {
				hostKeyError(t, err)
			}
		})
	}
}

// A server with keys of several types must offer the one that is known.
func TestKnownKeyTypeIsAskedFor(t *testing.T) {
	me := newLogin(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	second, file := transporttest.WriteKey(t, private, "")
	s := transporttest.NewSSHD(t, me.keys(), "HostKey "+file)
	for _, key := range []ssh.PublicKey{s.HostKey, second.PublicKey()} {
		dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, key))
	}
}

func TestHostCertificate(t *testing.T) {
	me := newLogin(t)
	authority, _ := transporttest.NewKey(t)
	hostKey, file := transporttest.NewKey(t)
	issue := func(principal string) string {
		cert := &ssh.Certificate{Key: hostKey.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{principal}, ValidBefore: ssh.CertTimeInfinity}
		if err := cert.SignCert(rand.Reader, authority); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "cert.pub")
		if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for principal, ok := range map[string]bool{"127.0.0.1": true, "elsewhere": false} {
		s := transporttest.NewSSHD(t, me.keys(), "HostKey "+file, "HostCertificate "+issue(principal))
		target := me.target(t, "a", s.Addr, s.HostKey)
		target.KnownHosts = []string{writeConfig(t, "@cert-authority * "+string(ssh.MarshalAuthorizedKey(authority.PublicKey())))}
		_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
		if ok != (err == nil) {
			t.Errorf("%s: %v", principal, err)
		}
		// Who does not know the authority is shown the plain key.
		dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
	}
}

// The command of the message, typed as it stands, forgets the old key, whatever the name and the file look like.
func TestRepairOfChangedKey(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	other, _ := transporttest.NewKey(t)
	name := knownhosts.Normalize(s.Addr)
	for _, names := range []string{name, knownhosts.HashHostname(name), "x," + name, "*", "[127.0.0.?]:*"} {
		target := me.target(t, "a", s.Addr, s.HostKey)
		file := filepath.Join(t.TempDir(), "it's known [hosts]")
		if err := os.WriteFile(file, []byte("# mine\n"+names+" "+line(other.PublicKey())+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		target.KnownHosts, target.HostKeyPolicy = []string{file}, transport.PolicyAcceptNew
		_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
		_, command, _ := strings.Cut(asError(t, err).Hint, "forget the old key with: ")
		command, _, _ = strings.Cut(command, "; if not")
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%s: %s: %v, %s", names, command, err, out)
		}
		if _, err := newPool(t, transport.Options{}).Dial(t.Context(), target); err != nil {
			t.Errorf("%s: after %s: %v", names, command, err)
		}
	}
}
