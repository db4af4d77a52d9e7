package linux

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// SessionIP finds SSH_CONNECTION (sshd sets it: client address and port, server address and port) in the environment of this
// process or of one that started it: sudo does not pass it on.
func (h *Host) SessionIP() string {
	h.session.Do(func() {
		for pid := os.Getpid(); pid > 1; pid = parent(pid) {
			if c := sshConnection(pid); c != "" {
				h.sessionIP = c
				return
			}
		}
	})
	return h.sessionIP
}

func sshConnection(pid int) string {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "" // another user's process, or gone
	}
	for _, kv := range bytes.Split(env, []byte{0}) {
		if v, ok := strings.CutPrefix(string(kv), "SSH_CONNECTION="); ok {
			if f := strings.Fields(v); len(f) == 4 {
				return f[2]
			}
		}
	}
	return ""
}

// parent returns the process that started pid, 0 if that cannot be told (proc_pid_status(5)).
func parent(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "\nPPid:\t")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		return 0
	}
	return n
}
