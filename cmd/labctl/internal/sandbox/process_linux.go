package sandbox

import (
	"bytes"
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
	if p.PID <= 0 {
		return false
	}
	start, state, err := procStat(p.PID)
	return err == nil && start == p.Start && state != 'Z' && state != 'X'
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

// kill ends p and waits until it is gone. It goes by a pidfd, so that a pid which is given to
// another process meanwhile is never hit.
func (p process) kill(timeout time.Duration) error {
	if !p.alive() {
		return nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil || !p.alive() {
		return ignore(err, unix.ESRCH)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return ignore(err, unix.ESRCH)
	}
	return p.wait(timeout)
}

// wait returns once p is gone.
func (p process) wait(timeout time.Duration) error {
	for end := time.Now().Add(timeout); p.alive(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("process %d does not end", p.PID)
		}
	}
	return nil
}

func ignore(err, harmless error) error {
	if err == harmless {
		return nil
	}
	return err
}
