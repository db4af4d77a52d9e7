package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// execLimit ends a command of Match exec that hangs. OpenSSH waits for ever; a run over many hosts must not.
const execLimit = time.Minute

// exec runs the command of a Match exec by the user's shell and reports whether it succeeded, once per command and
// configuration. It runs only what nobody but the user and root can have written.
func (r *resolver) exec(l *line, arg string) (bool, error) {
	command, err := r.expand(arg, tokensHost, false)
	if err != nil {
		return false, err
	}
	if l.num != 0 {
		if err := private(l.file); err != nil {
			return false, fmt.Errorf("does not run a command of a file that others may have written: %w", err)
		}
	}
	ctx := r.c.Context
	if ctx == nil {
		ctx = context.Background()
	}
	return r.c.shared.commands.run(ctx, command)
}

// commands remembers how commands ended.
type commands struct {
	mu    sync.Mutex
	known map[string]bool
}

func (c *commands) run(ctx context.Context, command string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok, done := c.known[command]; done {
		return ok, nil
	}
	ok, err := runShell(ctx, command)
	if err == nil {
		if c.known == nil {
			c.known = map[string]bool{}
		}
		c.known[command] = ok
	}
	return ok, err
}

func runShell(parent context.Context, command string) (bool, error) {
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	ctx, cancel := context.WithTimeout(parent, execLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "-c", command)
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case parent.Err() != nil:
		return false, fmt.Errorf("%q: %w", command, context.Cause(parent))
	case ctx.Err() != nil:
		return false, fmt.Errorf("%q did not end within %s", command, execLimit)
	case errors.As(err, &exit) && exit.Exited():
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%q: %w", command, err)
	}
	return true, nil
}

// sshVersion is what ssh -V calls itself, asked once; the release whose rules are followed here, where there is no ssh.
var sshVersion = sync.OnceValue(func() string {
	out, err := exec.Command("ssh", "-V").CombinedOutput()
	if release, _, ok := strings.Cut(string(out), ","); err == nil && ok && strings.HasPrefix(release, "OpenSSH_") {
		return release
	}
	return "OpenSSH_10.5p1"
})
