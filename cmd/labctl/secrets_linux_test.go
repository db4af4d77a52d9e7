package main

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport/transporttest"
)

// The secrets that are planted, each for another use.
const (
	secretPhrase   = "pass phrase 4711"
	secretVariable = "token-in-a-variable"
	secretWrong    = "not-the-password"
	secretWrongToo = "not-the-become-password"
	secretCode     = 20000001 // and the seven after it; each is good once
)

// secretBox asks for a password and a code.
const secretBox = `
cat > /etc/pam.d/sshd <<'END'
auth required pam_unix.so nodelay
auth required pam_google_authenticator.so
account required pam_unix.so
session required pam_permit.so
END
cd /home/alice
{ printf '%s\n' JBSWY3DPEHPK3PXP '" TOTP_AUTH'; seq 20000001 20000008; } > .google_authenticator
chown alice:alice .google_authenticator && chmod 400 .google_authenticator
cd /
`

// askpassScript answers what labctl asks, from files. Each code is taken once.
const askpassScript = `#!/bin/sh
cd DIR || exit 1
sleep 0.1 # long enough to be seen
case $1 in
*passphrase*) cat phrase;;
*Verification*) read -r n < next; echo "$n"; echo $((n + 1)) > next;;
*) exit 1;;
esac
`

// vault is a bed in which secrets are planted: a jump host that takes an encrypted key, and behind it a box that asks for a
// password and a code, and for another password where root is to be become.
type vault struct {
	t         *testing.T
	dir       string // of the site and the answers, where secrets may be
	home, tmp string
	root      []string // arguments of ssh, to be root in the box
	site      string
	secrets   []string
	naps      int

	mu       sync.Mutex
	found    map[string]bool
	launched map[string]bool // command lines
}

func newVault(t *testing.T) *vault {
	v := &vault{t: t, dir: t.TempDir(), home: t.TempDir(), tmp: t.TempDir(), found: map[string]bool{}, launched: map[string]bool{},
		secrets: []string{transporttest.AlicePassword, transporttest.RootPassword, secretPhrase, secretVariable, secretWrong, secretWrongToo}}
	for n := secretCode; n < secretCode+8; n++ {
		v.secrets = append(v.secrets, strconv.Itoa(n))
	}
	root, rootFile := transporttest.NewKey(t)
	locked, lockedFile := transporttest.WriteKey(t, ed25519.NewKeyFromSeed(make([]byte, 32)), secretPhrase)
	jump := transporttest.NewSSHD(t, []ssh.PublicKey{locked.PublicKey()})
	box := transporttest.NewBox(t, []ssh.PublicKey{root.PublicKey()}, secretBox, "UsePAM yes", "KbdInteractiveAuthentication yes")
	known := transporttest.KnownHosts(t, "[127.0.0.1]:"+strconv.Itoa(jump.Port), jump.HostKey, "[127.0.0.1]:"+strconv.Itoa(box.Port), box.HostKey)
	v.root = []string{"-F", "none", "-i", rootFile, "-p", strconv.Itoa(box.Port), "-o", "UserKnownHostsFile=" + known, "-o", "IdentityAgent=none", "root@127.0.0.1"}
	v.site = fmt.Sprintf(`
ssh {
  known_hosts    = %q
  identity_agent = "none"
}
host "jump" {
  address       = "127.0.0.1"
  port          = %d
  user          = "root"
  identity_file = %q
}
host "box" {
  address         = "127.0.0.1"
  port            = %d
  user            = "alice"
  jump            = ["jump"]
  identity_file   = "none"
  password        = %q
  become_method   = "su"
  become_password = %q
  vars            = %s
}
variable "token" {
  sensitive = true
  default   = %q
}
%s
variable "nap" { default = "0" }
variable "last" { default = "true" }
play "p" {
  hosts  = "box"
  become = true
%s
  command "nap" { argv = ["sleep", var.nap] }
  command "last" { argv = [var.last] }
}
`, known, jump.Port, lockedFile, box.Port, transporttest.AlicePassword, transporttest.RootPassword, v.hosted(), secretVariable, plantedVariables, planted)
	v.plant()
	v.write("site.hcl", v.site, 0o600)
	v.write("phrase", secretPhrase+"\n", 0o600)
	v.write("next", fmt.Sprintln(secretCode), 0o600)
	v.write("askpass", strings.ReplaceAll(askpassScript, "DIR", v.dir), 0o700)
	return v
}

func (v *vault) write(name, text string, mode fs.FileMode) {
	if err := os.WriteFile(filepath.Join(v.dir, name), []byte(text), mode); err != nil {
		v.t.Fatal(err)
	}
}

// launch starts labctl with a home of its own.
func (v *vault) launch(site string, args ...string) *process {
	args = append(append(args, v.giving()...), filepath.Join(v.dir, site))
	p := &process{t: v.t, cmd: exec.Command("labctl", args...)}
	v.mu.Lock()
	v.launched[strings.Join(append([]string{"labctl"}, args...), "\x00")+"\x00"] = true
	v.mu.Unlock()
	p.cmd.Env = v.environment()
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SSH_") && !strings.HasPrefix(e, "XDG_") {
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "HOME="+v.home, "TMPDIR="+v.tmp, "SSH_ASKPASS="+filepath.Join(v.dir, "askpass"), "SSH_ASKPASS_REQUIRE=force", "GOTRACEBACK=all",
		"LABCTL_PERSIST=on") // which ends with the directory of its socket
	return p.start()
}

