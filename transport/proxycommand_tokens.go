package transport

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ExpandProxyCommand replaces the tokens of a ProxyCommand for t (ssh_config(5), TOKENS): %h is the address, %n the name as
// the user gave it, %p the port, %r the login name. Nothing is quoted for the shell that will run it, so names that a shell
// would take for more than a word are refused, as ssh(1) does (valid_hostname and valid_ruser in OpenSSH's ssh.c).
func ExpandProxyCommand(command string, t *Target, name string) (string, error) {
	host := bareHost(t.Address)
	values := map[byte]string{'%': "%", 'h': host, 'n': name, 'k': name, 'p': strconv.Itoa(t.port()), 'r': t.user()}
	if t.HostKeyAlias != "" {
		values['k'] = t.HostKeyAlias
	}
	var out strings.Builder
	for rest := command; ; {
		text, token, found := strings.Cut(rest, "%")
		out.WriteString(text)
		if !found {
			break
		}
		if token == "" {
			return "", fmt.Errorf("expand %q: it ends in %%: write %%%% for a percent sign", command)
		}
		value, known := values[token[0]]
		if !known {
			return "", fmt.Errorf("expand %q: unknown token %%%c: there are %%h, %%n, %%p, %%r, and %%%% for a percent sign", command, token[0])
		}
		if err := shellSafe(token[0], value); err != nil {
			return "", fmt.Errorf("expand %q: %w", command, err)
		}
		out.WriteString(value)
		rest = token[1:]
	}
	return out.String(), nil
}

// shellSafe refuses what a shell would not leave alone.
func shellSafe(token byte, value string) error {
	what, bad := "host name", "'`\"$\\;&<>|(){},"
	switch token {
	case '%', 'p':
		return nil
	case 'r':
		what, bad = "user name", "'`\";&<>|(){}"
	}
	odd := func(r rune) bool {
		return r < ' ' || r == 127 || strings.ContainsRune(bad, r) || token != 'r' && r == ' '
	}
	switch {
	case value == "" && token != 'r':
		return errors.New("there is no host name")
	case strings.HasPrefix(value, "-"):
		return fmt.Errorf("%s %q begins with a dash, so that a program would take it for an option", what, value)
	case strings.ContainsFunc(value, odd):
		return fmt.Errorf("%s %q has characters that mean something to a shell", what, value)
	case token == 'r' && strings.Contains(value, " -"):
		return fmt.Errorf("%s %q would be taken for options", what, value)
	case token == 'r' && strings.HasSuffix(value, "\\"):
		return fmt.Errorf("%s %q ends in a backslash", what, value)
	}
	return nil
}
