package sshconfig

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"labctl/transport"
)

// criterion is one condition of a Match line.
type criterion struct {
	name    string
	negated bool
	arg     string
}

// alone are the criteria that take no argument.
var alone = []string{"all", "final", "canonical"}

// withArgument are the others; what is in neither list is an error.
var withArgument = []string{"host", "originalhost", "user", "localuser", "localnetwork", "version", "tagged", "command", "sessiontype", "exec"}

// checkMatch reads the criteria (readconf.c, match_cfg_line).
func checkMatch(l *line) error {
	for args := l.args; len(args) > 0; {
		c := criterion{name: args[0]}
		args = args[1:]
		c.name, c.negated = strings.CutPrefix(c.name, "!")
		name, value, hasValue := strings.Cut(c.name, "=")
		c.name = lowerASCII(name)
		switch {
		case !hasValue && c.name == "all":
			if len(l.criteria) > 1 || len(args) > 0 && args[0] != "" {
				return errors.New("all cannot be combined with other conditions")
			}
			l.criteria = append(l.criteria, c)
			return nil
		case !hasValue && slices.Contains(alone, c.name):
			l.criteria = append(l.criteria, c)
			continue
		case !slices.Contains(withArgument, c.name):
			return fmt.Errorf("%q is no condition: it may be one of %s", name, strings.Join(append(alone, withArgument...), ", "))
		}
		if !hasValue {
			if len(args) > 1 && args[0] == "=" { // as before OpenSSH 9.9
				args = args[1:]
			}
			if len(args) == 0 {
				return fmt.Errorf("%s takes an argument", c.name)
			}
			value, args = args[0], args[1:]
		}
		if err := c.take(value); err != nil {
			return err
		}
		l.criteria = append(l.criteria, c)
	}
	if len(l.criteria) == 0 {
		return errors.New("a condition is missing")
	}
	return nil
}

func (c *criterion) take(value string) error {
	c.arg = value
	empty := c.name == "tagged" || c.name == "command"
	if value == "" && !empty || strings.HasPrefix(value, "#") {
		return fmt.Errorf("%s takes an argument", c.name)
	}
	if c.name == "localnetwork" {
		_, err := parseNetworks(value)
		return err
	}
	return nil
}

// match reports whether all conditions hold. All are looked at, for a "final" in any of them asks for a second pass; but no
// command is run once it cannot matter.
func (r *resolver) match(l *line, never bool) (bool, error) {
	holds := true
	for _, c := range l.criteria {
		if c.name == "final" && !c.negated {
			r.wantFinal = true
		}
		if c.name == "exec" && (!holds || never) {
			if _, err := r.expand(c.arg, tokensHost, false); err != nil {
				return false, l.errorf("Match exec: %w", err)
			}
			continue
		}
		ok, err := r.holds(l, c)
		if err != nil {
			return false, l.errorf("Match %s: %w", c.name, err)
		}
		holds = holds && ok != c.negated
	}
	return holds && !never, nil
}

func (r *resolver) holds(l *line, c criterion) (bool, error) {
	switch c.name {
	case "all":
		return true, nil
	case "final", "canonical":
		return r.final, nil
	case "host":
		name, err := r.hostNow()
		return matchHostname(name, c.arg), err
	case "originalhost":
		return matchHostname(r.typed, c.arg), nil
	case "user":
		return matchList(r.userNow(), c.arg, false) == 1, nil
	case "localuser":
		return matchList(r.env.user(), c.arg, false) == 1, nil
	case "localnetwork":
		return r.onNetwork(c.arg), nil
	case "version":
		return matchList(r.env.version(), c.arg, false) == 1, nil
	case "tagged":
		return matchOrBothEmpty(r.value("tag"), c.arg), nil
	case "command":
		return matchOrBothEmpty(r.command, c.arg), nil
	case "sessiontype":
		return matchList(r.sessionType(), c.arg, false) == 1, nil
	}
	return r.exec(l, c.arg)
}

func matchOrBothEmpty(s, list string) bool {
	if s == "" {
		return list == ""
	}
	return matchList(s, list, false) == 1
}

// sessionType is what kind of session ssh would ask for.
func (r *resolver) sessionType() string {
	switch set := lowerASCII(r.value("sessiontype")); {
	case set == "subsystem" || set == "none":
		return set
	case r.command != "":
		return "exec"
	}
	return "shell"
}

// parseNetworks reads a list of addresses with prefix lengths; no bit may be set after the prefix.
func parseNetworks(list string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for s := range strings.SplitSeq(list, ",") {
		p, err := netip.ParsePrefix(s)
		if !strings.Contains(s, "/") {
			var a netip.Addr
			a, err = netip.ParseAddr(s)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("%q is not the address of a network", s)
		}
		networks = append(networks, p)
	}
	return networks, nil
}

// onNetwork reports whether an interface that is up has an address in one of the networks.
func (r *resolver) onNetwork(list string) bool {
	networks, _ := parseNetworks(list) // checked before
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && holdsAddr(networks, ip.IP) {
				return true
			}
		}
	}
	return false
}

func holdsAddr(networks []netip.Prefix, ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	return ok && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}

// pattern is one word of a Host line.
type pattern struct {
	text    string
	negated bool
}

// checkHost reads the patterns. A Host line without any applies to nothing.
func checkHost(l *line) error {
	for _, arg := range l.args {
		if arg == "" {
			return errMissing
		}
		p := pattern{text: arg}
		p.text, p.negated = strings.CutPrefix(arg, "!")
		l.patterns = append(l.patterns, p)
	}
	return nil
}

// literal reports whether the line names hosts one by one, so that it can be found by name.
func (l *line) literal() bool {
	return !slices.ContainsFunc(l.patterns, func(p pattern) bool { return p.negated || strings.ContainsAny(p.text, "*?") })
}

// matchHost holds a Host line against the name as typed, or in the second pass as found: case counts, unlike in Match.
func (l *line) matchHost(name string) bool {
	found := false
	for _, p := range l.patterns {
		if transport.MatchPattern(p.text, name) {
			if p.negated {
				return false
			}
			found = true
		}
	}
	return found
}
