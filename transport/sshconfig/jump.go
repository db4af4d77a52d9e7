package sshconfig

import (
	"fmt"
	"net/url"
	"strings"
)

// jump is a hop as ProxyJump and -J name it: [user@]host[:port] or ssh://[user@]host[:port].
type jump struct {
	user, host string
	port       int // 0: not given
}

// String is the form in which ssh -G prints a hop.
func (j jump) String() string {
	s := j.host
	if strings.Contains(s, ":") || strings.Trim(s, "0123456789.") == "" {
		s = "[" + s + "]"
	}
	if j.user != "" {
		s = j.user + "@" + s
	}
	if j.port != 0 {
		s += fmt.Sprintf(":%d", j.port)
	}
	return s
}

// checkJump checks every hop of a list.
func checkJump(l *line) error {
	_, err := parseJumps(l.commandText())
	return err
}

// parseJumps reads the rest of a ProxyJump line, a list of hops in the order they are visited; nil for none. Quotes have no
// meaning in it (readconf.c, parse_jump).
func parseJumps(s string) ([]jump, error) {
	if strings.EqualFold(s, "none") {
		return nil, nil
	}
	s, _, _ = strings.Cut(s, "#")
	var jumps []jump
	for spec := range strings.SplitSeq(strings.TrimRight(s, whitespace+"\v\f"), ",") {
		j, err := parseJump(spec)
		if err != nil {
			return nil, err
		}
		jumps = append(jumps, j)
	}
	return jumps, nil
}

func parseJump(spec string) (jump, error) {
	if rest, ok := strings.CutPrefix(spec, "ssh://"); ok {
		return parseURI(spec, rest)
	}
	var j jump
	rest := spec
	if i := strings.LastIndexByte(spec, '@'); i >= 0 {
		if j.user, rest = spec[:i], spec[i+1:]; i == 0 {
			return j, notAJump(spec)
		}
	}
	host, port, ok := splitHostPort(rest)
	if j.host = bare(host); !ok || host == "" {
		return j, notAJump(spec)
	}
	if port == "" {
		return j, nil
	}
	var err error
	if j.port, err = parsePort(port); err != nil {
		return j, fmt.Errorf("jump host %q: %w", spec, err)
	}
	return j, nil
}

// parseURI reads what follows ssh:// (misc.c, parse_uri).
func parseURI(spec, rest string) (jump, error) {
	var j jump
	if user, after, ok := strings.Cut(rest, "@"); ok {
		user, _, _ = strings.Cut(user, ";")
		decoded, err := url.QueryUnescape(user)
		if err != nil || user == "" {
			return j, notAJump(spec)
		}
		j.user, rest = decoded, after
	}
	slash := strings.HasSuffix(rest, "/")
	host, port, ok := splitHostPort(strings.TrimSuffix(rest, "/"))
	j.host = strings.TrimSuffix(bare(host), ".")
	if !ok || !validDomain(j.host) || slash && port == "" && strings.HasSuffix(strings.TrimSuffix(rest, "/"), ":") {
		return j, notAJump(spec)
	}
	if port != "" {
		var err error
		if j.port, err = parsePort(port); err != nil {
			return j, fmt.Errorf("jump host %q: %w", spec, err)
		}
	}
	return j, nil
}

func notAJump(spec string) error { return fmt.Errorf("jump host %q is not [user@]host[:port]", spec) }

// splitHostPort takes the port off, which follows a colon or a slash; of an IPv6 address only if that stands in brackets
// (misc.c, hpdelim).
func splitHostPort(s string) (host, port string, ok bool) {
	i := 0
	if strings.HasPrefix(s, "[") {
		if i = strings.IndexByte(s, ']') + 1; i == 0 {
			return "", "", false
		}
	} else if i = strings.IndexAny(s, ":/"); i < 0 {
		return s, "", true
	}
	switch {
	case i == len(s):
		return s, "", true
	case s[i] != ':' && s[i] != '/':
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// bare takes the brackets off an IPv6 address.
func bare(host string) string {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1]
	}
	return host
}
