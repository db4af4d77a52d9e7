package view

import (
	"os"
	"strconv"
	"strings"
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

// TestDetectEnvironment: CI has no use for a region that moves, and colours can be had and be had without.
func TestDetectEnvironment(t *testing.T) {
	tty := openTerminal(t, 80)
	for _, c := range []struct {
		env        string
		tty, color bool
	}{
		{"", true, true},
		{"CI=true", false, true},
		{"CI=false", true, true},
		{"CI=true LABCTL_LIVE=1", true, true},
		{"LABCTL_LIVE=0", false, true},
		{"LABCTL_LIVE=no", false, true},
		{"NO_COLOR=1", true, false},
		{"CLICOLOR=0", true, false},
		{"CLICOLOR=1", true, true},
		{"NO_COLOR=1 CLICOLOR_FORCE=1", true, true},
		{"NO_COLOR=1 CLICOLOR_FORCE=0", true, false},
	} {
		o := Detect(tty, tty, func(k string) string {
			for _, set := range strings.Fields("TERM=xterm " + c.env) {
				if name, value, _ := strings.Cut(set, "="); name == k {
					return value
				}
			}
			return ""
		})
		if o.TTY != c.tty || o.Color != c.color {
			t.Errorf("%s: terminal %v, colour %v, want %v and %v", c.env, o.TTY, o.Color, c.tty, c.color)
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
