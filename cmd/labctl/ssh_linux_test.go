package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"labctl/transport/transporttest"
)

// sshdSite is a site of one host, "box": a real sshd on this computer.
func sshdSite(t *testing.T) (site string) {
	t.Helper()
	site, _ = sshdAndSite(t)
	return site
}

func sshdAndSite(t *testing.T) (site string, sshd *transporttest.SSHD) {
	t.Helper()
	key, file := transporttest.NewKey(t)
	sshd = transporttest.NewSSHD(t, []ssh.PublicKey{key.PublicKey()})
	known := transporttest.KnownHosts(t, "[127.0.0.1]:"+strconv.Itoa(sshd.Port), sshd.HostKey)
	site = filepath.Join(t.TempDir(), "site.hcl")
	text := fmt.Sprintf("host \"box\" {\n  address = \"127.0.0.1\"\n  port = %d\n  user = \"root\"\n  identity_file = %q\n  identity_agent = \"none\"\n  known_hosts = %q\n}\n",
		sshd.Port, file, known)
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return site, sshd
}

// seat is a terminal with labctl running on it, and who sits there.
type seat struct {
	t           *testing.T
	cmd         *exec.Cmd
	master, tty *os.File
	before      *unix.Termios
	mu          sync.Mutex
	screen      bytes.Buffer
}

func sit(t *testing.T, rows, cols uint16, args ...string) *seat {
	t.Helper()
	return sitWith(t, os.Environ(), rows, cols, args...)
}

func sitWith(t *testing.T, env []string, rows, cols uint16, args ...string) *seat {
	t.Helper()
	s := &seat{t: t}
	s.master, s.tty = openPTY(t)
	s.resize(rows, cols)
	s.before = s.termios()
	s.cmd = exec.Command("labctl", args...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.tty, s.tty, s.tty
	s.cmd.Env = append(slices.Clone(env), "TERM=vt220", "PS1=", "CI=", "LABCTL_LIVE=") // what runs the tests may have no terminal
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := transporttest.Start(s.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := s.master.Read(buf)
			s.mu.Lock()
			s.screen.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func openPTY(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close(); master.Close() })
	return master, tty
}

func (s *seat) termios() *unix.Termios {
	s.t.Helper()
	termios, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return termios
}

func (s *seat) resize(rows, cols uint16) {
	s.t.Helper()
	if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *seat) typed(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// sees waits for a text that was not typed as it stands.
func (s *seat) sees(text string) {
	s.t.Helper()
	eventually(s.t, 20*time.Second, "the terminal lacks "+text, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if strings.Contains(s.screen.String(), text) {
			return ""
		}
		return "only: " + s.screen.String()
	})
}

// ends waits for the end of labctl, and for the terminal to be as it was.
func (s *seat) ends(code int) {
	s.t.Helper()
	done := make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		s.t.Fatalf("labctl does not end")
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
	if after := s.termios(); !reflect.DeepEqual(after, s.before) {
		s.t.Errorf("the terminal is left as\n%+v, it was\n%+v", after, s.before)
	}
}

func TestSSHOnATerminal(t *testing.T) {
	s := sit(t, 33, 101, "ssh", "-F", "none", "--site", sshdSite(t), "box")
	s.typed("stty size; echo term=$TERM; echo erase=$(stty -a | grep -o 'erase = ..')\r")
	s.sees("33 101")
	s.sees("term=vt220")
	s.sees("erase=erase = ^?")
	s.resize(40, 120)
	eventually(t, 10*time.Second, "the far side's size", func() string {
		s.typed("stty size\r")
		time.Sleep(50 * time.Millisecond)
		s.mu.Lock()
		defer s.mu.Unlock()
		if strings.Contains(s.screen.String(), "40 120") {
			return ""
		}
		return "only: " + s.screen.String()
	})
	s.typed("sh -c 'echo go=$((40+2)); exec sleep 60'\r") // what says so is what is to be interrupted, and not the shell before it
	s.sees("go=42")
	s.typed("\x03") // for the far side, not for labctl
	s.typed("\recho here=$((6*7))\r")
	s.sees("here=42")
	s.typed("exit 9\r")
	s.ends(9)
}

func TestSSHGivesTheTerminalBack(t *testing.T) {
	site := sshdSite(t)
	for name, leave := range map[string]func(s *seat){
		"escape": func(s *seat) { s.typed("\r~.") },
		"TERM":   func(s *seat) { _ = s.cmd.Process.Signal(syscall.SIGTERM) },
		"INT":    func(s *seat) { _ = s.cmd.Process.Signal(syscall.SIGINT) },
		"HUP":    func(s *seat) { _ = s.cmd.Process.Signal(syscall.SIGHUP) },
		"QUIT":   func(s *seat) { _ = s.cmd.Process.Signal(syscall.SIGQUIT) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sit(t, 24, 80, "ssh", "-F", "none", "--site", site, "box")
			s.typed("echo up=$((6*7))\r")
			s.sees("up=42")
			if reflect.DeepEqual(s.termios(), s.before) {
				t.Error("the terminal is not raw: what is typed does not get to the far side as it is")
			}
			leave(s)
			s.ends(exitSSH)
		})
	}
}

// A server that answers once its client has said its last, and one that hangs up first.
func TestProxyHalfClose(t *testing.T) {
	site := sshdSite(t)
	addr := transporttest.Serve(t, func(c net.Conn) {
		first := make([]byte, 1)
		if _, err := io.ReadFull(c, first); err != nil || first[0] == 'q' {
			return
		}
		sum := sha256.New()
		_, _ = io.Copy(sum, c)
		fmt.Fprintf(c, "%x", sum.Sum(nil))
	})
	said := bytes.Repeat([]byte("0123456789abcdef"), 40000)
	p := exec.Command("labctl", "proxy", "-F", "none", "--site", site, "-W", addr, "box")
	p.Stdin = bytes.NewReader(append([]byte("x"), said...))
	out, err := p.CombinedOutput()
	if want := fmt.Sprintf("%x", sha256.Sum256(said)); err != nil || string(out) != want {
		t.Errorf("came back %q, %v; want %s", out, err, want)
	}
	// The input stays open: that the far side has hung up must be enough.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	q := launchFrom(t, r, "proxy", "-F", "none", "--site", site, "-W", addr, "box")
	if _, err := w.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if code := q.wait(20 * time.Second); code != 0 {
		t.Errorf("exit code %d: %s", code, q.err.String())
	}
}
