package sshconfig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// export writes the file of targets; those whose names begin with "hop" the inventory does not know.
func export(t testing.TB, options []string, targets ...*transport.Target) string {
	t.Helper()
	var out bytes.Buffer
	e := Export{Site: "lab", Targets: targets, Declared: func(name string) ([]string, bool) { return options, !strings.HasPrefix(name, "hop") }}
	if err := e.Write(&out); err != nil {
		t.Fatal(err)
	}
	return write(t, "exported", out.String())
}

// full has all that a target may say.
func full(name string) *transport.Target {
	return &transport.Target{
		Name: name, Address: "192.168.178.3", Port: 2222, User: "vagrant", IdentityFiles: []string{"/keys/with space", "/keys/100%", "/keys/a#b"},
		IdentitiesOnly: true, IdentityAgent: "/run/agent", HostKeyAlias: "the-box", KnownHosts: []string{"/known/a", "/known/b c"},
		HostKeyPolicy: transport.PolicyAcceptNew, HashKnownHosts: true, CertificateFiles: []string{"/keys/id-cert.pub"},
		RevokedHostKeys: []string{"/known/revoked"}, Authentications: []string{"publickey", "password"}, PasswordPrompts: 2, BatchMode: true,
		KexAlgorithms: []string{"curve25519-sha256", "ecdh-sha2-nistp256"}, Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha2-256"},
		HostKeyAlgorithms: []string{"ssh-ed25519"}, PubkeyAlgorithms: []string{"ssh-ed25519", "rsa-sha2-512"},
		ConnectTimeout: 7 * time.Second, ServerAliveInterval: -1, ServerAliveCountMax: 5, ConnectionAttempts: 2, AddressFamily: "inet",
		BindAddress: "127.0.0.1", BindInterface: "lo", ControlPath: "/run/%h", Password: "hunter2",
	}
}

// ways are targets with what is before them.
func ways() map[string]*transport.Target {
	first := &transport.Target{Name: "jump-host", Address: "203.0.113.7", User: "bob", Port: 2200, IdentityFiles: []string{"/keys/jump"}}
	second := &transport.Target{Name: "hop of mine", Address: "2001:db8::5", User: "alice", Via: first}
	return map[string]*transport.Target{
		"plain":         {Name: "plain", Address: "plain"},
		"boxA":          {Name: "boxA", Address: "10.0.0.1", Via: second, HostKeyAlias: "boxA"},
		"private":       {Name: "private", Address: "192.168.178.3", Via: first},
		"full":          full("full"),
		"commanded":     {Name: "commanded", Address: "a", ProxyCommand: `nc -X 5 "%h" 22 # not a comment`, User: "b"},
		"behind":        {Name: "behind", Address: "b", Via: &transport.Target{Name: "hop", Address: "h", ProxyCommand: "nc h 22", Via: first}},
		"agentless":     {Name: "agentless", Address: "a", IdentityAgent: "none", IdentityFiles: []string{"none"}, Authentications: []string{"none"}, HostKeyPolicy: transport.PolicyOff},
		"2001:db8::9":   {Name: "2001:db8::9", Address: "2001:db8::9", HostKeyPolicy: transport.PolicyStrict, IdentityAgent: "SSH_AUTH_SOCK"},
		"through-plain": {Name: "through-plain", Address: "c", Via: &transport.Target{Name: "plain", Address: "plain", User: "another"}},
		"odd;name":      {Name: "odd;name", Address: "d"},
	}
}

// read resolves an alias of the file with the resolver that is compared with ssh -G elsewhere.
func read(t testing.TB, file, alias string) *transport.Target {
	t.Helper()
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Target(alias)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// kept is what of a target an export is to keep: aliases are names of their own, and so are names of private addresses.
func kept(to *transport.Target) *transport.Target {
	if to == nil {
		return nil
	}
	c := *to
	c.Name, c.Password, c.HostKeyAlias = "", "", to.KnownName()
	if c.HostKeyPolicy == "" {
		c.HostKeyPolicy = transport.PolicyAsk
	}
	if c.IdentityAgent == "SSH_AUTH_SOCK" { // which is the default
		c.IdentityAgent = ""
	}
	if c.ProxyCommand != "" {
		c.Via = nil
	}
	c.Via = kept(c.Via)
	return &c
}

func TestExportIsReadBack(t *testing.T) {
	var all []*transport.Target
	for _, target := range ways() {
		all = append(all, target)
	}
	file := export(t, []string{"ForwardAgent=yes", "User=other", "ConnectTimeout 3"}, all...)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !Exported(text) || bytes.Contains(text, []byte("hunter2")) || !bytes.Contains(text, []byte(`# "odd;name": ssh takes no such name`)) {
		t.Errorf("the file:\n%s", text)
	}
	for name, want := range ways() {
		if name == "odd;name" {
			continue
		}
		got := read(t, file, name)
		if len(got.KnownHosts) > 0 && got.KnownHosts[len(got.KnownHosts)-1] == "/dev/null" { // the system's files
			got.KnownHosts = got.KnownHosts[:len(got.KnownHosts)-1]
		}
		got, want = kept(got), kept(want)
		for g, w := got, want; w != nil || g != nil; g, w = g.Via, w.Via {
			if g == nil || w == nil {
				t.Fatalf("%s has another number of hops; the file:\n%s", name, text)
			}
			a, b := *g, *w
			a.Via, b.Via = nil, nil
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s:\ngot  %+v\nwant %+v\nfile:\n%s", name, a, b, text)
			}
		}
	}
}

