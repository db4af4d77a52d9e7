// Package sshconfig reads ssh_config(5) and says what it means for a host: the settings that OpenSSH's own client would
// arrive at, as ssh -G prints them, and from those a transport.Target with every hop before it. It knows the rules of
// OpenSSH 10.5 and follows the release that is installed where they differ and it matters.
//
// Faults are those that ssh finds, each with its file and line: a keyword that does not exist, a value that is wrong. Where
// labctl has no use for a keyword it is checked and left alone.
//
// A "Match exec" runs a command, as in ssh: of a file that others than the user and root may write, it is refused.
package sshconfig

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
)

// Config is a configuration, read once and asked for many hosts, by several goroutines if need be.
type Config struct {
	// CommandLine are options of the command line, "Keyword=value": they come before all else.
	CommandLine []string
	// Logf is told of settings that labctl passes over; nil for nobody.
	Logf func(format string, args ...any)
	// Context, if not nil, ends a command of Match exec with it.
	Context context.Context

	files  []*file
	store  *store
	shared *shared
	env    environment
	algos  *algorithmTable
}

// shared is what is found out once.
type shared struct {
	globs    globs
	commands commands
	notes    sync.Map // what was told by Logf
	others   others
}

// others are the configurations of other files.
type others struct {
	mu    sync.Mutex
	known map[string]*Config
}

type globs struct {
	mu    sync.Mutex
	known map[string][]*file
}

// Load reads configuration files, the most important first, in place of the user's and the system's, which need not exist
// but are read with no names. The name "none" stands for no file at all.
func Load(names ...string) (*Config, error) {
	if len(names) == 0 {
		return load(
			source{path: filepath.Join(expandHomeOf(""), ".ssh/config"), user: true, private: true, optional: true},
			source{path: "/etc/ssh/ssh_config", optional: true})
	}
	var sources []source
	for _, name := range names {
		if strings.EqualFold(name, "none") {
			continue
		}
		path, err := expandTilde(name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source{path: path, user: true})
	}
	return load(sources...)
}

func load(sources ...source) (*Config, error) {
	c := &Config{store: &store{files: map[source]*file{}}, env: realEnvironment(), algos: &openssh, shared: &shared{}}
	c.shared.globs.known = map[string][]*file{}
	for _, s := range sources {
		f, err := c.store.get(s, 0)
		if err != nil {
			return nil, err
		}
		c.files = append(c.files, f)
	}
	return c, nil
}

// SetLookup replaces the DNS for CanonicalizeHostname.
func (c *Config) SetLookup(l Lookup) { c.env.lookup = l }

// Query asks for a host.
type Query struct {
	Host    string  // as the user has it
	User    string  // as after ssh -l; it goes before all else
	Port    int     // as after ssh -p
	Layers  []Layer // options that go before the files, the most important first
	Command string  // what is to run there, for Match command and sessiontype
}

// Layer is options that are in no file.
type Layer struct {
	Source  string   // what messages call it
	Options []string // as ssh -o takes them: "Keyword=value" or "Keyword value"
}
