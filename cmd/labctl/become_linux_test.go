package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"labctl/transport/transporttest"
)

// becomeSite is a site of two hosts, a and b, which are one machine, where alice logs in. args are arguments of host a.
func becomeSite(t *testing.T, setup, args, rest string, extra ...string) (dir string) {
	t.Helper()
	key, file := transporttest.NewKey(t)
	box := transporttest.NewBox(t, []ssh.PublicKey{key.PublicKey()}, setup, extra...)
	known := transporttest.KnownHosts(t, "[127.0.0.1]:"+strconv.Itoa(box.Port), box.HostKey)
	dir = t.TempDir()
	text := fmt.Sprintf(`ssh {
  user           = "alice"
  port           = %d
  identity_file  = %q
  identity_agent = "none"
  known_hosts    = %q
}
host "a" {
  address = "127.0.0.1"
  %s
}
host "b" { address = "127.0.0.1" }
%s`, box.Port, file, known, args, rest)
	put(t, filepath.Join(dir, "site.hcl"), text, 0o600)
	put(t, filepath.Join(dir, "alice"), transporttest.AlicePassword+"\n", 0o600)
	put(t, filepath.Join(dir, "root"), transporttest.RootPassword+"\n", 0o600)
	put(t, filepath.Join(dir, "wrong"), "open sesame\n", 0o600)
	put(t, filepath.Join(dir, "printer"), "#!/bin/sh\ncat "+dir+"/alice\n", 0o700)
	put(t, filepath.Join(dir, "asker"), "#!/bin/sh\necho \"$1\" >> "+dir+"/asked\ncat "+dir+"/alice\n", 0o700)
	return dir
}

func put(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// inSite runs labctl in a directory, with a program that answers questions. Words in upper case are for its environment.
func inSite(t *testing.T, dir string, words ...string) (said string, status int) {
	t.Helper()
	env := append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR=", "SSH_ASKPASS="+dir+"/asker", "SSH_ASKPASS_REQUIRE=force")
	for strings.HasPrefix(words[0], "LABCTL_") {
		env, words = append(env, words[0]), words[1:]
	}
	cmd := exec.Command("labctl", words...)
	cmd.Dir, cmd.Env = dir, env
	out, _ := cmd.CombinedOutput() // the status says it
	return string(out), cmd.ProcessState.ExitCode()
}

// The flags of Ansible, with sudo, doas and su as they are.
func TestBecomeFlags(t *testing.T) {
	t.Parallel()
	dir := becomeSite(t, becomeSetup, "", "")
	for _, test := range []struct {
		name, words string
		status      int
		want        string
	}{
		{"nobody", "run a command id", exitDone, "uid=2000(alice)"},
		{"no password", "run a command id -b", exitUnreachable, "a password is required"},
		{"and what to do", "run a command id -b", exitUnreachable, "-K (--ask-become-pass)"},
		{"file", "run a command id -b --become-password-file alice", exitDone, "uid=0(root)"},
		{"program", "run a command id -b --become-password-file ./printer", exitDone, "uid=0(root)"},
		{"another user", "run a command id --become-user bob --become-password-file alice", exitDone, "uid=2001(bob)"},
		{"doas", "run a command id -b --become-user nobody --become-method doas --become-password-file alice", exitDone, "uid=65534(nobody)"},
		{"su", "run a command id -b --become-method su --become-password-file root", exitDone, "uid=0(root)"},
		{"ping", "ping a -b -K", exitDone, "root"},
		{"facts", "facts a -K", exitDone, "root"},
		{"plan", "plan -b --become-password-file alice --site", exitUser, "unknown flag"},
		{"wrong", "run a command id -b --become-password-file wrong", exitUnreachable, "sudo refused the password to become root"},
		{"batch", "run a command id -b -K --batch", exitUser, "--batch forbids"},
		{"both", "run a command id -b -K --become-password-file alice", exitUser, "one too many"},
		{"no file", "run a command id -b --become-password-file none", exitUser, "no such file"},
		{"method", "run a command id -b --become-method pbrun", exitUser, "--become-method pbrun is not known: sudo, doas or su"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			said, status := inSite(t, dir, append(strings.Fields(test.words), "-vvv")...)
			if status != test.status || !strings.Contains(said, test.want) {
				t.Errorf("status %d, want %d; it lacks %q:\n%s", status, test.status, test.want, said)
			}
			for _, secret := range []string{transporttest.AlicePassword, transporttest.RootPassword, "open sesame"} {
				if strings.Contains(said, secret) {
					t.Errorf("it shows the password:\n%s", said)
				}
			}
		})
	}
}

const idOfAll = "play \"p\" {\n  hosts = \"all\"\n  command \"id\" {}\n}\n"

// One question for all hosts, once the site is known to be right; a password that is wrong is tried on one host alone.
func TestBecomeAsksOnce(t *testing.T) {
	t.Parallel()
	dir := becomeSite(t, becomeSetup, "", idOfAll)
	if said, status := inSite(t, dir, "play", "-b", "-K", "-v"); status != exitDone || strings.Count(said, "uid=0(root)") != 2 {
		t.Errorf("status %d:\n%s", status, said)
	}
	wasAsked(t, dir, "BECOME password: ")
	said, status := inSite(t, dir, "play", "-b", "--become-password-file", "wrong")
	if status != exitUnreachable || strings.Count(said, "sudo refused the password to become root") != 1 || strings.Count(said, " has refused it: ") != 1 {
		t.Errorf("status %d:\n%s", status, said)
	}
	if n := attempts(t, dir); n != 1 {
		t.Errorf("sudo has seen %d attempts", n)
	}
	put(t, filepath.Join(dir, "site.hcl"), "play \"p\" {\n  hosts = \"all\"\n  commando \"id\" {}\n}\n", 0o600)
	if said, status := inSite(t, dir, "play", "-b", "-K"); status != exitUser || !strings.Contains(said, "commando") {
		t.Errorf("status %d:\n%s", status, said)
	}
	wasAsked(t, dir) // nothing
}

// Who mistypes the password is asked again, three times in all, and no other host is troubled with the wrong ones.
func TestBecomeMistyped(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method string
		wrong  int
		status int
	}{{"sudo", 2, exitDone}, {"su", 2, exitDone}, {"sudo", 3, exitUnreachable}, {"su", 3, exitUnreachable}} {
		t.Run(fmt.Sprint(test.wrong, " times for ", test.method), func(t *testing.T) {
			t.Parallel()
			dir := becomeSite(t, becomeSetup, "", idOfAll)
			right := map[string]string{"sudo": "alice", "su": "root"}[test.method]
			put(t, filepath.Join(dir, "asker"), fmt.Sprintf("#!/bin/sh\necho \"$1\" >> %[1]s/asked\n[ $(wc -l < %[1]s/asked) -gt %[2]d ] && exec cat %[1]s/%[3]s\necho wrong\n", dir, test.wrong, right), 0o700)
			said, status := inSite(t, dir, "play", "-b", "-K", "-v", "--become-method", test.method)
			if status != test.status || status == exitDone && strings.Count(said, "uid=0(root)") != 2 {
				t.Errorf("status %d:\n%s", status, said)
			}
			asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
			lines := strings.Split(strings.TrimSuffix(string(asked), "\n"), "\n")
			if len(lines) != 3 || !strings.Contains(lines[1], " refused that. BECOME password: ") || lines[1] != lines[2] {
				t.Errorf("asked %q", lines)
			}
			if strings.Contains(said, transporttest.AlicePassword) || strings.Contains(said, transporttest.RootPassword) {
				t.Errorf("it shows the password:\n%s", said)
			}
		})
	}
}

// wasAsked checks what was asked since it did that last.
func wasAsked(t *testing.T, dir string, want ...string) {
	t.Helper()
	asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
	_ = os.Remove(filepath.Join(dir, "asked"))
	if got := strings.Split(string(asked), "\n"); !slices.Equal(got, append(want, "")) {
		t.Errorf("asked %q, want %q", got, want)
	}
}

// attempts counts the wrong passwords that sudo was given on host a.
func attempts(t *testing.T, dir string) int {
	t.Helper()
	log, _ := inSite(t, dir, "run", "a", "command", "cat /var/tmp/sudo.log", "-v")
	n := 0
	for _, m := range regexp.MustCompile(`(\d+) incorrect password attempt`).FindAllStringSubmatch(log, -1) {
		k, _ := strconv.Atoi(m[1])
		n += k
	}
	return n
}

