package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without a terminal, ssh ends at a signal with 255 and leaves the command to what sshd makes of the end of a connection: its
// input ends, and it lives on where it reads none. labctl ssh does the same.
func TestSSHWithoutATerminalEndsAsSSHDoes(t *testing.T) {
	t.Parallel()
	site := sshdSite(t)
	conf := filepath.Join(t.TempDir(), "ssh.conf")
	if out, err := exec.Command("labctl", "ssh-config", "-F", "none", "--site", site, "-o", conf).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, client := range [][]string{{"ssh", "-F", conf}, {"labctl", "ssh", "-F", "none", "--site", site}} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(client[0]+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				signalled(t, client, sig)
			})
		}
	}
}

func signalled(t *testing.T, client []string, sig syscall.Signal) {
	pids := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command(client[0], append(client[1:], "box", "sleep 60 <&- >&- 2>&- & echo $$ $! >"+pids+".new; mv "+pids+".new "+pids+"; exec cat")...)
	in, err := cmd.StdinPipe() // open for as long as the client may live
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reads, sleeps int
	wait(t, "the command does not run", func() bool {
		b, err := os.ReadFile(pids)
		n, _ := fmt.Sscan(string(b), &reads, &sleeps)
		return err == nil && n == 2
	})
	defer syscall.Kill(sleeps, syscall.SIGKILL) //nolint:errcheck // it may have ended
	_ = cmd.Process.Signal(sig)
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != exitSSH {
		t.Errorf("ended with %s", cmd.ProcessState)
	}
	wait(t, "what reads its input lives on", func() bool { return !lives(reads) })
	if !lives(sleeps) {
		t.Error("what reads no input has ended")
	}
}

func wait(t *testing.T, fault string, until func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !until(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(fault)
		}
	}
}

// lives reports whether there is that process, and not only its entry.
func lives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