// TestExportAgreesWithSSH asks ssh itself for what the file means.
func TestExportAgreesWithSSH(t *testing.T) {
	client := needSSH(t)
	for name, target := range ways() {
		if name == "odd;name" {
			continue
		}
		file := export(t, []string{"ForwardAgent=yes"}, target)
		got, err := askOpenSSH(client, file, name)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"hostname": target.Address, "port": "22", "forwardagent": "yes"}
		put := func(key, value string) {
			if value != "" {
				want[key] = value
			}
		}
		put("user", target.User)
		if target.Port != 0 {
			put("port", strconv.Itoa(target.Port))
		}
		put("identityfile", strings.ReplaceAll(strings.Join(target.IdentityFiles, "|"), "%", "%%"))
		put("certificatefile", strings.Join(target.CertificateFiles, "|"))
		put("userknownhostsfile", strings.Join(target.KnownHosts, " "))
		put("identityagent", target.IdentityAgent)
		put("controlpath", target.ControlPath)
		put("preferredauthentications", strings.Join(target.Authentications, ","))
		put("ciphers", strings.Join(target.Ciphers, ","))
		put("macs", strings.Join(target.MACs, ","))
		put("kexalgorithms", strings.Join(target.KexAlgorithms, ","))
		put("hostkeyalgorithms", strings.Join(target.HostKeyAlgorithms, ","))
		put("pubkeyacceptedalgorithms", strings.Join(target.PubkeyAlgorithms, ","))
		put("stricthostkeychecking", map[string]string{"off": "false", "strict": "true", "accept-new": "accept-new", "": "ask"}[target.HostKeyPolicy])
		put("bindaddress", target.BindAddress)
		put("proxycommand", strings.ReplaceAll(target.ProxyCommand, "%", "%%"))
		if name := target.KnownName(); name != strings.ToLower(target.Address) {
			put("hostkeyalias", name)
		}
		if target.ServerAliveCountMax == 5 {
			put("connecttimeout", "7")
			put("serveraliveinterval", "0")
			put("serveralivecountmax", "5")
			put("identitiesonly", "yes")
			put("batchmode", "yes")
			put("revokedhostkeys", strings.Join(target.RevokedHostKeys, " "))
		}
		for key, value := range want {
			if !strings.EqualFold(got[key], value) {
				t.Errorf("%s: ssh has %s %q, labctl %q", name, key, got[key], value)
			}
		}
		if hops := hopsOf(target); (len(hops) > 0) != (got["proxyjump"] != "") {
			t.Errorf("%s: ssh has proxyjump %q for %d hops", name, got["proxyjump"], len(hops))
		}
	}
}

// TestExportedLogin logs in with ssh through two jump hosts, each with its own key, user's file and known_hosts; the last
// host's key is pinned, and the one before it is known by its name in the inventory.
func TestExportedLogin(t *testing.T) {
	client := needSSH(t)
	var via *transport.Target
	for i, name := range []string{"jump1", "hop 2", "boxA"} {
		signer, key := transporttest.NewKey(t)
		s := transporttest.NewSSHD(t, []ssh.PublicKey{signer.PublicKey()})
		via = &transport.Target{Name: name, Address: "127.0.0.1", Port: s.Port, User: "root", IdentityFiles: []string{key}, IdentityAgent: "none", Via: via,
			HostKeyPolicy: transport.PolicyStrict}
		if i == 2 {
			other, _ := transporttest.NewKey(t)
			via.HostKeys = []string{string(ssh.MarshalAuthorizedKey(other.PublicKey())), string(ssh.MarshalAuthorizedKey(s.HostKey))}
		} else {
			via.KnownHosts = []string{transporttest.KnownHosts(t, fmt.Sprintf("[127.0.0.1]:%d", s.Port), s.HostKey)}
		}
	}
	login := func(target *transport.Target) (string, error) {
		file := export(t, nil, target)
		out, err := exec.Command(client, "-F", file, "-o", "BatchMode=yes", target.Name, "echo $SSH_CONNECTION").CombinedOutput()
		return string(out), err
	}
	out, err := login(via)
	if err != nil || !strings.HasSuffix(out, fmt.Sprintf(" 127.0.0.1 %d\n", via.Port)) {
		t.Errorf("%v: %s", err, out)
	}
	via.HostKeys = via.HostKeys[:1]
	if out, err := login(via); err == nil || !strings.Contains(out, "verification failed") {
		t.Errorf("with the key of another pinned: %v: %s", err, out)
	}
}

func TestExportRefuses(t *testing.T) {
	for word, target := range map[string]*transport.Target{
		"ProxyCommand": {Name: "a", Address: "a", ProxyCommand: "nc\nHost *"},
		"User":         {Name: "a", Address: "a", User: "x\nHost *"},
		"percent":      {Name: "a", Address: "a", User: "50%"},
		"variable":     {Name: "a", Address: "a", IdentityFiles: []string{"/keys/${x}"}},
	} {
		e := Export{Targets: []*transport.Target{target}, Declared: func(string) ([]string, bool) { return nil, true }}
		if err := e.Write(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not mention %s", err, word)
		}
	}
}

// What labctl has written itself is no source of settings, lest a host keep what the inventory no longer says.
func TestExportedIsNotIncluded(t *testing.T) {
	file := export(t, nil, &transport.Target{Name: "boxA", Address: "10.0.0.1"})
	odd := filepath.Join(t.TempDir(), "a [1]* x")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(odd, text, 0o600); err != nil {
		t.Fatal(err)
	}
	including := write(t, "config", IncludeLine(odd)+"\nHost boxA\n User bob\n")
	if got := read(t, including, "boxA"); got.Address != "boxa" || got.User != "bob" {
		t.Errorf("%+v", got)
	}
	if got, err := askOpenSSH(needSSH(t), including, "boxA"); err != nil || got["hostname"] != "10.0.0.1" || got["user"] != "bob" {
		t.Errorf("ssh: %v %v", err, got["hostname"])
	}
}
