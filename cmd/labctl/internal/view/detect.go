package view

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// Detect fills Options from the two streams and the environment, which getenv reads (os.Getenv). Out is a terminal only if
// it can move its cursor: TERM=dumb is none. Colour follows Ansible: FORCE_COLOR or ANSIBLE_FORCE_COLOR win over NO_COLOR
// (no-color.org) and ANSIBLE_NOCOLOR, which win over what the terminal can do. COLUMNS wins over the terminal's width.
func Detect(out, err *os.File, getenv func(string) string) Options {
	kind := getenv("TERM")
	tty := isTerminal(out) && kind != "dumb" && kind != ""
	return Options{
		Out: out, Err: err,
		TTY:   tty,
		Width: columns(out, getenv("COLUMNS")),
		Color: wantColor(tty, getenv),
	}
}

func wantColor(tty bool, getenv func(string) string) bool {
	force := getenv("FORCE_COLOR")
	switch {
	case force != "" && force != "0" && !strings.EqualFold(force, "false"), truthy(getenv("ANSIBLE_FORCE_COLOR")):
		return true
	case getenv("NO_COLOR") != "", truthy(getenv("ANSIBLE_NOCOLOR")):
		return false
	}
	return tty
}

// truthy reads a boolean as Ansible's configuration does.
func truthy(s string) bool {
	switch strings.ToLower(s) {
	case "1", "y", "yes", "t", "true", "on":
		return true
	}
	return false
}

func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }

// columns returns the width to print in. What is not a terminal gets Ansible's 80.
func columns(f *os.File, env string) int {
	if n, err := strconv.Atoi(env); err == nil && n > 0 {
		return n
	}
	if f != nil {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}
