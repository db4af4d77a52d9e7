package prompt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labctl/transport"
)

// TestMain lets the test binary be the process that asks: a controlling terminal is a process's own.
func TestMain(m *testing.M) {
	if q := os.Getenv("TEST_QUESTIONS"); q != "" {
		os.Exit(askAll(q))
	}
	os.Exit(m.Run())
}

// askAll asks all questions at the same time, and prints the answers of each as a line "Hop: answers, error".
func askAll(questions string) int {
	var qs []transport.Question
	if err := json.Unmarshal([]byte(questions), &qs); err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 1)
	if os.Getenv("TEST_END_ON_TERM") != "" {
		signal.Notify(c, os.Interrupt)
	}
	go func() { <-c; cancel(errors.New("interrupted")) }()
	p := New(ctx, os.Getenv)
	p.Over(func() func() { fmt.Println("paused"); return func() { fmt.Println("resumed") } })
	var wg sync.WaitGroup
	for _, q := range qs {
		wg.Go(func() {
			answers, err := p.Ask(context.Background(), q)
			fmt.Printf("%s: %q, %v\n", q.Hop, answers, err)
		})
		time.Sleep(50 * time.Millisecond) // so that the order is known
	}
	wg.Wait()
	return 0
}

// Where a login goes on to its next method after Ctrl-C, the user is not asked anything more.
func TestNothingIsAskedAfterTheEnd(t *testing.T) {
	program, end := context.WithCancelCause(context.Background())
	cause := errors.New("interrupted")
	end(cause)
	p := New(program, func(name string) string {
		return map[string]string{"SSH_ASKPASS": "/bin/echo", "SSH_ASKPASS_REQUIRE": "force"}[name]
	})
	p.Over(func() func() { t.Error("something is asked"); return func() {} })
	for range 20 {
		if _, err := p.Ask(context.Background(), transport.Question{Hop: "a"}); !errors.Is(err, cause) {
			t.Fatalf("got %v", err)
		}
	}
}

// screen is a terminal and the process that asks on it.
type screen struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	out    bytes.Buffer // standard output, which is not the terminal
	mu     sync.Mutex
	shown  bytes.Buffer
	ended  chan error
}

