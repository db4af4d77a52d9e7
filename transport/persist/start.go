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

	"labctl/transport"
)

// Verb is the hidden verb of labctl that is the server.
const Verb = "persist-server"

// Available says whether connections can be kept on this system.
const Available = true

// maxPath is what a Unix socket's path may have on every system (sockaddr_un(5) on macOS: 104 with the NUL).
const maxPath = 103

// Dir returns the private directory of the sockets.
func Dir() (string, error) {
	var tried []string
	for _, d := range candidates() {
		switch err := private(d); {
		case len(d)+len("/0123456789abcdef.sock") > maxPath:
			tried = append(tried, d+": too long for a socket")
		case err == nil:
			return d, nil
		default:
			tried = append(tried, err.Error())
		}
	}
	return "", errors.New(strings.Join(tried, "; "))
}

func candidates() (out []string) {
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		out = append(out, filepath.Join(d, "labctl"))
	}
	if d, err := os.UserHomeDir(); err == nil && filepath.IsAbs(d) {
		out = append(out, filepath.Join(d, ".cache/labctl/run"))
	}
	return append(out, fmt.Sprintf("/tmp/labctl-%d", os.Getuid()))
}

// private makes a directory that nobody else can enter, or refuses one that somebody else could have made.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(st.Uid) != os.Getuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of this user alone (mode 0700)", dir)
	}
	return nil
}

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
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", false, err
	}
	if reachable(path) { // another was faster
		return path, false, nil
	}
	return path, true, start(path)
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

// Main is the server's process.
func Main(args []string) int {
	if len(args) != 1 {
		return 1
	}
	f := os.NewFile(3, "socket")
	l, err := net.FileListener(f)
	if err != nil {
		return 1
	}
	_ = f.Close()
	Serve(l, args[0])
	return 0
}

// keepable reports whether the server can make the connection: what depends on this process's environment it cannot, and what
// an OpenSSH master may keep already it need not.
func keepable(t *transport.Target) bool {
	for ; t != nil; t = t.Via {
		if t.Persist < 0 || t.ProxyCommand != "" || t.ControlPath != "" || t.Relay {
			return false
		}
	}
	return true
}

// absolute names files so that a process in another directory finds them.
func absolute(t *transport.Target) *transport.Target {
	if t == nil {
		return nil
	}
	own := *t
	own.Via = absolute(t.Via)
	for _, list := range []*[]string{&own.IdentityFiles, &own.KnownHosts, &own.CertificateFiles} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i] = absPath((*list)[i])
		}
	}
	own.RevokedHostKeys, own.ControlPath = absPath(own.RevokedHostKeys), absPath(own.ControlPath)
	if own.IdentityAgent != "none" && own.IdentityAgent != "SSH_AUTH_SOCK" {
		own.IdentityAgent = absPath(own.IdentityAgent)
	}
	return &own
}

func absPath(p string) string {
	if p == "" || p == "none" || p[0] == '~' || p[0] == '$' || filepath.IsAbs(p) {
		return p
	}
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}
