package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Exec runs a command as root in a host, in all its namespaces, and returns its exit code, 128 plus the
// signal if one ended it. The error says why nothing ran. Signals that come to this process meanwhile go on to the
// command; when ctx ends it gets SIGTERM, and SIGKILL two seconds later.
func Exec(ctx context.Context, dir, name, host string, o ExecOptions) (int, error) {
	s, err := Load(dir, name)
	if err != nil {
		return -1, err
	}
	h, err := s.Host(host)
	if err != nil {
		return -1, err
	}
	if os.Geteuid() != 0 {
		return -1, errNotRoot
	}
	if len(o.Argv) == 0 {
		o.Argv = []string{"/bin/bash", "-l"}
	}
	if err := closeInherited(); err != nil {
		return -1, err
	}
	if h.Kernel == KernelGuest {
		return execGuest(ctx, h, o)
	}
	code := -1
	// The thread stays in the host for ever, so it is one that dies with this call.
	err = onThread(func() error {
		if err := enterHost(process{h.InitPID, h.InitStart}); err != nil {
			return fmt.Errorf("enter host %q: %w", host, err)
		}
		code, err = runInside(ctx, o)
		return err
	})
	return code, err
}

// enterHost moves the calling thread into the namespaces of a process, and its children into the
// pid namespace too. The pidfd is taken before the start time is compared, so it is the right process.
func enterHost(p process) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil || !p.alive() {
		return errors.New("it is not running: bring the sandbox up again")
	}
	defer unix.Close(fd)
	// A thread that shares root and working directory with others may not change mount namespace: setns(2).
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return unix.Setns(fd, namespaces)
}

func runInside(ctx context.Context, o ExecOptions) (int, error) {
	// LookPath searches this computer's PATH, but in the host's file system.
	cmd := exec.CommandContext(ctx, o.Argv[0], o.Argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	cmd.Env = append([]string{"PATH=" + hostPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8",
		"TERM=" + cmp.Or(os.Getenv("TERM"), "dumb")}, o.Env...)
	cmd.Dir = cmp.Or(o.Dir, "/root")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	var tty *terminal
	if outer := bothTerminal(o); outer != nil {
		var err error
		if tty, err = openTerminal(outer); err != nil {
			return -1, err
		}
		defer tty.close()
		tty.attach(cmd)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return -1, err
	}
	defer forward(signals, cmd.Process)()
	if tty != nil {
		tty.start(o.Stdout)
	}
	return exitCode(cmd.Wait())
}

// forward passes signals on until stop is called. What is typed on a terminal in raw mode is no signal here.
func forward(signals <-chan os.Signal, to *os.Process) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case s := <-signals:
				_ = to.Signal(s)
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}

// bothTerminal is the terminal that a command is to run on, or nil.
func bothTerminal(o ExecOptions) *os.File {
	in, ok1 := o.Stdin.(*os.File)
	out, ok2 := o.Stdout.(*os.File)
	if !ok1 || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	return in
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
