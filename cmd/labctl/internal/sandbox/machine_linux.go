package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// running is a host whose PID 1 has been started.
type running struct {
	process
	child *os.Process
	spec  spec
	ns    *os.File // network namespace
	done  chan struct{}
}

// dead reports whether PID 1 has ended, be it still to be waited for.
func (r *running) dead() bool { return !r.alive() }

// stop ends every process of the host and returns when they are gone.
func (r *running) stop() {
	_ = r.child.Kill() // knows whether it was waited for, so it never hits another
	<-r.done
}

// spawner starts processes on one thread that lives as long as the supervisor: prctl(2) ties
// PR_SET_PDEATHSIG to the thread that forked.
type spawner chan func()

func newSpawner() spawner {
	s := make(spawner)
	go func() {
		runtime.LockOSThread()
		for fn := range s {
			fn()
		}
	}()
	return s
}

func (s spawner) start(cmd *exec.Cmd) error {
	result := make(chan error)
	s <- func() { result <- cmd.Start() }
	return <-result
}

// namespaces that a host has of its own.
const namespaces = unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// startHost starts a host and returns once its sshd listens; disk is that of a guest.
func startHost(ctx context.Context, spawn spawner, s spec, disk *os.File) (r *running, warnings []string, err error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"labctl", InitVerb, "host", s.Sandbox, s.Name}
	if s.Guest != "" {
		cmd.Args[2], cmd.ExtraFiles = "guest", []*os.File{disk}
	}
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := spawn.start(cmd); err != nil {
		return nil, nil, explainClone(err)
	}
	r = &running{process: named(cmd.Process.Pid), child: cmd.Process, spec: s, done: make(chan struct{})}
	answer := make(chan report, 1)
	go func() {
		answer <- converse(in, out, s)
		_ = cmd.Wait()
		close(r.done)
	}()
	select {
	case rep := <-answer:
		if rep.Error != "" {
			err = errors.New(rep.Error)
		}
		warnings = rep.Warnings
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		r.ns, err = os.Open(netnsPath(r.PID))
	}
	if err != nil {
		r.stop()
		return nil, nil, fmt.Errorf("start host %q: %w", s.Name, err)
	}
	return r, warnings, nil
}

// converse tells PID 1 what to be and hears how that went.
func converse(in io.WriteCloser, out io.Reader, s spec) (r report) {
	defer in.Close()
	if err := json.NewEncoder(in).Encode(s); err != nil {
		return report{Error: fmt.Sprintf("send spec: %v", err)}
	}
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		return report{Error: "its init ended before it was up; see the log of the sandbox"}
	}
	return r
}

func netnsPath(pid int) string { return fmt.Sprintf("/proc/%d/ns/net", pid) }

func explainClone(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("create namespaces: %w (in a container this needs --privileged)", err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("create namespaces: %w (raise /proc/sys/user/max_*_namespaces)", err)
	default:
		return fmt.Errorf("create namespaces: %w", err)
	}
}

// stopAll ends hosts side by side.
func stopAll(hosts []*running) {
	for _, r := range hosts {
		_ = r.child.Kill()
	}
	for _, r := range hosts {
		select {
		case <-r.done:
		case <-time.After(10 * time.Second):
		}
		r.ns.Close()
	}
}
