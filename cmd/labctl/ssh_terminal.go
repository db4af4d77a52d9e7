package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"labctl/transport"
)

// tty is the terminal that a person sits at, in raw mode until restore is called: what is typed is for the far side to
// interpret. It need not be one (ssh -tt); then there is nothing to restore.
type tty struct {
	fd      int
	modes   map[uint8]uint32
	restore func() // may be called often, from anywhere
	resize  chan transport.Size
}

func openTTY(in *os.File, isTerminal bool) (*tty, error) {
	t := &tty{fd: -1, restore: func() {}, resize: make(chan transport.Size, 1)}
	if in == nil || !isTerminal {
		return t, nil
	}
	t.fd = int(in.Fd())
	t.modes = terminalModes(t.fd)
	old, err := term.MakeRaw(t.fd)
	if err != nil {
		return nil, fmt.Errorf("set terminal to raw: %w", err)
	}
	t.restore = sync.OnceFunc(func() { _ = term.Restore(t.fd, old) })
	return t, nil
}

func (t *tty) describe() *transport.Terminal {
	return &transport.Terminal{Type: os.Getenv("TERM"), Size: t.size(), Modes: t.modes, Resize: t.resize}
}

func (t *tty) size() transport.Size {
	if t.fd < 0 {
		return transport.Size{}
	}
	cols, rows, err := term.GetSize(t.fd)
	if err != nil {
		return transport.Size{}
	}
	return transport.Size{Rows: rows, Cols: cols}
}

// guard watches the window, gives the terminal back as soon as ctx ends, however long that may still take, and ends the session
// with the signals that would leave the terminal raw. The function returned ends that.
func (t *tty) guard(ctx context.Context, end context.CancelCauseFunc) func() {
	stop := context.AfterFunc(ctx, t.restore)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGCONT)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case s := <-signals:
				t.signal(s, end)
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(done)
		watching.Wait()
		stop()
	}
}

func (t *tty) signal(s os.Signal, end context.CancelCauseFunc) {
	switch s {
	case syscall.SIGWINCH, syscall.SIGCONT: // stopped, it may have missed a change
		select { // only the last one counts
		case <-t.resize:
		default:
		}
		t.resize <- t.size()
	default:
		end(fmt.Errorf("ended by signal: %s", s))
	}
}

// terminalModes are the modes of a terminal by the numbers of RFC 4254, section 8, so that the far one is alike: which keys
// erase and interrupt, whether input is UTF-8. What is not in the list the server knows best.
func terminalModes(fd int) map[uint8]uint32 {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil
	}
	out := map[uint8]uint32{}
	for code, i := range map[uint8]int{
		1: unix.VINTR, 2: unix.VQUIT, 3: unix.VERASE, 4: unix.VKILL, 5: unix.VEOF, 8: unix.VSTART, 9: unix.VSTOP, 10: unix.VSUSP,
		12: unix.VREPRINT, 13: unix.VWERASE, 14: unix.VLNEXT,
	} {
		out[code] = uint32(t.Cc[i])
	}
	flag := func(word uint64, bits map[uint8]uint64) {
		for code, bit := range bits {
			out[code] = 0
			if word&bit != 0 {
				out[code] = 1
			}
		}
	}
	flag(uint64(t.Iflag), map[uint8]uint64{34: unix.INLCR, 35: unix.IGNCR, 36: unix.ICRNL, 38: unix.IXON, 39: unix.IXANY, 40: unix.IXOFF, 42: unix.IUTF8})
	flag(uint64(t.Lflag), map[uint8]uint64{50: unix.ISIG, 51: unix.ICANON, 53: unix.ECHO, 54: unix.ECHOE, 55: unix.ECHOK, 56: unix.ECHONL,
		59: unix.IEXTEN, 60: unix.ECHOCTL, 61: unix.ECHOKE})
	flag(uint64(t.Oflag), map[uint8]uint64{70: unix.OPOST, 72: unix.ONLCR, 73: unix.OCRNL})
	return out
}
