package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// A test that is cut off takes its servers along, and all that runs in its boxes: a command that minds nothing, and a sudo that
// asks for a password on a terminal.
func TestCutOff(t *testing.T) {
	needRoot(t, "sudo", "unshare")
	if os.Getenv("LABCTL_TEST_CUT_OFF") != "" {
		standStill(t)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCutOff$")
	cmd.Env = append(os.Environ(), "LABCTL_TEST_CUT_OFF=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := transporttest.Start(cmd); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for said.Scan() && said.Text() != "ready" {
		t.Log(said.Text())
	}
	all := below(cmd.Process.Pid)
	running := strings.Join(all, "\n")
	for _, want := range []string{"sshd: ", "sleep 1000", "sudo -p labctl:"} {
		if !strings.Contains(running, want) {
			t.Fatalf("no %q runs:\n%s", want, running)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var left []string
		for _, p := range all {
			if alive(p) {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left behind:\n%s\nof\n%s", strings.Join(left, "\n"), running)
		}
	}
}

// standStill is the test that is cut off.
func standStill(t *testing.T) {
	me := newLogin(t)
	transporttest.NewSSHD(t, me.keys())
	c := boxConn(t, "alice", sudoers(mayAll, "Defaults requiretty"))
	if _, err := c.Start(t.Context(), "trap '' HUP TERM; sleep 1000; sleep 1000"); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	ask := func(ctx context.Context, _ string) (string, error) {
		close(asked)
		<-ctx.Done()
		return "", ctx.Err()
	}
	go transport.StartAgent(t.Context(), c, newBins(t), transport.AgentOptions{Become: &transport.Become{User: "root", Password: ask}}) //nolint:errcheck // it never comes to an end
	<-asked
	fmt.Println("ready")
	select {}
}

// below lists the processes that have come from one, each as its number, when it started, and its command.
func below(pid int) (all []string) {
	parents := map[string][]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		if p := stat(filepath.Base(filepath.Dir(s))); p != nil {
			parents[p[1]] = append(parents[p[1]], p[0])
		}
	}
	var add func(string)
	add = func(pid string) {
		for _, child := range parents[pid] {
			if p := stat(child); p != nil {
				command, _ := os.ReadFile("/proc/" + child + "/cmdline")
				all = append(all, fmt.Sprintf("%s %s %s", p[0], p[2], strings.ReplaceAll(string(command), "\x00", " ")))
			}
			add(child)
		}
	}
	add(fmt.Sprint(pid))
	return all
}

// stat is a process's number, its parent's and when it started, nil if there is none or it has ended (proc_pid_stat(5)).
func stat(pid string) []string {
	b, _ := os.ReadFile("/proc/" + pid + "/stat")
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return nil
	}
	return []string{pid, f[1], f[19]}
}

func alive(process string) bool {
	f := strings.Fields(process)
	now := stat(f[0])
	return now != nil && now[2] == f[1]
}
