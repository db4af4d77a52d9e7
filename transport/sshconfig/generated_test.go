package sshconfig

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	somePatterns = strings.Fields(`* a b a? ? !a !b* "a" ab *b real !* A 'b'`)
	someSettings = strings.Split(`Port 1|Port=2|User u|User "v w"|HostName real|HostName Real|HostName %h.x|HostName 127.1|IdentityFile /i|IdentityFile /j#|
IdentityFile none|IdentitiesOnly yes|ProxyJump j|ProxyJump u@j:5,k|ProxyJump none|ProxyCommand none|ProxyCommand nc %h 1|HostKeyAlias k|
ConnectTimeout 5|ConnectTimeout none|StrictHostKeyChecking no|StrictHostKeyChecking ask|# comment||UserKnownHostsFile ~/%n %d/x|ControlPath /c/%C|
ControlPath none|Ciphers -aes128*|Ciphers ^aes256-ctr|MACs +hmac-sha1-96|KexAlgorithms -ecdh*|HostKeyAlgorithms ^ssh-ed25519|BatchMode yes|
PasswordAuthentication no|ServerAliveInterval 30s|ServerAliveCountMax 2|CertificateFile /c|GlobalKnownHostsFile none|IdentityAgent none|
AddressFamily inet|ForwardAgent yes|Compression yes|HashKnownHosts yes|PreferredAuthentications password|UserKnownHostsFile ${LAB_DIR}/%h-%p-%r|
ControlMaster auto|ControlPersist 5m|BindAddress 127.0.0.1|ConnectionAttempts 2|NumberOfPasswordPrompts 1|Nonsense yes|IgnoreUnknown Non*|Port 0`, "|")
	someConditions = strings.Split(`all|host a|host a,b|host real|!host a|originalhost a*|user u|user nobody|final|host a user u|final host real|!user u|
host !a,*|canonical|exec true|exec "test %n = a"|localuser root|final all`, "|")
)

// some draws one of a list.
func some(r *rand.Rand, list []string) string { return strings.TrimSpace(list[r.IntN(len(list))]) }

// generate writes a configuration of a few blocks; deeper ones are included.
func generate(t testing.TB, r *rand.Rand, dir string, depth int) string {
	var b strings.Builder
	for range r.IntN(5) {
		switch n := r.IntN(8); {
		case n < 4:
			b.WriteString("Host")
			for range 1 + r.IntN(3) {
				b.WriteString(" " + some(r, somePatterns))
			}
		case n < 7:
			b.WriteString("Match " + some(r, someConditions))
		case depth < 3:
			b.WriteString(some(r, []string{"Include ", "Include \"", "Include="}))
			quote := map[bool]string{true: `"`}[strings.HasSuffix(b.String(), `"`)]
			b.WriteString(generate(t, r, dir, depth+1) + quote)
		}
		b.WriteByte('\n')
		for range r.IntN(4) {
			b.WriteString("  " + some(r, someSettings) + "\n")
		}
	}
	f, err := os.CreateTemp(dir, "config")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(b.String()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// Generated configurations, some of them with included files and some wrong, with options of the command line or without.
func TestGeneratedAgainstOpenSSH(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	const rounds = 500
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 4))
		path := generate(t, r, dir, 0)
		var args []string
		if r.IntN(3) == 0 {
			args = []string{"-o", some(r, []string{"User=cli", "Port 9", "ProxyJump=x", "ProxyCommand none", "IdentityFile=/cli", "Ciphers=aes128-ctr"})}
		}
		if d := b.differ(path, some(r, []string{"a", "b", "ab", "real", "A"}), args...); d != "" {
			text, _ := os.ReadFile(path)
			t.Errorf("seed %d, %q: %s in %s\n%s", seed, args, d, filepath.Base(path), text)
		}
	}
}
