package transport

import "time"

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
