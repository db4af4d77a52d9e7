//go:build unix

package prompt

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"labctl/transport"
)

// devTTY is the terminal of the process, wherever its standard streams lead.
const devTTY = "/dev/tty"

func hasTerminal() error {
	f, err := os.OpenFile(devTTY, os.O_RDWR, 0)
	if err == nil {
		err = f.Close()
	}
	return err
}

// terminal asks on /dev/tty.
type terminal struct{}

func (terminal) ask(ctx context.Context, q transport.Question) ([]string, error) {
	// Not os.OpenFile, which would have the runtime poll it and read without end: see tty.line.
	fd, err := unix.Open(devTTY, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", devTTY, err)
	}
	defer unix.Close(fd)
	t := &tty{fd: fd}
	if err := t.show(head(q)); err != nil {
		return nil, err
	}
	answers := make([]string, len(q.Fields))
	for i, f := range q.Fields {
		if answers[i], err = t.field(ctx, f); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

type tty struct {
	fd    int
	saved *unix.Termios
}

// field asks for one answer. While it waits the terminal may not show what is typed, so whatever ends the wait puts it back
// to rights: an answer, the end of the program, or Ctrl-Z, after which the question is shown again.
func (t *tty) field(ctx context.Context, f transport.Field) (string, error) {
	jobs := make(chan os.Signal, 4)
	signal.Notify(jobs, syscall.SIGTSTP, syscall.SIGCONT)
	defer signal.Stop(jobs)
	if err := t.begin(f); err != nil {
		return "", err
	}
	answer, err := t.line(ctx, f, jobs)
	t.restore()
	if !f.Echo || err != nil { // nobody saw the newline
		_ = t.show("\n")
	}
	return answer, err
}

// begin has the terminal hand over whole lines, hidden if need be, drops what was typed before there was a question, and
// shows it.
func (t *tty) begin(f transport.Field) error {
	was, err := unix.IoctlGetTermios(t.fd, getTermios)
	if err != nil {
		return fmt.Errorf("ask terminal for its mode: %w", err)
	}
	if t.saved == nil {
		t.saved = was
	}
	mode := *was
	mode.Iflag |= unix.ICRNL
	mode.Lflag |= unix.ICANON | unix.ISIG | unix.ECHO
	if !f.Echo {
		mode.Lflag &^= unix.ECHO
	}
	if err := unix.IoctlSetTermios(t.fd, setTermiosFlush, &mode); err != nil {
		return fmt.Errorf("set mode of terminal: %w", err)
	}
	return t.show(f.Prompt)
}

func (t *tty) restore() {
	if t.saved != nil {
		_ = unix.IoctlSetTermios(t.fd, setTermiosFlush, t.saved)
		t.saved = nil
	}
}

// lookAround is how often, in milliseconds, a wait for the user looks whether it still makes sense. A read that blocks could
// not be called off, and would take the line that is meant for the next question.
const lookAround = 50

func (t *tty) line(ctx context.Context, f transport.Field, jobs <-chan os.Signal) (string, error) {
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case s := <-jobs:
			if err := t.job(s, f); err != nil {
				return "", err
			}
		default:
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, lookAround)
		switch {
		case err == unix.EINTR || err == nil && ready == 0:
		case err != nil:
			return "", fmt.Errorf("wait for terminal: %w", err)
		default:
			return t.read()
		}
	}
}

// job stops the process as Ctrl-Z wants it, the terminal in order, and asks again when it goes on.
func (t *tty) job(s os.Signal, f transport.Field) error {
	if s == syscall.SIGTSTP {
		t.restore()
		return unix.Kill(unix.Getpid(), unix.SIGSTOP)
	}
	return t.begin(f)
}

// read takes the line that is there.
func (t *tty) read() (string, error) {
	var line []byte
	buf := make([]byte, 4096) // a line that is longer is cut by the kernel (termios(3), canonical mode)
	for {
		n, err := unix.Read(t.fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return "", fmt.Errorf("read from terminal: %w", err)
		case n == 0 && len(line) == 0: // Ctrl-D, or it has hung up
			return "", errNoAnswer
		}
		line = append(line, buf[:n]...)
		if n == 0 || line[len(line)-1] == '\n' {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
	}
}

func (t *tty) show(text string) error {
	if _, err := io.WriteString(writer(t.fd), text); err != nil {
		return fmt.Errorf("write to terminal: %w", err)
	}
	return nil
}

type writer int

func (w writer) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n, err := unix.Write(int(w), p[done:])
		if err != nil && err != unix.EINTR {
			return done, err
		}
		done += max(n, 0)
	}
	return len(p), nil
}
