//go:build unix && !solaris && !aix

package persist

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"labctl/transport"
)

// Verb is the hidden verb of labctl that is the server.
const Verb = "persist-server"

// Available says whether connections can be kept on this system.
const Available = true

// socket is where the server of this labctl in this environment listens. Another version, another ssh-agent and other
// namespaces have others.
func socket(dir string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(exe)
	if err != nil {
		return "", err
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	id := fmt.Sprintln(exe, info.Size(), info.ModTime().UnixNano(), st.Ino, os.Getenv("HOME"), os.Getenv("SSH_AUTH_SOCK"))
	for _, ns := range []string{"net", "mnt", "user"} {
		link, _ := os.Readlink("/proc/self/ns/" + ns)
		id += link
	}
	return filepath.Join(dir, fmt.Sprintf("%x.sock", sha256.Sum256([]byte(id)))[48:]), nil
}

// ensure returns the socket of a server, which it starts if there is none.
func ensure(dir string) (path string, started bool, err error) {
	if path, err = socket(dir); err != nil {
		return "", false, err
	}
	if reachable(path) {
		return path, false, nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", false, err
	}
	defer lock.Close()
	if err := take(lock); err != nil {
		return "", false, err
	}
	if reachable(path) { // another was faster
		return path, false, nil
	}
	sweep(dir)
	return path, true, start(path)
}

// take locks a file, and waits no longer than patience for somebody who has been stopped with it.
func take(lock *os.File) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
	}
}

// sweep removes the sockets of servers that were killed. The caller has the lock, so none is about to listen.
func sweep(dir string) {
	sockets, _ := filepath.Glob(filepath.Join(dir, "*.sock"))
	for _, s := range sockets {
		if c, err := net.DialTimeout("unix", s, 100*time.Millisecond); err == nil {
			_ = c.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(s)
		}
	}
}

func reachable(path string) bool {
	c, err := net.DialTimeout("unix", path, 200*time.Millisecond)
	if err == nil {
		_ = c.Close()
	}
	return err == nil || isBusy(err)
}

func isBusy(err error) bool { return errors.Is(err, syscall.EAGAIN) }

// passed are the variables that the server inherits: what ssh needs, and no more.
var passed = []string{"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "TMPDIR"}

// start listens, and hands the socket to a server that outlives this process. So it can be dialled at once.
func start(path string) error {
	_ = os.Remove(path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, Verb, path)
	cmd.Dir, cmd.ExtraFiles = "/", []*os.File{f}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(passed, name)
	})
	if err := cmd.Start(); err != nil {
		_ = os.Remove(path)
		return err
	}
	go cmd.Wait() //nolint:errcheck // it outlives this process, or it does not
	return nil
}

// Main is the server's process. agents are what machines with Relay are sent.
func Main(args []string, agents transport.Agents) int {
	if len(args) != 1 {
		return 1
	}
	harden()
	f := os.NewFile(3, "socket")
	l, err := net.FileListener(f)
	if err != nil {
		return 1
	}
	_ = f.Close()
	Serve(l, args[0], agents)
	return 0
}

// shed closes what labctl itself has inherited, but for the first four: a lock of flock(1), the end of a pipe that somebody
// waits for. Go opens all its own with FD_CLOEXEC, which what has come through an exec has not.
func shed() {
	names, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, n := range names {
		var fd uintptr
		if _, err := fmt.Sscan(n.Name(), &fd); err != nil || fd <= 3 {
			continue
		}
		if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = syscall.Close(int(fd))
		}
	}
}
