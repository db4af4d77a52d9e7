//go:build unix

package sshconfig

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// private checks that only the user and root can write a file. As on Debian, a group that has the user alone counts as the
// user.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if stat.Uid != 0 && int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to another user: chown it", path)
	}
	if mode := info.Mode().Perm(); mode&0o002 != 0 || mode&0o020 != 0 && !ownGroup(stat.Uid, stat.Gid) {
		return fmt.Errorf("%s may be written by others (mode %04o): chmod go-w %s", path, mode, path)
	}
	return nil
}

// ownGroup reports whether a group is that of one user alone: it has the user's name, is the user's own, and lists nobody.
func ownGroup(uid, gid uint32) bool {
	u, err := user.LookupId(strconv.Itoa(int(uid)))
	if err != nil || u.Gid != strconv.Itoa(int(gid)) {
		return false
	}
	data, _ := os.ReadFile("/etc/group")
	for entry := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(entry), ":")
		if len(f) == 4 && f[2] == u.Gid {
			return f[0] == u.Username && (f[3] == "" || f[3] == u.Username)
		}
	}
	return false
}
