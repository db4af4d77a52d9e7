package sshconfig

import (
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// anyArguments lets everything pass.
func anyArguments(*line) error { return nil }

func text(l *line) error {
	_, err := l.one()
	return err
}

// oneOf checks for one of some words, in whatever case.
func oneOf(words ...string) func(*line) error {
	return func(l *line) error {
		arg, err := l.one()
		if err == nil && !slices.Contains(words, lowerASCII(arg)) {
			err = fmt.Errorf("%q is none of %s", arg, strings.Join(words, ", "))
		}
		return err
	}
}

var (
	flag       = oneOf("yes", "no", "true", "false")
	yesNoAsk   = oneOf("yes", "no", "true", "false", "ask")
	pubkeyAuth = oneOf("yes", "no", "true", "false", "unbound", "host-bound")
)

// isYes is the value of a flag that has passed its check.
func isYes(arg string) bool { return slices.Contains([]string{"yes", "true"}, lowerASCII(arg)) }

// command takes the rest of the line, quotes and # included.
func command(*line) error { return nil }

// commandText is that command.
func (l *line) commandText() string { return strings.TrimLeft(l.rest, whitespace+"=") }

// strtonum is the function of that name in OpenBSD's libc.
func strtonum(s string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimLeft(s, " \t\n\v\f\r"), 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a number from %d to %d", s, low, high)
	}
	return n, nil
}

func number(l *line) error {
	arg, err := l.one()
	if err == nil {
		_, err = strtonum(arg, 0, math.MaxInt32)
	}
	return err
}

func checkPort(l *line) error {
	arg, err := l.one()
	if err == nil {
		_, err = parsePort(arg)
	}
	return err
}

// parsePort reads a port or, as OpenSSH does, the name of a service.
func parsePort(s string) (int, error) {
	if n, err := strtonum(s, 1, math.MaxUint16); err == nil {
		return int(n), nil
	}
	if n, err := net.LookupPort("tcp", s); err == nil && s != "" && strings.Trim(s, "+-0123456789 \t") != "" {
		return n, nil
	}
	return 0, fmt.Errorf("port %q is neither a number from 1 to 65535 nor a service of /etc/services", s)
}

func interval(l *line) error {
	arg, err := l.one()
	if err == nil && arg != "none" {
		_, err = parseInterval(arg)
	}
	return err
}

var units = map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}

// parseInterval reads a time of sshd_config(5), TIME FORMATS: numbers with units, such as 1h30m; seconds may be fractions,
// which do not count.
func parseInterval(s string) (seconds int64, err error) {
	wrong := fmt.Errorf("%q is not a time such as 30 or 1m30s", s)
	total, seen := 0.0, false
	for rest := lowerASCII(s); ; {
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		digits := rest[:n]
		value, err := strconv.ParseFloat(digits, 64)
		if err != nil || n == 0 {
			return 0, wrong
		}
		unit := int64(1)
		if n < len(rest) {
			var known bool
			if unit, known = units[rest[n]]; !known {
				return 0, wrong
			}
		}
		if unit == 1 {
			if seen {
				return 0, wrong
			}
			seen = true
		}
		if strings.Contains(digits, ".") && (unit > 1 || digits[n-1] == '.') {
			return 0, wrong
		}
		if total += value * float64(unit); total > math.MaxInt32 {
			return 0, wrong
		}
		if n+1 >= len(rest) {
			return int64(total), nil
		}
		rest = rest[n+1:]
	}
}

func persist(l *line) error {
	arg, err := l.one()
	if err == nil && !slices.Contains([]string{"yes", "no", "true", "false"}, arg) {
		_, err = parseInterval(arg)
	}
	return err
}

// fileList takes several names; none stands alone.
func fileList(l *line) error {
	for i, arg := range l.args {
		switch {
		case arg == "":
			return errMissing
		case strings.EqualFold(arg, "none") && (i > 0 || len(l.args) > 1):
			return fmt.Errorf("none must stand alone")
		}
	}
	if len(l.args) > 32 { // SSH_MAX_HOSTS_FILES
		return fmt.Errorf("more than 32 names")
	}
	return nil
}

func checkAgent(l *line) error {
	arg, err := l.one()
	if err != nil {
		return err
	}
	return agentPath(arg)
}

func forwardAgent(l *line) error {
	if flag(l) == nil {
		return nil
	}
	return checkAgent(l)
}

// agentPath checks the path of a socket, whose variables must exist wherever the line stands.
func agentPath(arg string) error {
	if _, err := expandVariables(arg, os.LookupEnv); err != nil {
		return err
	}
	if name, ok := strings.CutPrefix(arg, "$"); ok && !strings.HasPrefix(name, "{") && !validEnvName(name) {
		return fmt.Errorf("%q is not the name of a variable", arg)
	}
	return nil
}

func validEnvName(s string) bool {
	return s != "" && strings.TrimFunc(s, func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}) == ""
}

func domains(l *line) error {
	if err := fileList(l); err != nil {
		return err
	}
	for _, arg := range l.args {
		if !validDomain(arg) {
			return fmt.Errorf("%q is not a domain", arg)
		}
	}
	return nil
}

// validDomain is valid_domain of misc.c: letters, digits, - and _ between dots.
func validDomain(s string) bool {
	if s == "" || strings.IndexByte(".-", s[0]) >= 0 || strings.Contains(s, "..") {
		return false
	}
	return strings.TrimFunc(s, func(r rune) bool {
		return r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}) == ""
}

func cnames(l *line) error {
	for i, arg := range l.args {
		switch _, target, ok := strings.Cut(arg, ":"); {
		case strings.EqualFold(arg, "none"):
			if i > 0 || len(l.args) > 1 {
				return fmt.Errorf("none must stand alone")
			}
		case arg != "*" && (!ok || target == ""):
			return fmt.Errorf("%q is not SOURCES:TARGETS", arg)
		}
	}
	return nil
}
