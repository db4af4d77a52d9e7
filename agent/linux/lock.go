package linux

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// waitLock takes a record lock (fcntl(2)), asking again until ctx ends: F_SETLKW cannot be interrupted.
func waitLock(ctx context.Context, fd int, l *unix.Flock_t) error {
	for {
		err := unix.FcntlFlock(uintptr(fd), unix.F_SETLK, l)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
