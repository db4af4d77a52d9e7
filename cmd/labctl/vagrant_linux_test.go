package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/reaptest"
)

// vagrantEnv makes a directory with the files of from in which vagrant runs on machines of the sandbox. Without Vagrant the test
// is skipped, or fails if LABCTL_TEST_KERNEL says so.
func vagrantEnv(t *testing.T, from string) (dir string, env []string) {
	t.Helper()
	_, err := exec.LookPath("vagrant")
	if !canSandbox(t) || err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") != "" {
			t.Fatal(err)
		}
		t.Skip("no Vagrant, or no namespaces for its machines")
	}
	dir = t.TempDir()
	home := t.TempDir()
	if err := reaptest.Register(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { downBelow(dir) })
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	plugin := fmt.Sprintf("require %q\n", abs(t, "testdata/vagrant/provider.rb"))
	if err := os.WriteFile(filepath.Join(home, "Vagrantfile"), []byte(plugin), 0o600); err != nil {
		t.Fatal(err)
	}
	// Vagrant asks for the version of Ansible, which takes as long as all the rest, and is told that there is none.
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/false", filepath.Join(bin, "ansible")); err != nil {
		t.Fatal(err)
	}
	return dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+home, "VAGRANT_HOME="+home, "VAGRANT_DEFAULT_PROVIDER=labctl", "VAGRANT_CHECKPOINT_DISABLE=1")
}

func vagrant(dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("vagrant", args...)
	cmd.Dir, cmd.Env = dir, env
	return cmd
}

// The lab's own Vagrantfile, of which nothing but the provider is changed.
func TestVagrantLab(t *testing.T) {
	t.Parallel()
	dir, env := vagrantEnv(t, "../../playbooks/labs/05-bridge")
	out, err := vagrant(dir, env, "up").CombinedOutput()
	if err != nil || !regexp.MustCompile(`boxB +: ok=\d+ +changed=5 +unreachable=0 +failed=0`).Match(out) {
		t.Fatalf("%v\n%s", err, out)
	}
	// Again, and interrupted: vagrant passes nothing on, the terminal sends the signal to both.
	site := filepath.Join(dir, "site.hcl")
	more := "\nplay \"on and on\" {\n  hosts = \"boxA\"\n  command \"sleep 987\" {}\n}\n"
	text, err := os.ReadFile(site)
	if err == nil {
		err = os.WriteFile(site, append(text, more...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := vagrant(dir, env, "provision", "boxC")
	var said bytes.Buffer
	p.Stdout, p.Stderr, p.SysProcAttr = &said, &said, &syscall.SysProcAttr{Setpgid: true}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "the command runs", func() string {
		if running(dir, "boxA", "[s]leep 987") != "" {
			return ""
		}
		return "nothing"
	})
	if err := syscall.Kill(-p.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 1 {
		t.Errorf("interrupted: %v, want exit status 1", err)
	}
	for _, want := range []string{`Interrupted: the hosts are asked to stop`, `boxB +: ok=\d+ +changed=0 +unreachable=0 +failed=0`, `Ansible failed to complete successfully`} {
		if !regexp.MustCompile(want).Match(said.Bytes()) {
			t.Errorf("interrupted: it says nothing of %q:\n%s", want, said.String())
		}
	}
	if left := running(dir, "boxA", "[s]leep 987|"+anAgent); left != "" {
		t.Errorf("left behind on boxA:\n%s", left)
	}
}

// recorderMain is what Vagrant starts in place of ansible-playbook: it prints how it was started.
func recorderMain() {
	r := recorded{Arguments: os.Args[1:], Inventory: map[string]string{}}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "ANSIBLE_") || strings.HasPrefix(e, "PYTHONUNBUFFERED=") {
			r.Env = append(r.Env, e)
		}
	}
	slices.Sort(r.Env)
	for _, a := range r.Arguments {
		if dir, ok := strings.CutPrefix(a, "--inventory-file="); ok {
			files, _ := filepath.Glob(dir + "/*")
			for _, f := range files {
				b, _ := os.ReadFile(f)
				r.Inventory[filepath.Base(f)] = string(b)
			}
		}
	}
	out, _ := json.Marshal(r)
	fmt.Printf("\nRECORDED %s\n", out)
}

// installInside makes the machine of a sandbox one that has labctl, and the directory of the Vagrantfile at /vagrant.
func installInside(t *testing.T, dir, host string) {
	t.Helper()
	if code, _, stderr := labctl(t, "sandbox", "up", dir); code != 0 {
		t.Fatal(stderr)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tar := exec.Command("tar", "-cf-", "--transform=s,.*labctl.test$,usr/local/bin/labctl-playbook,", "--transform=s,^[.],vagrant,", self, ".")
	tar.Dir = dir
	unpack := exec.Command("labctl", "sandbox", "exec", host, "--", "sh", "-c", "tar -xf- -C / && cd /usr/local/bin && ln -s labctl-playbook vagrant-recorder && ln -s /bin/false ansible")
	unpack.Dir = dir
	if unpack.Stdin, err = tar.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := tar.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := tar.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestVagrantRecorded has Vagrant run every option of its provisioners, and compares what it starts with the recordings, which
// UPDATE_SCRIPTS=1 renews.
func TestVagrantRecorded(t *testing.T) {
	t.Parallel()
	dir, env := vagrantEnv(t, "testdata/vagrant/options")
	installInside(t, dir, "web2")
	out, err := vagrant(dir, env, "up", "--no-color").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := readRecords(t, dir, string(out))
	// The last provisioner is labctl itself, in the machine.
	if told, err := sandboxExec(dir, "web2", "cat", "/tmp/web2"); err != nil || !strings.HasPrefix(told, "first vagrant ") {
		t.Errorf("labctl in the machine left %q, %v\n%s", told, err, out)
	}
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		b, _ := json.MarshalIndent(got, "", "  ")
		if err := os.WriteFile(recordings, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := loadRecords(t)
	if len(got) != len(want) {
		t.Fatalf("%d provisioners, recorded are %d: UPDATE_SCRIPTS=1 renews the recordings", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("Vagrant starts otherwise than recorded (UPDATE_SCRIPTS=1 renews it):\ngot  %+v\nwant %+v", got[i], want[i])
		}
	}
}

var (
	provisioner = regexp.MustCompile(`Running provisioner: (.+) \(ansible`)
	volatile    = regexp.MustCompile(`/[^' ]*/id_ed25519|ansible(_ssh)?_port=\d+`)
	hostLines   = regexp.MustCompile(`(?m)(^web\d.*\n)+`)
)

// readRecords finds the recordings in what Vagrant has printed, and makes them the same wherever they were made.
func readRecords(t *testing.T, dir, out string) (records []recorded) {
	t.Helper()
	name := ""
	for _, line := range strings.Split(out, "\n") {
		if m := provisioner.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		text, ok := strings.CutPrefix(line, "RECORDED ")
		if !ok {
			continue
		}
		text = strings.ReplaceAll(text, dir, "@ROOT@")
		text = volatile.ReplaceAllStringFunc(text, func(s string) string {
			if before, _, ok := strings.Cut(s, "="); ok {
				return before + "=@PORT@"
			}
			return "@KEY@"
		})
		var r recorded
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		r.Name = name
		for file, inventory := range r.Inventory { // the machines come in any order
			r.Inventory[file] = hostLines.ReplaceAllStringFunc(inventory, func(s string) string {
				lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
				slices.Sort(lines)
				return strings.Join(lines, "\n") + "\n"
			})
		}
		records = append(records, r)
	}
	return records
}
