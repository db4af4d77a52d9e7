package sshconfig

import (
	"crypto/sha1" //nolint:gosec // it names a socket; OpenSSH uses it
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The tokens that keywords take (ssh_config(5), TOKENS).
const (
	tokensHost   = "CLdhijklnpru"
	tokensNoUser = "Ldhijklnpu" // User: without itself, and the hash it is part of
	tokensProxy  = "hknpr"
)

// expand replaces the tokens that are allowed and, if asked to, ${VARIABLES}.
func (r *resolver) expand(s, allowed string, variables bool) (string, error) {
	return expand(s, allowed, variables, r.token)
}

// expand replaces tokens by what token returns for them. One that is not allowed is an error. What is put in is not looked
// at again.
func expand(s, allowed string, variables bool, token func(byte) (string, error)) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case variables && strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			value, err := expandVariables(s[i:i+max(end, 1)+1], os.LookupEnv)
			if err != nil {
				return "", fmt.Errorf("%q: %w", s, err)
			}
			b.WriteString(value)
			i += end
		case s[i] != '%':
			b.WriteByte(s[i])
		case i+1 == len(s):
			return "", fmt.Errorf("%q ends with %%: write %%%% for a percent sign", s)
		case s[i+1] == '%':
			b.WriteByte('%')
			i++
		case strings.IndexByte(allowed, s[i+1]) < 0:
			return "", fmt.Errorf("%q: the token %%%c is not known here", s, s[i+1])
		default:
			value, err := token(s[i+1])
			if err != nil {
				return "", err
			}
			b.WriteString(value)
			i++
		}
	}
	return b.String(), nil
}

// errNoVariable is what a variable that does not exist comes to.
var errNoVariable = errors.New("the environment has no such variable")

// expandVariables replaces ${NAME} alone. A variable that does not exist is an error.
func expandVariables(s string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || name == "" {
			return "", errors.New("${ is not closed, or names no variable")
		}
		value, ok := lookup(name)
		if !ok {
			return "", fmt.Errorf("${%s}: %w", name, errNoVariable)
		}
		b.WriteString(value)
		s = rest
	}
}

// token is what a token stands for at this moment: while files are read, what they have said so far.
func (r *resolver) token(c byte) (string, error) {
	switch c {
	case 'h':
		return r.hostNow()
	case 'n':
		return r.typed, nil
	case 'p':
		return strconv.Itoa(r.portNow()), nil
	case 'r':
		return r.userNow(), nil
	case 'u':
		return r.env.user(), nil
	case 'd':
		return r.env.home(), nil
	case 'i':
		return r.env.uid(), nil
	case 'l':
		return r.env.hostname(), nil
	case 'L':
		short, _, _ := strings.Cut(r.env.hostname(), ".")
		return short, nil
	case 'j':
		return r.jumpHost(), nil
	case 'k':
		return r.keyAlias()
	}
	return r.connectionHash()
}

// connectionHash is %C. The jump host is part of it since OpenSSH 9.6; what counts is the ssh that is here, which has named
// the sockets.
func (r *resolver) connectionHash() (string, error) {
	host, err := r.hostNow()
	s := r.env.hostname() + host + strconv.Itoa(r.portNow()) + r.userNow()
	if jump := r.jumpHost(); jump != "" && atLeast(r.env.version(), 9, 6) {
		s += jump
	}
	sum := sha1.Sum([]byte(s)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:]), err
}

// atLeast compares a version such as OpenSSH_9.2p1.
func atLeast(version string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(version, "OpenSSH_%d.%d", &a, &b); err != nil {
		return true
	}
	return a > major || a == major && b >= minor
}
