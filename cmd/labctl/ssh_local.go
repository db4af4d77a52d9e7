package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// localShell is ssh where the host is this machine and needs no SSH: the streams are those of labctl, terminal or not.
func (a *app) localShell(ctx context.Context, f *sshFlags, command string) error {
	shell := cmp.Or(os.Getenv("SHELL"), "/bin/sh")
	cmd := exec.CommandContext(ctx, shell, "-l")
	if command != "" {
		cmd = exec.CommandContext(ctx, shell, "-c", command)
	}
	cmd.Stdout, cmd.Stderr = a.out, a.err
	if !f.noInput {
		cmd.Stdin = a.in
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil, err != nil && !errors.As(err, &exit):
		return a.sshExit(ctx, -1, err)
	case exit != nil && exit.ExitCode() < 0:
		return exitError(exitSSH)
	case exit != nil:
		return exitError(exit.ExitCode())
	}
	return nil
}