// search reports secrets in what was found somewhere.
func (v *vault) search(where string, text []byte) {
	for _, s := range v.secrets {
		if bytes.Contains(text, []byte(s)) {
			v.mu.Lock()
			v.found[fmt.Sprintf("%q in %s", s, where)] = true
			v.mu.Unlock()
		}
	}
}

// watch looks at what all processes of this computer are called and have in their environment, until stop is called.
func (v *vault) watch() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
			dirs, _ := filepath.Glob("/proc/[0-9]*")
			for _, dir := range dirs {
				cmdline, _ := os.ReadFile(dir + "/cmdline")
				name := strings.ReplaceAll(strings.SplitN(string(cmdline), "\x00", 2)[0], "\n", " ")
				v.search("cmdline of "+name, cmdline)
				if v.holds(string(cmdline)) {
					continue
				}
				environ, _ := os.ReadFile(dir + "/environ")
				v.search("environ of "+name, environ)
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// leftovers searches what is left in files, here and in the box.
func (v *vault) leftovers() {
	for _, dir := range []string{v.home, v.tmp} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				text, _ := os.ReadFile(path)
				v.search(path, text)
			}
			return nil
		})
	}
	grep := exec.Command("ssh", append(v.root, "grep -rsF -f - /root /home /run /var/tmp /tmp/labctl* --exclude='keep-*' --exclude=.google_authenticator; ls -R /home/alice /root")...)
	grep.Stdin = strings.NewReader(strings.Join(v.secrets, "\n") + "\n")
	out, _ := grep.CombinedOutput()
	if !strings.Contains(string(out), "keep-all") {
		v.t.Errorf("the box cannot be searched: %s", out)
	}
	v.search("the box", out)
}

// TestSecretsStaySecret plants secrets and looks for them wherever a run leaves something.
func TestSecretsStaySecret(t *testing.T) {
	if !canSandbox(t) { // it takes root and mount namespaces, as those do
		return
	}
	t.Parallel()
	v := newVault(t)
	v.write("wrong.hcl", strings.Replace(v.site, strconv.Quote(transporttest.AlicePassword), strconv.Quote(secretWrong), 1), 0o600)
	v.write("wrong2.hcl", strings.Replace(v.site, strconv.Quote(transporttest.RootPassword), strconv.Quote(secretWrongToo), 1), 0o600)
	stop := v.watch()
	for _, run := range []struct {
		site string
		args []string
		code int
		say  string
	}{
		{"site.hcl", []string{"play", "--json"}, exitDone, `"changed"`},
		{"site.hcl", []string{"plan", "-vvvv", "--diff", "-out", filepath.Join(v.tmp, "saved.plan")}, exitDone, "Saved the plan"},
		{"site.hcl", []string{"play", "-vvvv", "--diff", "--profile", "--github", "--junit", filepath.Join(v.tmp, "junit.xml"), "-e", "last=false"}, exitFailed, "last"},
		{"wrong.hcl", []string{"play", "--json", "-vvvv"}, exitUnreachable, "keyboard-interactive"},
		{"wrong2.hcl", []string{"play", "-vvvv"}, exitUnreachable, "password"},
	} {
		p := v.launch(run.site, run.args...)
		if code := p.wait(30 * time.Second); code != run.code {
			t.Errorf("%v: exit code %d\n%s%s", run.args, code, p.out.String(), p.err.String())
		}
		if said := p.out.String() + p.err.String(); !strings.Contains(said, run.say) {
			t.Errorf("%v does not say %q:\n%s", run.args, run.say, said)
		}
		v.search(fmt.Sprintf("the output of %v", run.args), p.out.Bytes())
		v.search(fmt.Sprintf("the messages of %v", run.args), p.err.Bytes())
	}
	v.crash("labctl", func(labctl, _ int) int { return labctl })
	v.crash("the agent", func(_, agent int) int { return agent })
	stop()
	v.leftovers()
	for f := range v.found {
		t.Error("found ", f)
	}
}

// crash has a run end by a dump of all that the Go runtime tells of the goroutines of one of the two.
func (v *vault) crash(who string, which func(labctl, agent int) int) {
	v.naps++
	nap := fmt.Sprintf("%d.%d", 1_000_000+os.Getpid(), v.naps) // no other process sleeps as long
	p := v.launch("site.hcl", "play", "--no-persist", "-vvvv", "-e", "nap="+nap)
	sleeper, agent := 0, 0
	eventually(v.t, 20*time.Second, "the run", func() string {
		out, _ := exec.Command("pgrep", "-f", "^sleep "+nap).Output()
		sleeper, _ = strconv.Atoi(strings.TrimSpace(string(out)))
		if agent = parentOf(sleeper); agent > 1 {
			return ""
		}
		return "no command\n" + p.out.String() + p.err.String()
	})
	defer func() { _ = syscall.Kill(sleeper, syscall.SIGKILL) }() // which nobody does for an agent that has crashed
	if err := syscall.Kill(which(p.cmd.Process.Pid, agent), syscall.SIGQUIT); err != nil {
		v.t.Error(err)
	}
	p.wait(20 * time.Second)
	if said := p.out.String() + p.err.String(); !strings.Contains(said, "goroutine ") {
		v.t.Errorf("%s tells nothing of its end:\n%s", who, said)
	}
	v.search("the crash of "+who, p.out.Bytes())
	v.search("the crash of "+who, p.err.Bytes())
}

// parentOf reads the fourth field of proc_pid_stat(5); 0 if there is no such process.
func parentOf(pid int) int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	parent, _ := strconv.Atoi(strings.Fields(after + " 0 0")[1])
	return parent
}
