package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/cmd/labctl/internal/screentest"
	"labctl/transport/transporttest"
)

// seen is what the terminal shows, as wide as it was at first and, from the byte that narrowed says, as it was made then.
func (s *seat) seen(t *testing.T, width, narrowed, narrow int) string {
	t.Helper()
	s.mu.Lock()
	text := s.screen.Bytes()
	s.mu.Unlock()
	var screen screentest.Screen
	screen.Resize(width)
	for at, b := range text {
		if at == narrowed && narrow > 0 {
			screen.Resize(narrow)
		}
		if _, err := screen.Write([]byte{b}); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
	}
	return screen.String()
}

func (s *seat) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.Len()
}

func (s *seat) state(want byte) {
	s.t.Helper()
	eventually(s.t, 10*time.Second, "state of labctl, wanted "+string(want), func() string {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
		if err != nil {
			return err.Error()
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if rest[0] == want {
			return ""
		}
		return rest[:1]
	})
}

// TestLiveRegion: on a terminal of 40 columns, which becomes narrower, through Ctrl-Z and the end of it, until Ctrl-C.
func TestLiveRegion(t *testing.T) {
	t.Parallel()
	dir := writeSite(t, `host "here" { connection = "local" }
play "p" {
  hosts = "here"
  command "short" { argv = ["true"] }
  command "a nap that has a name longer than any line" { argv = ["sleep", "60"] }
}`)
	s := sit(t, 24, 40, "play", dir)
	s.sees("1 of 1 host at work, 1 task d")
	before := s.seen(t, 40, 0, 0)
	for l := range strings.Lines(before) {
		if l = strings.TrimSuffix(l, "\n"); !strings.HasPrefix(l, "TASK") && len([]rune(l)) > 40 {
			t.Errorf("%q does not fit", l)
		}
	}
	s.resize(24, 25)
	narrowed := s.written()
	s.sees("…\x1b[0m") // the first line is cut

	s.typed("\x1a")
	s.state('T')
	eventually(t, 10*time.Second, "a screen without the region, stopped", func() string {
		if got := s.seen(t, 40, narrowed, 25); strings.Contains(got, "at work") || strings.Contains(got, "here  command") || strings.Contains(got, "at …") {
			return got
		}
		return ""
	})
	quiet := s.written()
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "region after fg", func() string {
		if s.written() > quiet {
			return ""
		}
		return "nothing is drawn"
	})

	s.typed("\x03")
	s.ends(exitInterrupted)
	s.sees("Interrupted after")
	s.sees("here: ")
	got := s.seen(t, 40, narrowed, 25)
	if !strings.Contains(got, "Interrupted after") || !strings.Contains(got, "changed: [here]") {
		t.Errorf("it shows\n%s", got)
	}
	for _, gone := range []string{"at work", "host at", "…"} {
		if strings.Contains(got, gone) {
			t.Errorf("at the end %q is left on the screen:\n%s", gone, got)
		}
	}
}

// TestStepOnATerminal: the region makes room for the question, and Ctrl-C at it ends the run.
func TestStepOnATerminal(t *testing.T) {
	t.Parallel()
	dir := writeSite(t, `host "here" { connection = "local" }
play "p" {
  hosts = "here"
  command "nap" { argv = ["sleep", "1"] }
  command "never" { argv = ["true"] }
}`)
	s := sit(t, 24, 80, "play", "--step", dir)
	s.sees("Perform task: command : nap (N)o/(y)es/(c)ontinue: ")
	s.typed("y\r")
	s.sees("1 of 1 host at work")
	s.sees("Perform task: command : never (N)o/(y)es/(c)ontinue: ")
	if got := s.seen(t, 80, 0, 0); strings.Contains(got, "at work") || !strings.Contains(got, "changed: [here]") {
		t.Errorf("under the question there is\n%s", got)
	}
	s.typed("\x03")
	s.ends(exitInterrupted)
	if got := s.seen(t, 80, 0, 0); strings.Contains(got, "TASK [command : never]") {
		t.Errorf("it goes on:\n%s", got)
	}
}

// TestLiveRegionGoesAtOnce: a second Ctrl-C ends labctl, whatever it waits for, and leaves a clean screen.
func TestLiveRegionGoesAtOnce(t *testing.T) {
	t.Parallel()
	dir := writeSite(t, `host "here" { connection = "local" }
play "p" {
  hosts = "here"
  command "deaf" { argv = ["sh", "-c", "trap : TERM INT; sleep 2; sleep 2; sleep 2"] }
}`)
	s := sit(t, 24, 80, "play", dir)
	s.sees("here  command : deaf")
	time.Sleep(500 * time.Millisecond) // for it to be deaf
	s.typed("\x03")
	s.sees("Interrupted: ")
	s.typed("\x03")
	s.ends(exitInterrupted)
	time.Sleep(50 * time.Millisecond) // for what was written to be read
	if got := s.seen(t, 80, 0, 0); strings.Contains(got, "at work") {
		t.Errorf("it leaves on the screen\n%s", got)
	}
}

// TestLiveRegionLeavesQuestionsAlone: while somebody is asked about a host key, nothing is drawn, though another host goes on.
func TestLiveRegionLeavesQuestionsAlone(t *testing.T) {
	t.Parallel()
	key, file := transporttest.NewKey(t)
	sshd := transporttest.NewSSHD(t, []ssh.PublicKey{key.PublicKey()})
	known := filepath.Join(t.TempDir(), "known_hosts")
	dir := writeSite(t, fmt.Sprintf(`host "here" { connection = "local" }
host "box" {
  address        = "127.0.0.1"
  port           = %d
  user           = "root"
  identity_file  = %q
  identity_agent = "none"
  known_hosts    = %q
}
play "p" {
  hosts = "all"
  command "nap" { argv = ["sleep", "1"] }
}`, sshd.Port, file, known))
	s := sit(t, 24, 80, "play", "-F", "none", dir)
	s.sees("(yes/no")
	asked := s.written()
	time.Sleep(700 * time.Millisecond)
	if now := s.written(); now != asked {
		t.Errorf("over the question was written %q", s.screen.Bytes()[asked:])
	}
	s.typed("yes\r")
	s.sees("at work")
	s.ends(exitDone)
	s.sees("ignored=0")
	got := s.seen(t, 80, 0, 0)
	if !strings.Contains(got, "changed: [box]") || strings.Contains(got, "at work") || !strings.Contains(got, ") yes\n") {
		t.Errorf("it shows\n%s", got)
	}
}
