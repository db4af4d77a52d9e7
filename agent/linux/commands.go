package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

const (
	maxOutput = 1 << 20 // bytes kept of each of stdout and stderr
	// grace is the time between SIGTERM and SIGKILL, and how long output is awaited once the command itself has ended: one
	// that leaves a daemon behind which still holds the pipes would otherwise never be done.
	grace = 2 * time.Second
)

type commands struct{ h *Host }

// Commands runs processes of this machine.
func (h *Host) Commands() host.Commands { return commands{h} }

// Run starts e in a process group of its own. When ctx ends, the group gets SIGTERM, and SIGKILL two seconds later.
func (c commands) Run(ctx context.Context, e host.Exec) (host.ExecResult, error) {
	if len(e.Argv) == 0 {
		return host.ExecResult{}, fileError("run", "", syscall.EINVAL)
	}
	var stdout, stderr head
	cmd, err := command(ctx, e)
	if err != nil {
		return host.ExecResult{}, err
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	defer c.h.netfilterChanged() // it may have been iptables
	if err := c.start(ctx, cmd, e); err != nil {
		return host.ExecResult{}, err
	}
	err = cmd.Wait()
	res := host.ExecResult{Stdout: stdout.bytes(), Stderr: stderr.bytes(), Status: status(cmd.ProcessState)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what is left of the group
		return res, fmt.Errorf("run %s: %w", e.Argv[0], context.Cause(ctx))
	case err == nil, errors.As(err, &exit), errors.Is(err, exec.ErrWaitDelay):
		return res, nil
	}
	return res, fileError("run", e.Argv[0], err)
}

func (c commands) Check(ctx context.Context, e host.Exec) (host.ExecResult, error) {
	return c.Run(ctx, e)
}

func command(ctx context.Context, e host.Exec) (*exec.Cmd, error) {
	if e.Dir != "" {
		if info, err := os.Stat(e.Dir); err != nil {
			return nil, fileError("run in", e.Dir, err)
		} else if !info.IsDir() {
			return nil, fileError("run in", e.Dir, syscall.ENOTDIR)
		}
	}
	env := commandEnv(e.Env)
	path, err := lookPath(e.Argv[0], e.Dir, env)
	if err != nil {
		return nil, fileError("run", e.Argv[0], err)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args, cmd.Dir, cmd.Env = e.Argv, e.Dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = grace
	if e.Stdin != nil {
		cmd.Stdin = bytes.NewReader(e.Stdin)
	}
	cmd.Cancel = func() error {
		pid := cmd.Process.Pid
		time.AfterFunc(grace, func() { _ = unix.Kill(-pid, unix.SIGKILL) })
		return unix.Kill(-pid, unix.SIGTERM)
	}
	return cmd, nil
}

// start forks from a thread that is in the namespace, which the child inherits.
func (c commands) start(ctx context.Context, cmd *exec.Cmd, e host.Exec) error {
	start := func() error { return fileError("run", e.Argv[0], cmd.Start()) }
	if e.NetNS == "" {
		return start()
	}
	fd, err := c.h.netFD(ctx, e.NetNS)
	if err != nil {
		return err
	}
	return c.h.inNetNS(fd, start)
}

// netFD returns a descriptor of the namespace that ref names.
func (h *Host) netFD(ctx context.Context, ref string) (int, error) {
	n, err := h.Net(ctx, ref)
	if err != nil {
		return -1, err
	}
	return n.(*Net).fd, nil
}

// status is the exit status as a shell tells it.
func status(p *os.ProcessState) int {
	ws, ok := p.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}

// sbin is added to the PATH: that of a login over SSH often lacks the directories where ip(8) and iptables(8) are.
const sbin = "/usr/local/sbin:/usr/sbin:/sbin"

// commandEnv returns the agent's environment with extra over it.
func commandEnv(extra []string) []string {
	path := os.Getenv("PATH")
	for dir := range strings.SplitSeq(sbin, ":") {
		if !slices.Contains(filepath.SplitList(path), dir) {
			path = strings.TrimPrefix(path+":"+dir, ":")
		}
	}
	return append(append(os.Environ(), "PATH="+path), extra...)
}

// lookPath finds the executable name in the PATH of env, as execvp(3) does in that of the process.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) && dir != "" {
			return name, executable(filepath.Join(dir, name))
		}
		return name, executable(name)
	}
	path := ""
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	found := error(syscall.ENOENT)
	for _, d := range filepath.SplitList(path) {
		file := filepath.Join(d, name)
		err := executable(file)
		if err == nil && filepath.IsAbs(file) {
			return file, nil
		}
		if errors.Is(err, syscall.EACCES) {
			found = err
		}
	}
	return "", found
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return bare(err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return syscall.EACCES
	}
	return nil
}

// head keeps the first maxOutput bytes of what is written to it.
type head struct {
	kept    []byte
	dropped int64
}

func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), maxOutput-len(h.kept))
	h.kept = append(h.kept, p[:n]...)
	h.dropped += int64(len(p) - n)
	return len(p), nil
}

func (h *head) bytes() []byte {
	if h.dropped == 0 {
		return h.kept
	}
	return fmt.Appendf(h.kept, "\n[%d bytes more were cut off]\n", h.dropped)
}
