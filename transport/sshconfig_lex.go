package transport

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// configDepth bounds Include, as in OpenSSH (readconf.c, READCONF_MAX_DEPTH).
const configDepth = 16

// configLine is one setting of an ssh_config file.
type configLine struct {
	file  string
	line  int
	key   string // lower case
	args  []string
	inner []configLine // of Include: the lines of the files
}

func (l configLine) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{l.file, l.line}, args...)...)
}

// readConfig reads an ssh_config file and all it includes. A file that does
// not exist is empty if optional.
func readConfig(path string, depth int, optional bool) ([]configLine, error) {
	if depth > configDepth {
		return nil, fmt.Errorf("read %s: more than %d files include each other", path, configDepth)
	}
	data, err := os.ReadFile(path)
	if optional && errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ssh config: %w", err)
	}
	var lines []configLine
	n := 0
	for text := range strings.Lines(string(data)) {
		n++
		l := configLine{file: path, line: n}
		if l.key, l.args, err = splitConfigLine(strings.TrimRight(text, "\r\n")); err != nil {
			return nil, l.errorf("%w", err)
		}
		if l.key == "" {
			continue
		}
		if l.key == "include" {
			if l.inner, err = l.include(depth); err != nil {
				return nil, err
			}
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// include reads the files an Include line names: relative ones are beside the
// user's configuration, or the system's if the line stands in that.
func (l configLine) include(depth int) ([]configLine, error) {
	if len(l.args) == 0 {
		return nil, l.errorf("Include without a file name")
	}
	var all []configLine
	for _, pattern := range l.args {
		pattern = expandHome(pattern)
		if !filepath.IsAbs(pattern) {
			base := expandHome("~/.ssh")
			if strings.HasPrefix(l.file, "/etc/ssh/") {
				base = "/etc/ssh"
			}
			pattern = filepath.Join(base, pattern)
		}
		names, err := filepath.Glob(pattern)
		if err != nil {
			return nil, l.errorf("Include %q: %w", pattern, err)
		}
		slices.Sort(names)
		for _, name := range names {
			lines, err := readConfig(name, depth+1, true)
			if err != nil {
				return nil, err
			}
			all = append(all, lines...)
		}
	}
	return all, nil
}

// splitConfigLine splits a line into its keyword and arguments as OpenSSH's
// strdelim and argv_split do: the keyword ends at white space or one =, single
// and double quotes group, a backslash keeps a quote or itself, and # begins a
// comment only where a word would begin.
func splitConfigLine(line string) (key string, args []string, err error) {
	line = strings.Trim(line, " \t\f")
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		end = len(line)
	}
	key = strings.Trim(line[:end], `"`)
	rest := strings.TrimLeft(line[end:], " \t")
	if strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], " \t")
	}
	if isRawKey(strings.ToLower(key)) { // the rest of the line as it is
		return strings.ToLower(key), []string{rest}, nil
	}
	args, err = splitArgs(rest)
	return strings.ToLower(key), args, err
}

func isRawKey(key string) bool {
	return key == "proxycommand" || key == "localcommand" || key == "remotecommand" || key == "knownhostscommand"
}

func splitArgs(s string) ([]string, error) {
	var args []string
	for i := 0; i < len(s); {
		switch {
		case s[i] == ' ' || s[i] == '\t':
			i++
			continue
		case s[i] == '#':
			return args, nil
		}
		word, n, err := splitWord(s[i:])
		if err != nil {
			return nil, err
		}
		args = append(args, word)
		i += n
	}
	return args, nil
}

func splitWord(s string) (word string, length int, err error) {
	var b strings.Builder
	quote := byte(0)
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\'' || s[i+1] == '\\' || quote == 0 && s[i+1] == ' '):
			i++
			b.WriteByte(s[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), i, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", 0, errors.New("a quote is not closed")
	}
	return b.String(), i, nil
}