// What the inventory says of a host goes before the command line.
func TestBecomeOfTheInventory(t *testing.T) {
	t.Parallel()
	said := fmt.Sprintf("become_method   = \"su\"\n  become_password = %q", transporttest.RootPassword)
	dir := becomeSite(t, becomeSetup, said, "play \"p\" {\n  hosts  = \"all\"\n  become = true\n  command \"id\" {}\n}\n")
	out, status := inSite(t, dir, "play", "-v", "--become-password-file", "alice", "--become-method", "doas")
	if status != exitDone || strings.Count(out, "uid=0(root)") != 2 {
		t.Errorf("status %d:\n%s", status, out)
	}
	if log, _ := inSite(t, dir, "run", "b", "command", "cat /var/tmp/sudo.log", "-v"); strings.Contains(log, "COMMAND") {
		t.Errorf("sudo has been used:\n%s", log)
	}
	for _, words := range [][]string{{"inventory", "explain", "a"}, {"inventory", "list", "--json"}} {
		if out, _ := inSite(t, dir, words...); strings.Contains(out, transporttest.RootPassword) {
			t.Errorf("%v shows the password:\n%s", words, out)
		}
	}
}

// Files go to whoever a task becomes, on a terminal or not, where there is neither sftp nor a second session.
func TestBecomeWithOneSession(t *testing.T) {
	t.Parallel()
	for name, how := range map[string][2]string{
		"sudo":                {"", "sudo"},
		"requiretty":          {"echo 'Defaults requiretty' >> /etc/sudoers", "sudo"},
		"requiretty, use_pty": {"echo 'Defaults requiretty,use_pty' >> /etc/sudoers", "sudo"},
		"doas":                {"", "doas"},
		"requiretty, kept":    {"echo 'Defaults requiretty' >> /etc/sudoers", "sudo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := becomeSite(t, becomeSetup+how[0], "", `
play "p" {
  hosts = "a"
  copy "/var/tmp/login" { src = "large" }
  copy "/root/large" {
    src    = "large"
    become = true
  }
  command "same" {
    shell  = "cmp /var/tmp/login /root/large"
    become = true
  }
  copy "/home/alice/again" { src = "large" }
}
`, "MaxSessions 1")
			put(t, filepath.Join(dir, "large"), strings.Repeat("a line\n\x00\x03\x04\x1a\xff", 100_000), 0o600)
			words := []string{"play", "-v", "--become-method", how[1], "--become-password-file", "alice"}
			if strings.HasSuffix(name, "kept") {
				words = append([]string{"LABCTL_PERSIST=on"}, words...)
			}
			if said, status := inSite(t, dir, words...); status != exitDone || !strings.Contains(said, "changed=4") {
				t.Errorf("status %d:\n%s", status, said)
			}
			if said, status := inSite(t, dir, words...); status != exitDone || !strings.Contains(said, "changed=1 ") {
				t.Errorf("again: status %d:\n%s", status, said)
			}
		})
	}
}

// On this machine, without SSH: sudo has its own way to a password, and its own terminal where it wants one.
func TestBecomeLocal(t *testing.T) {
	t.Parallel()
	for _, defaults := range []string{"env_reset", "requiretty", "requiretty,use_pty"} {
		t.Run(defaults, func(t *testing.T) {
			t.Parallel()
			self, err := exec.LookPath("labctl")
			if err != nil {
				t.Fatal(err)
			}
			setup := fmt.Sprintf("%s\necho 'Defaults %s' >> /etc/sudoers\ninstall -m 755 %s /home/alice/labctl\n", becomeSetup, defaults, self)
			dir := becomeSite(t, setup, "", "")
			put(t, filepath.Join(dir, "script"), `cd /tmp && cat > ~/pw && for way in "-b" "-b" "--become-user bob" "-b --become-method doas"; do
timeout 10 ~/labctl run localhost command id $way --become-password-file ~/pw -v; done; pgrep -a agent-; true`, 0o600)
			site := []string{"ssh", "--site", dir, "-F", "none", "a", "--", "sh", "-c"}
			script, _ := os.ReadFile(filepath.Join(dir, "script"))
			cmd := exec.Command("labctl", append(site, "'"+string(script)+"'")...)
			cmd.Stdin = strings.NewReader(transporttest.AlicePassword)
			out, err := cmd.CombinedOutput()
			said := string(out)
			if err != nil || strings.Count(said, "uid=0(root)") != 3 || strings.Count(said, "uid=2001(bob)") != 1 || strings.Contains(said, "/agent-") {
				t.Errorf("%v:\n%s", err, said)
			}
		})
	}
}
