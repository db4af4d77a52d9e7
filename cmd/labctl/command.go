package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"labctl/inventory/source"
)

// runCommand runs a command for a source of the inventory. An error has what the command said on its standard error.
func runCommand(ctx context.Context, c source.Command) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...) //nolint:gosec // the user's own inventory names it
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	cmd.WaitDelay = time.Second // what it has started may hold its output open
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		if said != "" {
			said = ":\n" + said
		}
		return nil, fmt.Errorf("run %s: %w%s", strings.Join(c.Args, " "), err, said)
	}
	return stdout.Bytes(), nil
}
