//go:build unix && !solaris && !aix

package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxPath is what a Unix socket's path may have on every system (sockaddr_un(5) on macOS: 104 with the NUL).
const maxPath = 103

// Dir returns the private directory of the sockets, which it makes if need be.
func Dir() (string, error) {
	var tried []string
	for _, c := range candidates() {
		d := filepath.Join(c.parent, c.sub)
		if len(d)+len("/0123456789abcdef.sock") > maxPath {
			tried = append(tried, d+" is too long for a socket")
			continue
		}
		err := c.usable()
		if err == nil {
			err = private(d)
		}
		if err == nil {
			return d, nil
		}
		tried = append(tried, err.Error())
	}
	return "", errors.New(strings.Join(tried, "; "))
}

// candidate is a directory below one that exists.
type candidate struct {
	parent, sub string
	foreign     bool // the parent may be another's
}

func candidates() (out []candidate) {
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		out = append(out, candidate{parent: d, sub: "labctl"})
	}
	if d, err := os.UserHomeDir(); err == nil && filepath.IsAbs(d) {
		out = append(out, candidate{parent: d, sub: ".cache/labctl/run"})
	}
	return append(out, candidate{parent: "/tmp", sub: fmt.Sprintf("labctl-%d", os.Getuid()), foreign: true})
}

// usable keeps root, with the environment of another user (sudo -E), from leaving directories of its own there.
func (c candidate) usable() error {
	info, err := os.Stat(c.parent)
	if err != nil {
		return err
	}
	if !c.foreign && !owned(info) {
		return fmt.Errorf("%s belongs to another user", c.parent)
	}
	return nil
}

func owned(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
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
	if !info.IsDir() || !owned(info) || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of this user alone (mode 0700)", dir)
	}
	return nil
}
