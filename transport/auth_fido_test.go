package transport_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// securityKey has ssh-keygen enroll a key at a security key of the test, which ssh-agent, ssh-add and ssh-keygen use as they
// do those of USB.
func securityKey(t *testing.T) (key login, public ssh.PublicKey, provider string) {
	t.Helper()
	dir := t.TempDir()
	provider = filepath.Join(dir, "provider.so")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", provider, "testdata/sk-provider.c", "-l:libcrypto.so.3").CombinedOutput(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") != "1" {
			t.Skip("no C compiler: ", err)
		}
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	file := filepath.Join(dir, "id_ed25519_sk")
	keygen(t, "-q", "-t", "ed25519-sk", "-w", provider, "-N", "", "-f", file)
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(readFile(t, file+".pub")))
	if err != nil {
		t.Fatal(err)
	}
	return login{file: file}, public, provider
}

// A FIDO key signs through OpenSSH's agent, and the user is told that it waits.
func TestSecurityKey(t *testing.T) {
	me, public, provider := securityKey(t)
	s := transporttest.NewSSHD(t, []ssh.PublicKey{public})
	t.Setenv("SSH_SK_PROVIDER", provider)
	t.Setenv("LABCTL_TEST_TOUCH", "700000")
	holder := realAgent(t, me.file, "-P", provider)
	t.Setenv("HOME", t.TempDir())
	for name, files := range map[string][]string{"named": {me.file}, "of the agent": nil} {
		u := &person{answers: [][]string{{}}}
		target := me.target(t, name, s.Addr, s.HostKey)
		target.IdentityFiles, target.IdentityAgent = files, holder
		dial(t, newPool(t, transport.Options{Ask: u.ask}), target)
		if want := "Confirm user presence for key ED25519-SK " + ssh.FingerprintSHA256(public); len(u.asked) != 1 || u.asked[0].Title != want || u.asked[0].Fields != nil {
			t.Errorf("%s: asked %+v", name, u.asked)
		}
	}
	known := transporttest.KnownHosts(t, "[127.0.0.1]:"+strconv.Itoa(s.Port), s.HostKey)
	config := "Host box\nPort " + strconv.Itoa(s.Port) + "\nIdentityAgent " + holder + strings.NewReplacer("KEY", me.file, "KNOWN", known).Replace(agreeEnd)
	if ok, said := sshReaches(t, writeConfig(t, config), nil); !ok {
		t.Errorf("ssh says %s", said)
	}
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), me.target(t, "alone", s.Addr, s.HostKey))
	mention(t, asError(t, err), me.file+" is of a security key", "ssh-add "+me.file)
}
