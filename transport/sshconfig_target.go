package transport

import (
	"fmt"
	"strconv"
	"strings"
)

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
		if t.ProxyCommand, err = ExpandProxyCommand(h.ProxyCommand, t, spec.host); err != nil {
			return nil, fmt.Errorf("resolve %s: %w", spec.host, err)
		}
		return t, nil
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
	if !jump || t.ProxyCommand != "" || len(h.ProxyJump) == 0 && h.ProxyCommand == "" {
		return nil
	}
	if h.ProxyCommand != "" {
		t.ProxyCommand, err = ExpandProxyCommand(h.ProxyCommand, t, alias)
		return err
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
