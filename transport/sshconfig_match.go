package transport

import (
	"slices"
	"strconv"
	"strings"
)

// resolver walks the configuration for one host. The first value of a keyword
// is the one that counts, except that IdentityFile adds up.
type resolver struct {
	alias, user string
	isFinal     bool   // second walk
	host        string // the real name, which the second walk cannot change
	final       bool   // a Match final asks for one
	active      bool   // the lines now apply
	first       map[string]configLine
	files       []configLine // IdentityFile
}

// walk goes through lines. Included lines may open Host blocks of their own,
// but those end with the file, and none of them applies where the Include does
// not.
func (r *resolver) walk(lines []configLine, enclosing bool) error {
	for _, l := range lines {
		var err error
		switch l.key {
		case "host":
			r.active, err = r.matchHost(l)
			r.active = r.active && enclosing
		case "match":
			r.active, err = r.match(l)
			r.active = r.active && enclosing
		case "include":
			was := r.active
			err = r.walk(l.inner, was)
			r.active = was
		default:
			if r.active {
				r.take(l)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) take(l configLine) {
	switch l.key {
	case "identityfile":
		for _, have := range r.files {
			if slices.Equal(have.args, l.args) {
				return
			}
		}
		r.files = append(r.files, l)
		return
	case "proxyjump":
		// Whichever of the two comes first decides; "ProxyJump none" leaves the
		// field to a later ProxyCommand.
		if _, taken := r.first["proxycommand"]; taken {
			return
		}
	case "proxycommand":
		if j, taken := r.first["proxyjump"]; taken && !isNone(j) {
			return
		}
	}
	if _, taken := r.first[l.key]; !taken {
		r.first[l.key] = l
	}
}

func (r *resolver) matchHost(l configLine) (bool, error) {
	if len(l.args) == 0 {
		return false, l.errorf("Host without a pattern")
	}
	name := r.alias // as typed, unlike in Match host
	if r.isFinal {
		name = r.hostName()
	}
	found := false
	for _, pattern := range l.args {
		negated := strings.HasPrefix(pattern, "!")
		if wildcard(strings.TrimPrefix(pattern, "!"), name) {
			if negated {
				return false, nil
			}
			found = true
		}
	}
	return found, nil
}

// match evaluates the conditions of a Match line, all of which must hold.
func (r *resolver) match(l configLine) (bool, error) {
	if len(l.args) == 0 {
		return false, l.errorf("Match without a condition")
	}
	holds := true
	for i := 0; i < len(l.args); i++ {
		word, value, hasValue := strings.Cut(l.args[i], "=")
		word, negated := strings.CutPrefix(strings.ToLower(word), "!")
		var ok bool
		switch word {
		case "all":
			ok = true
		case "final", "canonical":
			r.final = r.final || word == "final"
			ok = r.isFinal
		case "host", "originalhost", "user", "localuser":
			if !hasValue {
				if i++; i == len(l.args) {
					return false, l.errorf("Match %s without a pattern", word)
				}
				value = l.args[i]
			}
			ok = r.matches(word, value)
		default:
			return false, l.errorf("Match %s cannot be decided by labctl: use Host, or Match with all, host, originalhost, user, localuser or final", word)
		}
		holds = holds && ok != negated
	}
	return holds, nil
}

// matches folds case for hosts, not for users.
func (r *resolver) matches(word, patterns string) bool {
	switch word {
	case "host":
		return matchList(strings.ToLower(patterns), r.hostName())
	case "originalhost":
		return matchList(strings.ToLower(patterns), strings.ToLower(r.alias))
	case "localuser":
		return matchList(patterns, localUser())
	}
	return matchList(patterns, r.userName())
}

// hostName is the real name, in lower case as OpenSSH has it.
func (r *resolver) hostName() string {
	if r.isFinal {
		return r.host
	}
	name := r.alias
	if l, ok := r.first["hostname"]; ok && len(l.args) > 0 {
		name = strings.NewReplacer("%h", r.alias, "%%", "%").Replace(l.args[0])
	}
	return strings.ToLower(name)
}

func (r *resolver) userName() string {
	if r.user != "" {
		return r.user
	}
	if l, ok := r.first["user"]; ok && len(l.args) > 0 {
		return l.args[0]
	}
	return localUser()
}

func isNone(l configLine) bool { return len(l.args) == 1 && strings.EqualFold(l.args[0], "none") }

func (r *resolver) port() int {
	if l, ok := r.first["port"]; ok && len(l.args) == 1 {
		if n, err := strconv.Atoi(l.args[0]); err == nil {
			return n
		}
	}
	return 22
}
