package transporttest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSHD is an OpenSSH server on 127.0.0.1.
type SSHD struct {
	Addr    string
	Port    int
	HostKey ssh.PublicKey
	PID     int
	Home    string // HOME of every session: the start-up files of this machine's user have no part in a test
	log     *lockedBuffer
}

// NewSSHD starts OpenSSH's sshd with a configuration of its own that lets in
// the given keys, and extra lines of sshd_config(5). It ends with the test. A
// test on a machine without sshd is skipped, or fails if LABCTL_TEST_KERNEL=1.
func NewSSHD(t testing.TB, authorized []ssh.PublicKey, extra ...string) *SSHD {
	t.Helper()
	home := t.TempDir()
	return newSSHD(t, authorized, launch{home: home}, append(slices.Clone(extra), "SetEnv HOME="+home, "Subsystem sftp internal-sftp"))
}

// launch says what an sshd is started in.
type launch struct {
	home string
	// setup is a shell script that prepares a mount namespace for it; $1 is the file of authorized keys. Empty: none.
	setup string
	wrap  []string // a command that runs the sshd
}

func newSSHD(t testing.TB, authorized []ssh.PublicKey, l launch, extra []string) *SSHD {
	t.Helper()
	binary, err := exec.LookPath("sshd")
	if err != nil {
		if binary = "/usr/sbin/sshd"; !exists(binary) {
			skip(t, "no sshd on this machine")
		}
	}
	if os.Getuid() == 0 { // where sshd keeps its unprivileged half
		_ = os.MkdirAll("/run/sshd", 0o755)
	}
	hostKey, keyFile := NewKey(t)
	dir := t.TempDir()
	var keys []byte
	for _, k := range authorized {
		keys = append(keys, ssh.MarshalAuthorizedKey(k)...)
	}
	keyList := filepath.Join(dir, "authorized_keys")
	write(t, keyList, keys)
	inBox := keyList
	if l.setup != "" {
		inBox = "/etc/box_keys"
	}
	for range 5 { // another may have taken the port meanwhile
		port := freePort(t)
		// The first of a keyword counts, and what follows Match counts for some.
		matched := max(slices.IndexFunc(append(slices.Clone(extra), "Match"), func(l string) bool { return strings.HasPrefix(l, "Match") }), 0)
		lines := slices.Concat([]string{fmt.Sprintf("ListenAddress 127.0.0.1:%d", port), "HostKey " + keyFile}, extra[:matched], []string{
			"PidFile none", "AuthorizedKeysFile " + inBox, "StrictModes no", "UsePAM no",
			"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes",
			"LogLevel VERBOSE", "UseDNS no",
		}, extra[matched:])
		conf := filepath.Join(dir, "sshd_config")
		write(t, conf, []byte(strings.Join(lines, "\n")+"\n"))
		s := &SSHD{Addr: fmt.Sprintf("127.0.0.1:%d", port), Port: port, HostKey: hostKey.PublicKey(), Home: l.home, log: &lockedBuffer{}}
		argv := append(slices.Clone(l.wrap), binary, "-D", "-e", "-f", conf)
		if l.setup != "" {
			argv = append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-ec", l.setup + "\nshift; exec \"$@\"", "box", keyList}, argv...)
		}
		if s.start(t, argv, l.setup != "") {
			return s
		}
	}
	t.Fatal("sshd does not start")
	return nil
}

// start starts the server; boxed says that it is the first process of a box, which ends with it.
func (s *SSHD) start(t testing.TB, argv []string, boxed bool) bool {
	cmd := exec.Command(argv[0], argv[1:]...)
	if boxed {
		enclose(cmd)
	}
	cmd.Stderr = s.log
	cmd.WaitDelay = time.Second // its children hold the log open
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	s.PID = cmd.Process.Pid
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	late := time.After(time.Minute)
	for {
		if strings.Contains(s.Log(), "Server listening on") {
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				select {
				case <-exited:
				case <-time.After(time.Minute):
					t.Errorf("sshd %s does not end: %s", s.Addr, where(s.PID))
				}
				if t.Failed() {
					t.Logf("sshd %s:\n%s", s.Addr, s.Log())
				}
			})
			return true
		}
		select {
		case <-exited:
			t.Logf("sshd: %s", s.Log())
			return false
		case <-late:
			t.Logf("sshd does not begin to listen: %s\n%s", where(s.PID), s.Log())
			_ = cmd.Process.Kill()
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// where says in which system call a process is, and what state it is in (proc_pid_stack(5), proc_pid_status(5)).
func where(pid int) string {
	var said []string
	for _, of := range []string{"cmdline", "status", "stack"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, of))
		if err != nil {
			text = []byte(err.Error())
		}
		said = append(said, strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " ")))
	}
	return strings.Join(said, "\n")
}

// Log is what sshd has said so far, at level VERBOSE.
func (s *SSHD) Log() string { return s.log.String() }

// Connections counts the connections that came so far.
func (s *SSHD) Connections() int { return strings.Count(s.Log(), "Connection from ") }

// freePort finds a port nobody listens on; probing it with a connection would
// count as a failed login at a real sshd.
func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
