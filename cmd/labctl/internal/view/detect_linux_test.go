package view

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDetectTerminal asks a real pseudo-terminal.
func TestDetectTerminal(t *testing.T) {
	tty := openTerminal(t, 57)
	for _, c := range []struct {
		term string
		want bool
	}{{"xterm", true}, {"dumb", false}, {"", false}} {
		o := Detect(tty, tty, func(k string) string {
			if k == "TERM" {
				return c.term
			}
			return ""
		})
		if o.TTY != c.want || o.Color != c.want || o.Width != 57 {
			t.Errorf("TERM=%q: %+v, want terminal %v of 57 columns", c.term, o, c.want)
		}
	}
}

// openTerminal returns the user's end of a new pseudo-terminal (pty(7)).
func openTerminal(t *testing.T, columns uint16) *os.File {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty
}
