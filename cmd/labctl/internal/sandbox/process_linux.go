package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// self names the calling process.
func self() process { return named(os.Getpid()) }

// named adds the start time to a pid; zero if there is no such process.
func named(pid int) process {
	start, _, err := procStat(pid)
	if err != nil {
		return process{}
	}
	return process{pid, start}
}

// alive reports whether the very same process still runs; a zombie does not.
func (p process) alive() bool {
	start, state, err := procStat(p.PID)
	return err == nil && p.PID > 0 && start == p.Start && state != 'Z' && state != 'X'
}

// procStat reads the start time and the state from /proc/PID/stat (proc_pid_stat(5)).
func procStat(pid int) (start uint64, state byte, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The command in parentheses may itself hold blanks and parentheses; what follows the last one
	// starts with field 3, so field 22 is index 19.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("malformed stat of process %d", pid)
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return start, fields[0][0], err
}

// kill ends p and waits until it is gone.
func (p process) kill(timeout time.Duration) error {
	return p.withFD(func(fd int) error {
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
			return ignore(err, unix.ESRCH)
		}
		return p.poll(fd, timeout)
	})
}

// wait returns once p is gone with everything that it held open.
func (p process) wait(timeout time.Duration) error {
	return p.withFD(func(fd int) error { return p.poll(fd, timeout) })
}

// withFD calls fn with a pidfd of p, if p is still there. The start time is compared after the pidfd
// is taken, so a process that has got the pid meanwhile is never hit.
func (p process) withFD(fn func(fd int) error) error {
	if p.PID <= 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return ignore(err, unix.ESRCH)
	}
	defer unix.Close(fd)
	if start, _, err := procStat(p.PID); err != nil || start != p.Start {
		return nil
	}
	return fn(fd)
}

// poll waits for the last thread: the first may be a zombie before the others have closed
// the files of the process.
func (p process) poll(fd int, timeout time.Duration) error {
	for end := time.Now().Add(timeout); ; {
		left := max(time.Until(end), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		switch {
		case n > 0:
			return nil
		case err != nil && err != unix.EINTR:
			return err
		case left == 0:
			return fmt.Errorf("process %d does not end", p.PID)
		}
	}
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
