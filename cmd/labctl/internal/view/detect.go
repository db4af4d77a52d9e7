package view

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// Detect fills Options from the two streams and the environment, which getenv reads (os.Getenv). Out is a terminal only if
// it can move its cursor: TERM=dumb is none, nor is the pseudo-terminal of a CI system, which says so by CI. LABCTL_LIVE says
// otherwise, 0 for no terminal, 1 for one in spite of CI. Colour follows Ansible: FORCE_COLOR, CLICOLOR_FORCE or
// ANSIBLE_FORCE_COLOR win over NO_COLOR (no-color.org), CLICOLOR=0 (bixense.com/clicolors) and ANSIBLE_NOCOLOR, which win over
// what the terminal can do. COLUMNS wins over the terminal's width.
func Detect(out, err *os.File, getenv func(string) string) Options {
	kind := getenv("TERM")
	tty := isTerminal(out) && kind != "dumb" && kind != ""
	return Options{
		Out: out, Err: err,
		TTY:   tty && wantLive(getenv),
		Width: columns(out, getenv("COLUMNS")),
		Color: wantColor(tty, getenv),

		GitHub:    getenv("GITHUB_ACTIONS") == "true",
		Workspace: getenv("GITHUB_WORKSPACE"),
	}
}

func wantLive(getenv func(string) string) bool {
	if live := getenv("LABCTL_LIVE"); live != "" {
		return truthy(live)
	}
	return !isSet(getenv("CI"))
}

// isSet reads a variable that stands for true unless it says otherwise.
func isSet(s string) bool { return s != "" && s != "0" && !strings.EqualFold(s, "false") }

func wantColor(tty bool, getenv func(string) string) bool {
	switch {
	case isSet(getenv("FORCE_COLOR")), isSet(getenv("CLICOLOR_FORCE")), truthy(getenv("ANSIBLE_FORCE_COLOR")):
		return true
	case getenv("NO_COLOR") != "", getenv("CLICOLOR") == "0", truthy(getenv("ANSIBLE_NOCOLOR")):
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
