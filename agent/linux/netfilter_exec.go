package linux

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// run runs a tool in the namespace. A process is born in the namespace of the thread that makes it.
func (n *Net) run(ctx context.Context, path, stdin string, args ...string) (out string, err error) {
	err = n.h.inNetNS(n.fd, func() error {
		out, err = runTool(ctx, path, stdin, args...)
		return err
	})
	return out, err
}

// inFreshNetNS runs fn on a thread in a namespace of its own, which is gone afterwards.
func inFreshNetNS(fn func() error) error {
	return onThrowAwayThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a scratch netns: %w", os.NewSyscallError("unshare", err))
		}
		return fn()
	})
}

// toolError is a tool that ended with another status than 0. Any status is an error, 4 (the lock, or a refusal of the
// kernel) no less than 1: it never means that something is absent.
type toolError struct {
	name   string
	status int
	stderr string
}

func (e *toolError) Error() string {
	if m := toolMessage(e.stderr); m != "" {
		return m
	}
	return fmt.Sprintf("%s ended with status %d", e.name, e.status)
}

func runTool(ctx context.Context, path, stdin string, args ...string) (string, error) {
	out, _, err := runToolLog(ctx, path, stdin, args...)
	return out, err
}

// runToolLog returns what the tool wrote to stderr, too.
func runToolLog(ctx context.Context, path, stdin string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = commandEnv([]string{"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "APT_LISTCHANGES_FRONTEND=none"})
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	err = cmd.Run()
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		te := &toolError{name: filepath.Base(path), status: ee.ExitCode(), stderr: cmp.Or(errs.String(), out.String())} // scripts in /etc/init.d say what is wrong on stdout
		if os.Geteuid() != 0 {
			return "", "", &host.Error{Op: "run " + te.name, Kind: host.ErrPermission, Err: te}
		}
		return "", "", te
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) { // a daemon that it has started may hold its output
		return "", "", fmt.Errorf("run %s: %w", filepath.Base(path), err)
	}
	return out.String(), errs.String(), nil
}

// toolMessage boils what iptables-restore prints on errors down to what went wrong.
func toolMessage(stderr string) string {
	var out []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, "): "); i >= 0 && strings.HasPrefix(line, "ip") {
			line = line[i+3:] // "iptables-nft-restore v1.8.9 (nf_tables): "
		}
		if line == "" || strings.HasPrefix(line, "Try `") || strings.HasPrefix(line, "Error occurred at line") || strings.HasPrefix(line, "# Warning") || strings.HasSuffix(line, "(nf_tables):") {
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "; ")
}