func openScreen(t *testing.T, env []string, questions ...transport.Question) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s := &screen{t: t, master: master, ended: make(chan error, 1)}
	s.cmd = helper(t, env, questions)
	s.cmd.Stdin, s.cmd.Stdout = slave, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func helper(t *testing.T, env []string, questions []transport.Question) *exec.Cmd {
	t.Helper()
	q, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append([]string{"TEST_QUESTIONS=" + string(q), "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stderr = os.Stderr
	return cmd
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.shown.String(), "\r\n", "\n")
}

// see waits until text has appeared n times.
func (s *screen) see(text string, n int) {
	s.t.Helper()
	for range 500 {
		if strings.Count(s.text(), text) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("%q is not shown %d times in %q", text, n, s.text())
}

func (s *screen) typeText(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) echoes() bool {
	s.t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return mode.Lflag&unix.ECHO != 0
}

func (s *screen) end() string {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		s.t.Fatalf("the question has no end; shown: %q", s.text())
	}
	return s.out.String()
}

var password = transport.Question{Hop: "bastion", Title: "Password wanted", Text: "two\nlines\x1b[2J", Fields: []transport.Field{{Prompt: "Password: "}}}

func TestHiddenAnswer(t *testing.T) {
	s := openScreen(t, nil, password)
	s.see("Password: ", 1)
	if s.echoes() {
		t.Error("the terminal shows what is typed")
	}
	s.typeText("hunter2 \n")
	if out := s.end(); !strings.Contains(out, `bastion: ["hunter2 "], <nil>`) || !strings.HasPrefix(out, "paused\nresumed\n") {
		t.Errorf("answered %q", out)
	}
	s.see("Password: \n", 1)
	if want := "Password wanted\ntwo\nlines\\x1b[2J\nPassword: \n"; s.text() != want {
		t.Errorf("shown %q, want %q", s.text(), want)
	}
	if !s.echoes() {
		t.Error("the terminal stays silent")
	}
}

func TestOneQuestionAtATime(t *testing.T) {
	second := transport.Question{Hop: "two", Fields: []transport.Field{{Prompt: "Name: ", Echo: true}, {Prompt: "Code: "}}}
	s := openScreen(t, nil, password, second)
	s.see("Password: ", 1)
	time.Sleep(100 * time.Millisecond)
	if strings.Contains(s.text(), "Name: ") {
		t.Fatalf("both are shown at once: %q", s.text())
	}
	s.typeText("a\n")
	s.see("Name: ", 1)
	s.typeText("b\n")
	s.see("Code: ", 1)
	s.typeText("c\n")
	if out := s.end(); !strings.Contains(out, `bastion: ["a"], <nil>`) || !strings.Contains(out, `two: ["b" "c"], <nil>`) {
		t.Errorf("answered %q", out)
	}
	s.see("Name: b\nCode: \n", 1)
}

// What the user typed before there was a question is no answer to it.
func TestTypedAheadIsDropped(t *testing.T) {
	s := openScreen(t, nil, transport.Question{Hop: "one", Fields: []transport.Field{{Prompt: "Yes? ", Echo: true}}},
		transport.Question{Hop: "two", Fields: []transport.Field{{Prompt: "Sure? ", Echo: true}}})
	s.see("Yes? ", 1)
	s.typeText("yes\nno\n")
	s.see("Sure? ", 1)
	s.typeText("maybe\n")
	if out := s.end(); !strings.Contains(out, `two: ["maybe"]`) {
		t.Errorf("answered %q", out)
	}
}

func TestEndOfProgramEndsQuestion(t *testing.T) {
	s := openScreen(t, []string{"TEST_END_ON_TERM=1"}, password, password)
	s.see("Password: ", 1)
	s.typeText("\x03") // Ctrl-C
	if out := s.end(); strings.Count(out, "bastion: [], interrupted") != 2 {
		t.Errorf("answered %q", out)
	}
	if !s.echoes() {
		t.Error("the terminal stays silent")
	}
}

func TestEndOfFileIsNoAnswer(t *testing.T) {
	s := openScreen(t, nil, password)
	s.see("Password: ", 1)
	s.typeText("\x04")
	if out := s.end(); !strings.Contains(out, "bastion: [], no answer was given") {
		t.Errorf("answered %q", out)
	}
}

func TestStoppedQuestionIsAskedAgain(t *testing.T) {
	s := openScreen(t, nil, password)
	s.see("Password: ", 1)
	if err := s.cmd.Process.Signal(syscall.SIGTSTP); err != nil {
		t.Fatal(err)
	}
	for i := 0; !s.echoes(); i++ {
		if i == 300 {
			t.Fatal("the terminal stays silent while the process is stopped")
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.see("Password: ", 2)
	if s.echoes() {
		t.Error("the terminal shows what is typed")
	}
	s.typeText("x\n")
	if out := s.end(); !strings.Contains(out, `bastion: ["x"]`) {
		t.Errorf("answered %q", out)
	}
}

// askpassProgram writes a program that answers with its argument in brackets.
func askpassProgram(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "askpass")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAskpass(t *testing.T) {
	answer := askpassProgram(t, `echo "[$1]"; echo more`)
	refuse := askpassProgram(t, "exit 1")
	two := transport.Question{Hop: "h", Title: "T", Fields: []transport.Field{{Prompt: "A: "}, {Prompt: "B: "}}}
	for _, c := range []struct {
		name string
		env  []string
		tty  bool
		want string
	}{
		{"no terminal, a display", []string{"SSH_ASKPASS=" + answer, "DISPLAY=:0"}, false, `h: ["[T" "[B: ]"], <nil>`},
		{"forced", []string{"SSH_ASKPASS=" + answer, "SSH_ASKPASS_REQUIRE=force"}, true, `h: ["[T" "[B: ]"], <nil>`},
		{"preferred", []string{"SSH_ASKPASS=" + answer, "SSH_ASKPASS_REQUIRE=prefer", "WAYLAND_DISPLAY=w"}, true, `h: ["[T" "[B: ]"], <nil>`},
		{"given up", []string{"SSH_ASKPASS=" + refuse, "SSH_ASKPASS_REQUIRE=force"}, false, "h: [], no answer was given"},
		{"missing", []string{"SSH_ASKPASS=/nonexistent", "SSH_ASKPASS_REQUIRE=force"}, false, "ask by SSH_ASKPASS"},
		{"never", []string{"SSH_ASKPASS=" + answer, "DISPLAY=:0", "SSH_ASKPASS_REQUIRE=never"}, false, "there is no terminal to ask on"},
		{"no display", []string{"SSH_ASKPASS=" + answer}, false, "there is no terminal to ask on"},
		{"nothing", nil, false, "there is no terminal to ask on (open /dev/tty: no such device or address): run labctl on one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out string
			if c.tty {
				out = openScreen(t, c.env, two).end()
			} else {
				cmd := helper(t, c.env, []transport.Question{two})
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
				b, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				out = string(b)
			}
			if !strings.Contains(out, c.want) {
				t.Errorf("answered %q, want %q", out, c.want)
			}
		})
	}
}
