package sshconfig

import (
	"errors"
	"fmt"
	"strings"
)

// resolver goes through the configuration for one host, once or twice. The first value of a keyword is the one that counts,
// but for IdentityFile and CertificateFile, which add up.
type resolver struct {
	c       *Config
	env     environment
	typed   string // the host as the user has it
	command string // what is to run there

	layer        int // where the lines come from that are being taken
	set          map[string]*line
	layers       map[string]int
	identities   []*line
	certificates []*line
	jumps        []jump
	noJump       bool // ProxyJump none came first

	final     bool   // the second pass
	wantFinal bool   // a Match final asks for it
	settled   bool   // all is read
	name      string // from the second pass on: what the host is really called
	login     string // when settled: the user
}

// options takes the lines of a layer that is no file.
func (r *resolver) options(l Layer) error {
	for _, option := range l.Options {
		line, err := parseLine(option, l.Source, 0, true)
		switch {
		case err != nil:
			return err
		case line == nil:
			continue
		case line.key == "host" || line.key == "match" || line.key == "include":
			return line.errorf("%s can stand in a file only", line.key)
		case line.kw == nil && !r.ignored(line):
			return unknown(line)
		}
		if err := r.take(line); err != nil {
			return err
		}
	}
	return nil
}

// pass goes through all files.
func (r *resolver) pass() error {
	for _, f := range r.c.files {
		if err := r.walk(f, true, 0); err != nil {
			return err
		}
	}
	return nil
}

