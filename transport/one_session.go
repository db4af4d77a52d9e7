package transport

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"
)

// lingering is how long a machine may go on counting a session that has ended here.
const lingering = 2 * time.Second

// NoSession reports whether err says that the machine opens no further session on a connection (MaxSessions in
// sshd_config(5)).
func NoSession(err error) bool {
	var refused *ssh.OpenChannelError
	return errors.As(err, &refused)
}

// InPlace opens a session by start in the place of one that has ended, where there may be but one at a time. sshd counts that
// until its command has ended and it has seen so (session_close_by_channel in its session.c), and a kept connection until the
// process that keeps it has: start is called again, less and less often, for about two seconds.
func InPlace[T any](ctx context.Context, start func() (T, error)) (T, error) {
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		out, err := start()
		if !NoSession(err) || pause > lingering || ctx.Err() != nil {
			return out, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}
