package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"labctl/inventory/source"
	"labctl/transport/sshconfig"
)

// runCommand runs a command for a source of the inventory. An error has what the command said on its standard error; what one says
// that goes well is shown. An interruption ends it; on a terminal it is told of that, too.
func (a *app) runCommand(ctx context.Context, c source.Command) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.ctx, func() { cancel(context.Cause(a.ctx)) })()
	name := strings.Join(c.Args, " ")
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...) //nolint:gosec // the user's own inventory names it
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second // then it is killed; and what it has started may hold its output open
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	said := strings.TrimSpace(stderr.String())
	switch {
	case errors.Is(context.Cause(ctx), errInterrupted):
		return nil, fmt.Errorf("run %s: %w", name, errInterrupted)
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("run %s: %w: %s is not in the PATH", name, source.ErrNoProgram, c.Args[0])
	case err != nil && said != "":
		return nil, fmt.Errorf("run %s: %w:\n%s", name, err, said)
	case err != nil:
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	for row := range strings.Lines(said) {
		fmt.Fprintf(a.err, "%s: %s\n", filepath.Base(c.Args[0]), strings.TrimRight(row, "\n"))
	}
	return stdout.Bytes(), nil
}

// sshHosts lists the hosts of an ssh_config for a source of the inventory.
func sshHosts(file string) ([]source.SSHHost, error) {
	config, err := sshconfig.Load(file)
	if err != nil {
		return nil, err
	}
	aliases, err := config.Aliases()
	if err != nil {
		return nil, err
	}
	out := make([]source.SSHHost, len(aliases))
	for i, h := range aliases {
		out[i] = source.SSHHost{Name: h.Name, Address: h.HostName, File: h.File, Line: h.Line}
	}
	return out, nil
}
