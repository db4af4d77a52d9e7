//go:build unix

package view

import (
	"os"
	"os/signal"
	"syscall"
)

// stops returns a channel that tells of Ctrl-Z, which then has no effect of its own. A shell without job control ignores it, and
// so does who inherits that.
func stops() (<-chan os.Signal, func()) {
	if signal.Ignored(syscall.SIGTSTP) {
		return nil, func() {}
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTSTP)
	return c, func() { signal.Stop(c) }
}

// stopNow stops the process until somebody has it go on.
func stopNow() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }
