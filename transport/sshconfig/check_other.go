package sshconfig

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// What follows checks keywords that labctl has no use for.

// forward checks the forms of parse_forward in readconf.c: ports, hosts and paths of sockets between colons.
func forward(l *line) error {
	if l.arg() == "" {
		return errMissing
	}
	spec, dynamic := l.args[0], l.key == "dynamicforward"
	used := 1
	if !dynamic {
		switch {
		case len(l.args) > 1 && l.args[1] != "":
			spec, used = spec+":"+l.args[1], 2
		case l.key == "remoteforward":
			dynamic = true
		default:
			return errors.New("the target is missing")
		}
	}
	if len(l.args) > used {
		return errExtra
	}
	spec, err := expandVariables(spec, os.LookupEnv)
	if err != nil {
		return err
	}
	if !validForward(strings.TrimLeft(spec, whitespace+"\v\f"), dynamic, l.key == "remoteforward") {
		return fmt.Errorf("%q is not a forwarding", spec)
	}
	return nil
}

func validForward(spec string, dynamic, remote bool) bool {
	fields, ok := forwardFields(spec)
	if !ok || dynamic && len(fields) > 2 {
		return false
	}
	path := func(i int) bool { return strings.Contains(fields[i], "/") }
	port := func(i int) bool {
		if n, err := strtonum(fields[i], 0, 0); err == nil && n == 0 {
			return remote && i < len(fields)-1
		}
		_, err := parsePort(fields[i])
		return err == nil
	}
	n := len(fields)
	switch {
	case n == 1:
		return dynamic && (path(0) || port(0) || remote && fields[0] == "0")
	case n == 2 && path(0) && path(1):
		return true
	case n == 2 && path(1):
		return port(0)
	case n == 2:
		return dynamic && (port(1) || remote && fields[1] == "0")
	case n == 3 && path(0):
		return port(2)
	case n == 3 && path(2):
		return port(1)
	case n == 3:
		return port(0) && port(2)
	}
	return n == 4 && port(1) && port(3)
}

// forwardFields splits at colons outside of brackets; a backslash keeps what follows it.
func forwardFields(s string) ([]string, bool) {
	var fields []string
	for s != "" && len(fields) < 5 {
		if s[0] == '[' {
			end := strings.IndexByte(s, ']')
			if end < 0 || end+1 < len(s) && s[end+1] != ':' {
				return nil, false
			}
			fields = append(fields, s[1:end])
			s = strings.TrimPrefix(s[end+1:], ":")
			continue
		}
		var b strings.Builder
		i := 0
		for ; i < len(s) && s[i] != ':'; i++ {
			if s[i] == '\\' {
				if i++; i == len(s) {
					return nil, false
				}
			}
			b.WriteByte(s[i])
		}
		fields = append(fields, b.String())
		s = s[min(i+1, len(s)):]
	}
	return fields, s == "" && len(fields) > 0
}

func remoteOpen(l *line) error {
	if len(l.args) == 0 {
		return errMissing
	}
	for _, arg := range l.args {
		if strings.EqualFold(arg, "none") || strings.EqualFold(arg, "any") {
			if len(l.args) > 1 {
				return fmt.Errorf("%s must stand alone", arg)
			}
			continue
		}
		_, port, ok := splitHostPort(arg)
		if _, err := parsePort(port); !ok || port != "*" && err != nil {
			return fmt.Errorf("%q is not HOST:PORT", arg)
		}
	}
	return nil
}

func escapeChar(l *line) error {
	arg, err := l.one()
	if err == nil && arg != "none" && len(arg) != 1 && !(len(arg) == 2 && arg[0] == '^' && arg[1] >= 64 && arg[1] < 128) {
		err = fmt.Errorf("%q is no escape character", arg)
	}
	return err
}

func rekeyLimit(l *line) error {
	switch {
	case l.arg() == "":
		return errMissing
	case len(l.args) > 2:
		return errExtra
	}
	if arg := l.args[0]; arg != "default" {
		n, err := scaled(arg)
		if err != nil {
			return err
		}
		if n != 0 && n < 16 {
			return fmt.Errorf("%q is too small", arg)
		}
	}
	if len(l.args) == 2 && l.args[1] != "none" {
		_, err := parseInterval(l.args[1])
		return err
	}
	return nil
}

// scaled reads a number with K, M and so on (fmt_scaled.c).
func scaled(s string) (float64, error) {
	trimmed := strings.TrimLeft(s, whitespace+"\v\f")
	digits := strings.TrimRight(trimmed, "bBkKmMgGtTpPeE")
	exponent := 1.0
	if rest := trimmed[len(digits):]; rest != "" {
		if len(rest) > 1 {
			return 0, fmt.Errorf("%q is not a size such as 1G", s)
		}
		for range strings.IndexByte("bkmgtpe", lowerASCII(rest)[0]) {
			exponent *= 1024
		}
	}
	if strings.Trim(digits, "+-.0123456789") != "" {
		return 0, fmt.Errorf("%q is not a size such as 1G", s)
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil && digits != "" {
		return 0, fmt.Errorf("%q is not a size such as 1G", s)
	}
	return n * exponent, nil
}

func sendEnv(l *line) error {
	for _, arg := range l.args {
		if arg == "" || strings.Contains(arg, "=") {
			return fmt.Errorf("%q is not the name of a variable", arg)
		}
	}
	return nil
}

func setEnv(l *line) error {
	for _, arg := range l.args {
		if !strings.Contains(arg, "=") {
			return fmt.Errorf("%q is not NAME=VALUE", arg)
		}
	}
	return nil
}

func tunnelDevice(l *line) error {
	arg, err := l.one()
	if err != nil {
		return err
	}
	local, remote, both := strings.Cut(arg, ":")
	for _, d := range []string{local, remote} {
		if _, err := strtonum(d, 0, 0x7fffffff-2); err != nil && !strings.EqualFold(d, "any") && (both || d != "") {
			return fmt.Errorf("%q is not LOCAL:REMOTE", arg)
		}
	}
	return nil
}

func ipQoS(l *line) error {
	classes := []string{"none", "ef", "le", "va", "lowdelay", "throughput", "reliability"}
	switch {
	case len(l.args) == 0:
		return errMissing
	case len(l.args) > 2:
		return errExtra
	}
	for _, arg := range l.args {
		a := lowerASCII(arg)
		af := len(a) == 4 && a[:2] == "af" && a[2] >= '1' && a[2] <= '4' && a[3] >= '1' && a[3] <= '3'
		cs := len(a) == 3 && a[:2] == "cs" && a[2] >= '0' && a[2] <= '7'
		if n, err := strconv.ParseInt(a, 0, 64); !af && !cs && !slices.Contains(classes, a) && (err != nil || n < 0 || n > 255) {
			return fmt.Errorf("%q is no class of service", arg)
		}
	}
	return nil
}

func mask(l *line) error {
	arg, err := l.one()
	if err != nil {
		return err
	}
	digits := len(arg) - len(strings.TrimLeft(arg, "01234567")) // strtol stops there, and nobody asks where
	if n, err := strconv.ParseUint(arg[:digits], 8, 32); err != nil || n > 0o777 {
		return fmt.Errorf("%q is not an octal mask", arg)
	}
	return nil
}

func keystrokeTiming(l *line) error {
	arg, err := l.one()
	if err != nil || slices.Contains([]string{"yes", "no", "true", "false"}, arg) {
		return err
	}
	ms, ok := strings.CutPrefix(arg, "interval:")
	if _, err := strtonum(ms, 1, 1000); !ok || err != nil {
		return fmt.Errorf("%q is none of yes, no, interval:MILLISECONDS", arg)
	}
	return nil
}

func channelTimeout(l *line) error {
	if len(l.args) == 0 {
		return errMissing
	}
	for _, arg := range l.args {
		if strings.EqualFold(arg, "none") && len(l.args) == 1 {
			continue
		}
		kind, wait, ok := strings.Cut(arg, "=")
		if _, err := parseInterval(wait); !ok || kind == "" || err != nil {
			return fmt.Errorf("%q is not TYPE=TIME", arg)
		}
	}
	return nil
}

func addKeys(l *line) error {
	words := []string{"yes", "no", "true", "false", "ask", "confirm"}
	arg := l.arg()
	switch {
	case arg == "":
		return errMissing
	case len(l.args) > 2:
		return errExtra
	case slices.Contains(words, lowerASCII(arg)) && len(l.args) == 1:
		return nil
	case len(l.args) == 1:
		_, err := parseInterval(arg)
		return err
	case strings.EqualFold(arg, "confirm"):
		_, err := parseInterval(l.args[1])
		return err
	}
	return fmt.Errorf("%q takes no time", arg)
}
