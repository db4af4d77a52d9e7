package transport

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SSHConfig is the user's ssh_config(5), read once and asked for many hosts.
//
// What labctl does not use is ignored, as ssh ignores what another tool needs;
// but whatever decides which lines apply must be understood: a Match it cannot
// evaluate is an error that names the line, not a guess.
type SSHConfig struct {
	files [][]configLine
}

// HostSettings are what the configuration says about one host. A zero field
// was not set.
type HostSettings struct {
	HostName            string // never empty: the alias, if not set
	User                string
	Port                int
	IdentityFiles       []string
	IdentitiesOnly      bool
	IdentityAgent       string
	ProxyJump           []string // in the order they are visited; empty for none
	ProxyCommand        string   // empty for none; mutually exclusive with ProxyJump
	HostKeyAlias        string
	KnownHosts          []string
	HostKeyPolicy       string // one of the Policy constants; ask counts as strict
	ConnectTimeout      time.Duration
	ServerAliveInterval time.Duration
	ServerAliveCountMax int
}

// LoadSSHConfig reads configuration files, the most important first. With no
// names it reads the user's and the system's, which need not exist.
func LoadSSHConfig(files ...string) (*SSHConfig, error) {
	optional := len(files) == 0
	if optional {
		files = []string{expandHome("~/.ssh/config"), "/etc/ssh/ssh_config"}
	}
	c := &SSHConfig{}
	for _, f := range files {
		lines, err := readConfig(expandHome(f), 0, optional)
		if err != nil {
			return nil, err
		}
		c.files = append(c.files, lines)
	}
	return c, nil
}

// Resolve reads the files and returns what they say about alias.
func Resolve(alias string, files ...string) (*HostSettings, error) {
	c, err := LoadSSHConfig(files...)
	if err != nil {
		return nil, err
	}
	return c.Resolve(alias, "")
}

// Resolve returns what the configuration says about alias, to log in as user
// if that is not empty.
func (c *SSHConfig) Resolve(alias, user string) (*HostSettings, error) {
	r := &resolver{alias: alias, user: user, first: map[string]configLine{}}
	for _, lines := range c.files {
		r.active = true
		if err := r.walk(lines, true); err != nil {
			return nil, err
		}
	}
	if r.final { // Match final: once more, now that the host name is known
		again := &resolver{alias: alias, user: user, first: r.first, files: r.files, isFinal: true, host: r.hostName()}
		for _, lines := range c.files {
			again.active = true
			if err := again.walk(lines, true); err != nil {
				return nil, err
			}
		}
		r = again
	}
	return r.settings()
}

// Target returns how to reach alias: its settings, and those of every hop
// before it, each resolved by its own name, as OpenSSH does.
func (c *SSHConfig) Target(alias string) (*Target, error) {
	return c.target(jumpSpec{host: alias}, nil, nil)
}

