package persist

import (
	"net"
	"os"
	"syscall"
)

// ours reports whether the user who runs this process is at the other end (unix(7), SO_PEERCRED).
func ours(c net.Conn) bool {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		ok = err == nil && int(cred.Uid) == os.Getuid()
	})
	return err == nil && ok
}
