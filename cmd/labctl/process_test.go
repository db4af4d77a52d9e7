package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/transport/transporttest"
)

// process is labctl in a process of its own, as it can be killed.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err bytes.Buffer
	ended    chan error
}

// launch starts labctl, which testscript.Main has put into the PATH.
func launch(t *testing.T, args ...string) *process { return launchTo(t, nil, args...) }

// launchTo starts labctl with another standard output.
func launchTo(t *testing.T, out io.Writer, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("labctl", args...)}
	p.cmd.Stdout = out
	return p.start()
}

// launchFrom starts labctl with another standard input.
func launchFrom(t *testing.T, in *os.File, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("labctl", args...)}
	p.cmd.Stdin = in
	return p.start()
}

func (p *process) start() *process {
	p.t.Helper()
	t := p.t
	p.cmd.Stderr, p.ended = &p.err, make(chan error, 1)
	if p.cmd.Stdout == nil {
		p.cmd.Stdout = &p.out
	}
	if err := transporttest.Start(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// wait returns the exit code, -1 for the end by a signal. If labctl has not ended by then, it is killed and the test fails.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.t.Fatalf("labctl has not ended within %s\n%s%s", limit, p.out.String(), p.err.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// writeSite makes a site of one file in a directory of its own, and returns that.
func writeSite(t *testing.T, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "site.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eventually waits until check returns "", at most for limit, and else fails with what it returned last.
func eventually(t *testing.T, limit time.Duration, what string, check func() string) {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		left := check()
		if left == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: after %s there is still\n%s", what, limit, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// running lists the processes of a sandbox's host whose command line matches pattern (pgrep -f).
func running(site, host, pattern string) string {
	out, _ := sandboxExec(site, host, "pgrep", "-a", "-f", pattern) // status 1: none
	return strings.TrimSpace(out)
}

// twoBehindAJump are the hosts of the tests below.
const twoBehindAJump = `ssh { user = "admin" }
host "jump" { address = "203.0.113.10" }
host "h1" {
  address = "10.0.0.11"
  jump    = ["jump"]
}
host "h2" {
  address = "10.0.0.12"
  jump    = ["jump"]
}
`

// anAgent matches the command lines of agents; the bracket keeps pgrep from finding who asks.
const anAgent = "labctl/[a]gent-|labctl-[0-9]*/[a]gent-"
