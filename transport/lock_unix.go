//go:build unix && !solaris && !aix

package transport

import (
	"os"
	"syscall"
)

// lockFile waits for the exclusive lock of f, which ends with f.
func lockFile(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			return err
		}
	}
}
