package transport

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// settings turns the lines found into values. Faults in lines that apply are
// errors; others do not concern this host.
func (r *resolver) settings() (*HostSettings, error) {
	h := &HostSettings{HostName: r.hostName(), User: r.user}
	for _, l := range r.first {
		if err := r.set(h, l); err != nil {
			return nil, err
		}
	}
	if err := r.knownHosts(h); err != nil {
		return nil, err
	}
	for _, l := range r.files {
		if len(l.args) != 1 {
			return nil, l.errorf("IdentityFile takes one file name")
		}
		if isNone(l) {
			continue
		}
		path, err := r.expand(l, l.args[0])
		if err != nil {
			return nil, err
		}
		h.IdentityFiles = append(h.IdentityFiles, path)
	}
	return h, nil
}

// keywords are those labctl uses, with how many arguments they take: 0 for
// one or more.
var keywords = map[string]int{
	"hostname": 1, "user": 1, "port": 1, "identitiesonly": 1, "identityagent": 1, "proxyjump": 1, "proxycommand": 1,
	"hostkeyalias": 1, "userknownhostsfile": 0, "globalknownhostsfile": 0, "stricthostkeychecking": 1, "connecttimeout": 1,
	"serveraliveinterval": 1, "serveralivecountmax": 1,
	"canonicalizehostname": 1, "revokedhostkeys": 1, "knownhostscommand": 1,
}

func (r *resolver) set(h *HostSettings, l configLine) (err error) {
	want, ours := keywords[l.key]
	switch {
	case !ours:
		return nil
	case len(l.args) == 0 || want == 1 && len(l.args) > 1:
		return l.errorf("%s takes one argument, not %d", l.key, len(l.args))
	}
	value := l.args[0]
	switch l.key {
	case "user":
		if h.User == "" {
			h.User = value
		}
	case "port":
		if h.Port, err = parsePort(value); err != nil {
			return l.errorf("%w", err)
		}
	case "identitiesonly":
		h.IdentitiesOnly, err = yesNo(l)
	case "identityagent":
		h.IdentityAgent, err = r.agentSocket(l)
	case "proxyjump":
		if !isNone(l) {
			h.ProxyJump = strings.Split(value, ",")
		}
	case "proxycommand":
		if !isNone(l) && value != "" {
			h.ProxyCommand, err = value, nil
		}
	case "hostkeyalias":
		h.HostKeyAlias, err = r.expand(l, value)
	case "canonicalizehostname", "revokedhostkeys", "knownhostscommand":
		// To pass over these would be to reach another host, or to trust a
		// key that the user does not.
		if v := strings.ToLower(value); v != "no" && v != "none" {
			return l.errorf("labctl does not support %s", l.key)
		}
	case "stricthostkeychecking":
		h.HostKeyPolicy, err = policyOf(l)
	case "connecttimeout":
		h.ConnectTimeout, err = duration(l)
	case "serveraliveinterval":
		if h.ServerAliveInterval, err = duration(l); err == nil && h.ServerAliveInterval == 0 {
			h.ServerAliveInterval = -1 // 0 means none in OpenSSH
		}
	case "serveralivecountmax":
		if h.ServerAliveCountMax, err = strconv.Atoi(value); err != nil {
			return l.errorf("%q is not a number", value)
		}
	}
	return err
}

func (r *resolver) expandAll(l configLine) ([]string, error) {
	if isNone(l) {
		return []string{"/dev/null"}, nil
	}
	var all []string
	for _, a := range l.args {
		s, err := r.expand(l, a)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// knownHosts puts the user's files before the system's, each as set or by
// default.
func (r *resolver) knownHosts(h *HostSettings) (err error) {
	user, system := []string{expandHome("~/.ssh/known_hosts")}, []string{"/etc/ssh/ssh_known_hosts"}
	userLine, userSet := r.first["userknownhostsfile"]
	systemLine, systemSet := r.first["globalknownhostsfile"]
	if userSet {
		if user, err = r.expandAll(userLine); err != nil {
			return err
		}
	}
	if systemSet {
		if system, err = r.expandAll(systemLine); err != nil {
			return err
		}
	}
	if userSet || systemSet {
		h.KnownHosts = append(user, system...)
	}
	return nil
}

func (r *resolver) agentSocket(l configLine) (string, error) {
	value := l.args[0]
	switch {
	case isNone(l):
		return "none", nil
	case value == "SSH_AUTH_SOCK":
		return "", nil
	case strings.HasPrefix(value, "$") && !strings.HasPrefix(value, "${"):
		return r.expand(l, "${"+value[1:]+"}")
	}
	return r.expand(l, value)
}

func yesNo(l configLine) (bool, error) {
	switch strings.ToLower(l.args[0]) {
	case "yes", "true":
		return true, nil
	case "no", "false":
		return false, nil
	}
	return false, l.errorf("%q is neither yes nor no", l.args[0])
}

// policyOf maps StrictHostKeyChecking. Nobody is there to answer, so ask is
// strict.
func policyOf(l configLine) (string, error) {
	switch strings.ToLower(l.args[0]) {
	case "yes", "true", "ask":
		return PolicyStrict, nil
	case "accept-new":
		return PolicyAcceptNew, nil
	case "no", "false", "off":
		return PolicyOff, nil
	}
	return "", l.errorf("StrictHostKeyChecking %q is none of yes, ask, accept-new, no, off", l.args[0])
}

// duration parses sshd_config(5), TIME FORMATS: seconds, or numbers with
// units, such as 1h30m.
func duration(l configLine) (time.Duration, error) {
	value := strings.ToLower(l.args[0])
	if value == "none" || value == "-1" {
		return 0, nil
	}
	if value != "" && value[len(value)-1] >= '0' && value[len(value)-1] <= '9' {
		value += "s"
	}
	units := map[rune]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	var total time.Duration
	number := ""
	for _, c := range value {
		unit, isUnit := units[c]
		switch {
		case c >= '0' && c <= '9' && len(number) < 7:
			number += string(c)
		case isUnit && number != "":
			n, _ := strconv.Atoi(number)
			total += time.Duration(n) * unit
			number = ""
		default:
			return 0, l.errorf("%q is not a time such as 30 or 1m30s", l.args[0])
		}
	}
	return total, nil
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