// walk goes through a file. Where it is included by a line that does not apply, none of its lines does.
func (r *resolver) walk(f *file, applies bool, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("more than %d files include each other", maxDepth)
	}
	name := r.typed
	if r.final {
		name = r.name
	}
	for _, i := range f.candidates(name) {
		b := f.blocks[i]
		active, err := r.applies(b.head, name, applies)
		if err != nil {
			return err
		}
		for _, l := range b.lines {
			if err := r.line(l, active, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *resolver) applies(head *line, name string, enclosing bool) (bool, error) {
	switch {
	case head == nil:
		return enclosing, nil
	case head.key == "host":
		return enclosing && head.matchHost(name), nil
	}
	return r.match(head, !enclosing)
}

func (r *resolver) line(l *line, active bool, depth int) error {
	switch {
	case l.kw == nil && !r.ignored(l):
		return unknown(l)
	case l.key == "include":
		return r.include(l, active, depth)
	case active:
		return r.take(l)
	}
	return nil
}

func unknown(l *line) error {
	return l.errorf("bad configuration option %s: OpenSSH has no such keyword; see also IgnoreUnknown", l.key)
}

func (r *resolver) ignored(l *line) bool {
	return r.set["ignoreunknown"] != nil && matchList(l.key, r.value("ignoreunknown"), true) == 1
}

func (r *resolver) include(l *line, active bool, depth int) error {
	var patterns []string
	for _, arg := range l.args {
		p, err := r.expand(arg, tokensHost, true)
		if errors.Is(err, errNoVariable) {
			continue // ssh says so, and goes on
		}
		if err != nil {
			return l.errorf("Include: %w", err)
		}
		patterns = append(patterns, p)
	}
	files, err := r.c.included(l, patterns, depth)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := r.walk(f, active, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// included is what an Include line stands for. Files are looked for once.
func (c *Config) included(l *line, patterns []string, depth int) ([]*file, error) {
	key := fmt.Sprintf("%t %d %q", l.user, depth, patterns)
	c.shared.globs.mu.Lock()
	files, ok := c.shared.globs.known[key]
	c.shared.globs.mu.Unlock()
	if ok {
		return files, nil
	}
	files, err := c.store.include(l, patterns, depth)
	if err != nil {
		return nil, err
	}
	c.shared.globs.mu.Lock()
	defer c.shared.globs.mu.Unlock()
	c.shared.globs.known[key] = files
	return files, nil
}

// take remembers a line that applies.
func (r *resolver) take(l *line) error {
	switch l.key {
	case "identityfile":
		r.keep(l.key, l)
		return addFile(&r.identities, l)
	case "certificatefile":
		r.keep(l.key, l)
		return addFile(&r.certificates, l)
	case "proxyjump":
		return r.takeJump(l)
	case "refuseconnection":
		return l.errorf("RefuseConnection: %s", l.arg())
	case "connecttimeout", "serveraliveinterval":
		if l.arg() == "none" { // which leaves the matter open
			return nil
		}
	case "proxycommand":
		if r.jumps != nil {
			return nil
		}
	}
	if _, list := lists[l.key]; list && len(l.args) == 0 {
		return nil
	}
	r.keep(l.key, l)
	return nil
}

// lists are keywords that may be given no value at all.
var lists = map[string]struct{}{
	"userknownhostsfile": {}, "globalknownhostsfile": {}, "revokedhostkeys": {}, "canonicaldomains": {}, "canonicalizepermittedcnames": {},
}

func (r *resolver) keep(key string, l *line) {
	if r.set[key] == nil {
		r.set[key], r.layers[key] = l, r.layer
	}
}

// takeJump: whichever of ProxyJump and ProxyCommand comes first decides; "ProxyJump none" leaves the field to a later
// ProxyCommand, but not to a later ProxyJump.
func (r *resolver) takeJump(l *line) error {
	jumps, err := parseJumps(l.commandText())
	switch {
	case err != nil:
		return l.errorf("%w", err)
	case r.noJump || r.jumps != nil:
	case jumps == nil:
		r.noJump = true
		r.keep("proxyjump", l)
	case r.set["proxycommand"] == nil:
		r.jumps = jumps
		r.keep("proxyjump", l)
	}
	return nil
}

// addFile adds a file that is not there yet: the same name in the user's and in the system's file counts twice.
func addFile(to *[]*line, l *line) error {
	for _, have := range *to {
		if have.user == l.user && have.arg() == l.arg() {
			return nil
		}
	}
	if len(*to) == 100 { // SSH_MAX_IDENTITY_FILES
		return l.errorf("more than 100 of %s", l.key)
	}
	*to = append(*to, l)
	return nil
}

// value is the only argument of a keyword, or empty.
func (r *resolver) value(key string) string {
	if l := r.set[key]; l != nil {
		return l.arg()
	}
	return ""
}

// hostNow is what the host is called as far as is known.
func (r *resolver) hostNow() (string, error) {
	if r.final || r.settled {
		return r.name, nil
	}
	l := r.set["hostname"]
	if l == nil {
		return r.typed, nil
	}
	name, err := expand(l.arg(), "h", false, func(byte) (string, error) { return r.typed, nil })
	if err != nil {
		return "", l.errorf("HostName: %w", err)
	}
	return name, nil
}

func (r *resolver) userNow() string {
	switch {
	case r.settled && r.login != "":
		return r.login
	case r.set["user"] != nil:
		return r.value("user")
	}
	return r.env.user()
}

func (r *resolver) portNow() int {
	if l := r.set["port"]; l != nil {
		port, _ := parsePort(l.arg()) // checked before
		return port
	}
	return 22
}

// jumpHost is the last hop before the host.
func (r *resolver) jumpHost() string {
	if len(r.jumps) == 0 {
		return ""
	}
	return r.jumps[len(r.jumps)-1].host
}

// keyAlias is %k: the alias, or before all is read the host's name, and afterwards the name as typed.
func (r *resolver) keyAlias() (string, error) {
	alias := r.value("hostkeyalias")
	switch {
	case alias != "" && r.settled:
		return strings.ToLower(alias), nil
	case alias != "":
		return alias, nil
	case r.settled:
		return r.typed, nil
	}
	return r.hostNow()
}

// proxied reports whether the host is reached by a program or a jump host.
func (r *resolver) proxied() bool {
	return len(r.jumps) > 0 || r.proxyCommand() != ""
}

// proxyCommand is the command as it was written; empty for none.
func (r *resolver) proxyCommand() string {
	l := r.set["proxycommand"]
	if l == nil || len(r.jumps) > 0 || strings.EqualFold(l.commandText(), "none") {
		return ""
	}
	return l.commandText()
}
