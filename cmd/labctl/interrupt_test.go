package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"labctl/runner"
)

const napping = twoBehindAJump + `
variable "nap" { default = "60" }
play "p" {
  hosts  = "h*"
  become = true
  copy "/root/before" { content = "x" }
  command "nap" { argv = ["sh", "-c", "sleep ${var.nap} & sleep ${var.nap}; wait"] }
  copy "/root/after" { content = "x" }
}`

// asleep waits until the command runs on both hosts.
func asleep(t *testing.T, dir string) {
	t.Helper()
	eventually(t, 20*time.Second, "start of the command", func() string {
		if running(dir, "h1", "[s]leep 60") == "" || running(dir, "h2", "[s]leep 60") == "" {
			return "no sleep on one of the hosts"
		}
		return ""
	})
}

// awake checks that nothing of a play is left on the hosts.
func awake(t *testing.T, dir string) {
	t.Helper()
	for _, h := range []string{"h1", "h2"} {
		eventually(t, 5*time.Second, "processes on "+h, func() string { return running(dir, h, "[s]leep 60|"+anAgent) })
	}
}

func TestInterruptedPlayTellsWhatIsDone(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	dir := writeSite(t, napping)
	bringUp(t, dir)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := launch(t, "play", "--sandbox", dir)
		asleep(t, dir)
		p.signal(s)
		if code := p.wait(10 * time.Second); code != exitInterrupted {
			t.Errorf("%v: exit code %d\n%s%s", s, code, p.out.String(), p.err.String())
		}
		for _, want := range []string{"Interrupted after", "  h1: ", "  h2: ", "not run: [copy : /root/after]", "the last was [copy : /root/before]; interrupted: [command : nap]"} {
			if !strings.Contains(p.out.String(), want) {
				t.Errorf("%v: %q is missing from\n%s", s, want, p.out.String())
			}
		}
		if strings.Contains(p.out.String(), "UNREACHABLE") {
			t.Errorf("%v: an interrupted host is called unreachable:\n%s", s, p.out.String())
		}
		awake(t, dir)
	}
	events(t, 0, "play", "--sandbox", "--json", "-e", "nap=0", dir)
	for _, e := range events(t, 0, "play", "--sandbox", "--json", "-e", "nap=0", dir) {
		if e.Kind == runner.TaskDone && e.Status == runner.Changed && e.Task.Module != "command" {
			t.Errorf("the second play changed %s: %+v", e.Task.Address, e.Diff)
		}
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	deaf := strings.Replace(napping, `"sleep ${var.nap} &`, `"trap : TERM INT; sleep ${var.nap} &`, 1)
	deaf = strings.Replace(deaf, "; wait", "; sleep ${var.nap}; wait", 1)
	dir := writeSite(t, deaf)
	bringUp(t, dir)
	p := launch(t, "play", "--sandbox", dir)
	asleep(t, dir)
	p.signal(syscall.SIGINT)
	time.Sleep(100 * time.Millisecond)
	start := time.Now()
	p.signal(syscall.SIGINT)
	if code := p.wait(10 * time.Second); code != exitInterrupted || time.Since(start) > time.Second {
		t.Errorf("exit code %d after %s\n%s%s", code, time.Since(start), p.out.String(), p.err.String())
	}
	awake(t, dir)
}

// A host whose sshd is stopped takes the connection and says nothing.
func TestInterruptWhileConnecting(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	dir := writeSite(t, napping)
	st := bringUp(t, dir)
	stopped := strings.Fields(inSandbox(t, dir, "h1", "pgrep", "-f", "sshd: .*listener"))
	inSandbox(t, dir, "h1", append([]string{"kill", "-STOP"}, stopped...)...)
	defer inSandbox(t, dir, "h1", append([]string{"kill", "-CONT"}, stopped...)...)
	p := launch(t, "play", "--sandbox", "--limit", "h1", dir)
	time.Sleep(time.Second)
	p.signal(syscall.SIGINT)
	if code := p.wait(5 * time.Second); code != exitInterrupted {
		t.Errorf("exit code %d\n%s%s", code, p.out.String(), p.err.String())
	}
	if out := p.out.String(); !strings.Contains(out, "h1: nothing was done") || strings.Contains(out, "UNREACHABLE") {
		t.Errorf("%s: it says\n%s", st.Name, out)
	}
}

// A run is not stopped because nobody reads any more, and its exit code is that of the play.
func TestClosedOutputDoesNotStopAPlay(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	dir := writeSite(t, napping)
	bringUp(t, dir)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	for _, args := range [][]string{{}, {"--json"}} {
		p := launchTo(t, w, append([]string{"play", "--sandbox", "-e", "nap=0", dir}, args...)...)
		if code := p.wait(20 * time.Second); code != 0 || p.err.Len() > 0 {
			t.Errorf("%q: exit code %d, %s", args, code, p.err.String())
		}
		inSandbox(t, dir, "h1", "rm", "/root/after") // which has been made in spite of it
	}
	w.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	p := launchTo(t, full, "play", "--sandbox", "-e", "nap=0", dir)
	if code := p.wait(20 * time.Second); code != exitUser || !strings.Contains(p.err.String(), "no space left on device") {
		t.Errorf("full disk: exit code %d, %s", code, p.err.String())
	}
	inSandbox(t, dir, "h1", "rm", "/root/after")
}