// target resolves spec. The first hop of a chain may have a chain of its own
// before it; for later ones the list replaces theirs.
func (c *SSHConfig) target(spec jumpSpec, via *Target, seen []string) (*Target, error) {
	for _, s := range seen {
		if s == spec.host {
			return nil, fmt.Errorf("resolve %s: the jump hosts form a loop: %s", seen[0], strings.Join(append(seen, spec.host), " via "))
		}
	}
	h, err := c.Resolve(spec.host, spec.user)
	if err != nil {
		return nil, err
	}
	t := &Target{
		Name: spec.host, Address: h.HostName, Port: h.Port, User: h.User,
		IdentityFiles: h.IdentityFiles, IdentitiesOnly: h.IdentitiesOnly, IdentityAgent: h.IdentityAgent,
		HostKeyAlias: h.HostKeyAlias, KnownHosts: h.KnownHosts, HostKeyPolicy: h.HostKeyPolicy,
		ConnectTimeout: h.ConnectTimeout, ServerAliveInterval: h.ServerAliveInterval, ServerAliveCountMax: h.ServerAliveCountMax,
		Via: via,
	}
	if spec.port != 0 {
		t.Port = spec.port
	}
	if via != nil {
		return t, nil
	}
	if h.ProxyCommand != "" {
		return nil, fmt.Errorf("resolve %s: ProxyCommand is not supported: use ProxyJump", spec.host)
	}
	for i, jump := range h.ProxyJump {
		hop, err := parseJump(jump)
		if err != nil {
			return nil, fmt.Errorf("resolve %s: %w", spec.host, err)
		}
		path := append(append([]string(nil), seen...), spec.host)
		if i > 0 {
			path = nil // the list itself decides what is before this one
		}
		if t.Via, err = c.target(hop, t.Via, path); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// jumpSpec is [user@]host[:port] or ssh://[user@]host[:port].
type jumpSpec struct {
	user, host string
	port       int
}

func parseJump(s string) (jumpSpec, error) {
	rest := strings.TrimSuffix(strings.TrimPrefix(s, "ssh://"), "/")
	var j jumpSpec
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		j.user, rest = rest[:i], rest[i+1:]
	}
	j.host = rest
	i := strings.LastIndex(rest, ":")
	if i >= 0 && (strings.Count(rest, ":") == 1 || strings.HasSuffix(rest[:i], "]")) {
		port, err := parsePort(rest[i+1:])
		if err != nil {
			return j, fmt.Errorf("jump host %q: %w", s, err)
		}
		j.host, j.port = rest[:i], port
	}
	j.host = bareHost(j.host)
	if j.host == "" || strings.HasPrefix(j.host, "-") || strings.ContainsAny(j.host, " \t'`\"$\\;&<>|(){},") {
		return j, fmt.Errorf("jump host %q is not [user@]host[:port]", s)
	}
	return j, nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("port %q is not a number from 1 to 65535", s)
	}
	return n, nil
}

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

// expand replaces the tokens of ssh_config(5), TOKENS, ${VARIABLES} and ~.
func (r *resolver) expand(l configLine, s string) (string, error) {
	home := expandHome("~")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%' && i+1 < len(s):
			i++
			value, ok := map[byte]string{
				'%': "%", 'd': home, 'h': r.hostName(), 'n': r.alias, 'p': strconv.Itoa(r.port()),
				'r': r.userName(), 'u': localUser(), 'i': strconv.Itoa(os.Getuid()),
			}[s[i]]
			if !ok {
				return "", l.errorf("the token %%%c is not supported here", s[i])
			}
			b.WriteString(value)
		case strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return "", l.errorf("${ is not closed")
			}
			value, ok := os.LookupEnv(s[i+2 : i+end])
			if !ok {
				return "", l.errorf("the environment has no %s", s[i+2:i+end])
			}
			b.WriteString(value)
			i += end
		default:
			b.WriteByte(s[i])
		}
	}
	return expandHome(b.String()), nil
}

// Complete fills in what t leaves open with what the configuration says about
// alias; with jump, the hops before it too. What t says already stands.
func (c *SSHConfig) Complete(t *Target, alias string, jump bool) error {
	h, err := c.Resolve(alias, t.User)
	if err != nil {
		return err
	}
	if t.Address == alias {
		t.Address = h.HostName
	}
	orElse(&t.Port, h.Port)
	orElse(&t.User, h.User)
	orElse(&t.IdentitiesOnly, h.IdentitiesOnly)
	orElse(&t.IdentityAgent, h.IdentityAgent)
	orElse(&t.HostKeyAlias, h.HostKeyAlias)
	orElse(&t.HostKeyPolicy, h.HostKeyPolicy)
	orElse(&t.ConnectTimeout, h.ConnectTimeout)
	orElse(&t.ServerAliveInterval, h.ServerAliveInterval)
	orElse(&t.ServerAliveCountMax, h.ServerAliveCountMax)
	if len(t.IdentityFiles) == 0 {
		t.IdentityFiles = h.IdentityFiles
	}
	if len(t.KnownHosts) == 0 {
		t.KnownHosts = h.KnownHosts
	}
	if !jump || len(h.ProxyJump) == 0 && h.ProxyCommand == "" {
		return nil
	}
	full, err := c.Target(alias)
	if err != nil {
		return err
	}
	t.Via = full.Via
	return nil
}

func orElse[T comparable](to *T, from T) {
	var zero T
	if *to == zero {
		*to = from
	}
}
