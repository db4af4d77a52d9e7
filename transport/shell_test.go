package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

func shell(t *testing.T, extra ...string) transport.Sheller {
	t.Helper()
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys(), extra...)
	return dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey)).(transport.Sheller)
}

func TestShellWithoutTerminal(t *testing.T) {
	c := shell(t, "AcceptEnv LABCTL_*")
	var out, errs bytes.Buffer
	status, err := c.Shell(t.Context(), transport.Session{
		Command: `echo "$LABCTL_A"; cat; echo aside >&2; test -t 0 || exit 7`, Env: []string{"LABCTL_A=b=c", "OTHER=x"},
		Stdin: strings.NewReader("in"), Stdout: &out, Stderr: &errs,
	})
	if status != 7 || err != nil || out.String() != "b=c\nin" || errs.String() != "aside\n" {
		t.Errorf("status %d, %v, %q, %q", status, err, out.String(), errs.String())
	}
	status, err = c.Shell(t.Context(), transport.Session{Command: "kill -9 $$"})
	var signal *transport.SignalError
	if status != -1 || !errors.As(err, &signal) || signal.Signal != "KILL" {
		t.Errorf("status %d, %v", status, err)
	}
	status, err = c.Shell(t.Context(), transport.Session{Stdin: strings.NewReader("exit 5\n")}) // the login shell
	if status != 5 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}

func TestShellOnATerminal(t *testing.T) {
	c := shell(t)
	resize := make(chan transport.Size, 1)
	stdin, typed := io.Pipe()
	screen, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		status, err := c.Shell(t.Context(), transport.Session{
			Command:  `trap 'stty size; exit 3' WINCH; echo $TERM; stty size; stty -a | tr ";" "\n" | grep -c -- -echo; while :; do sleep 0.01; done`,
			Terminal: &transport.Terminal{Type: "vt220", Size: transport.Size{Rows: 33, Cols: 101}, Modes: map[uint8]uint32{53: 0}, Resize: resize},
			Stdin:    stdin, Stdout: out,
		})
		if err == nil && status != 3 {
			err = errors.New("status is not 3")
		}
		_ = out.Close()
		ended <- err
	}()
	first := make([]byte, len("vt220\r\n33 101\r\n"))
	if _, err := io.ReadFull(screen, first); err != nil || string(first) != "vt220\r\n33 101\r\n" {
		t.Fatalf("%q, %v", first, err)
	}
	resize <- transport.Size{Rows: 50, Cols: 200}
	rest, err := io.ReadAll(screen)
	if err != nil || !strings.HasSuffix(string(rest), "50 200\r\n") || strings.HasPrefix(string(rest), "0\r\n") {
		t.Errorf("%q, %v", rest, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	_ = typed.Close()
}

func TestShellEndsWithItsContext(t *testing.T) {
	c := shell(t)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	begin := time.Now()
	_, err := c.Shell(ctx, transport.Session{Command: "sleep 5", Stdout: io.Discard})
	if !errors.Is(err, cause) || time.Since(begin) > 4*time.Second {
		t.Errorf("got %v after %s", err, time.Since(begin))
	}
}

// As with "| head": the reader goes away, and the command must not stand still for ever.
func TestShellWhoseOutputNobodyReads(t *testing.T) {
	c := shell(t)
	r, w := io.Pipe()
	_ = r.Close()
	if _, err := c.Shell(t.Context(), transport.Session{Command: "yes", Stdout: w}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestShellRefusedATerminal(t *testing.T) {
	c := shell(t, "PermitTTY no")
	_, err := c.Shell(t.Context(), transport.Session{Terminal: &transport.Terminal{Type: "xterm"}})
	if err == nil {
		t.Fatal("no error")
	}
	mention(t, err, "PermitTTY", "start shell on a")
}
