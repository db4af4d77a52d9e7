package sshconfig

import (
	"fmt"
	"strings"
	"time"
)

// Settings are what the configuration says about one host, with OpenSSH's defaults where it says nothing.
type Settings struct {
	HostName, User string
	Port           int
	HostKeyAlias   string
	Tag            string

	// Identity and certificate files with their tokens replaced; without any in the configuration, no identity is listed
	// unless NoIdentities says that there is to be none.
	IdentityFiles, CertificateFiles []string
	NoIdentities                    bool
	IdentitiesOnly                  bool
	IdentityAgent                   string // "": $SSH_AUTH_SOCK; "none": no agent

	ProxyJump       []string // in the order they are visited, with their tokens replaced; empty for none
	ProxyCommand    string   // with its tokens replaced; empty for none. It excludes ProxyJump
	proxyCommandRaw string
	jumps           []jump

	UserKnownHostsFile, GlobalKnownHostsFile []string
	RevokedHostKeys                          []string
	HashKnownHosts                           bool
	NoHostAuthenticationForLocalhost         bool
	StrictHostKeyChecking                    string // yes, ask, accept-new or no
	KnownHostsCommand                        string
	KnownHostsArgs                           []string // the same, as transport.Target has it

	KexAlgorithms, Ciphers, MACs, HostKeyAlgorithms, PubkeyAcceptedAlgorithms, CASignatureAlgorithms []string
	RequiredRSASize                                                                                  int

	PreferredAuthentications                                                              []string // nil: not set
	PubkeyAuthentication, PasswordAuthentication, KbdInteractiveAuthentication, BatchMode bool
	NumberOfPasswordPrompts                                                               int

	ConnectTimeout      time.Duration // 0: none
	ConnectionAttempts  int
	ServerAliveInterval time.Duration
	ServerAliveCountMax int

	AddressFamily              string // inet, inet6 or any
	BindAddress, BindInterface string

	ControlPath, ControlMaster, ControlPersist string // empty, no and no if not set
	ForwardAgent                               string // yes, no, or a socket
	Compression                                bool

	r *resolver
}

// IsSet reports whether the configuration says anything of a keyword, in lower case.
func (s *Settings) IsSet(keyword string) bool {
	switch keyword {
	case "identityfile":
		return len(s.r.identities) > 0
	case "certificatefile":
		return len(s.r.certificates) > 0
	}
	return s.r.set[keyword] != nil
}

// layer is the number of the layer that decided on a keyword; the files are the one after the last, and so is the default.
func (s *Settings) layer(keyword string) int {
	if n, ok := s.r.layers[keyword]; ok {
		return n
	}
	return s.r.layer
}

// Resolve returns what the configuration says about a host.
func (c *Config) Resolve(q Query) (*Settings, error) {
	r := &resolver{c: c, env: c.env, typed: q.Host, command: q.Command, set: map[string]*line{}, layers: map[string]int{}}
	if q.User != "" {
		r.login = q.User
		r.keep("user", &line{key: "user", args: []string{q.User}})
	}
	if q.Port != 0 {
		r.keep("port", &line{key: "port", args: []string{fmt.Sprint(q.Port)}})
	}
	for i, l := range append([]Layer{{Source: "-o", Options: c.CommandLine}}, q.Layers...) {
		r.layer = i
		if err := r.options(l); err != nil {
			return nil, err
		}
	}
	r.layer++
	if err := r.resolve(); err != nil {
		return nil, fmt.Errorf("resolve %s: %w", q.Host, err)
	}
	return r.settings()
}

// resolve reads the files, and once more if the name that is found then may match more lines.
func (r *resolver) resolve() error {
	err := r.pass()
	if err != nil {
		return err
	}
	name, err := r.canonicalize()
	if err != nil {
		return err
	}
	mode := lowerASCII(r.value("canonicalizehostname"))
	if r.name = name; r.wantFinal || mode != "" && mode != "no" && mode != "false" {
		r.final = true
		if err := r.pass(); err != nil {
			return err
		}
	}
	r.final = false
	return r.settle()
}

// settle checks what can be checked only now, and replaces the tokens of User, of which other keywords' are made.
func (r *resolver) settle() error {
	if l := r.set["connectionattempts"]; l != nil && r.int("connectionattempts", 1) <= 0 {
		return l.errorf("ConnectionAttempts: it takes one at least")
	}
	if len(r.jumps) > 0 {
		last := r.jumps[len(r.jumps)-1]
		if last.user == "" {
			last.user = r.userNow()
		}
		if last.port == 0 {
			last.port = 22
		}
		if last.host == r.name && last.port == r.portNow() && last.user == r.userNow() {
			return r.set["proxyjump"].errorf("ProxyJump: the host would be its own jump host: jumphost loop via %s; write ProxyJump none for it", last.host)
		}
	}
	r.settled = true
	if l := r.set["user"]; l != nil && r.login == "" {
		user, err := r.expand(l.arg(), tokensNoUser, true)
		if err != nil {
			return l.errorf("User: %w", err)
		}
		r.login = user
	}
	return nil
}

// expandPath replaces ~ in front and then tokens and variables, as OpenSSH does for names of files.
func (r *resolver) expandPath(l *line, path string) (string, error) {
	path, err := expandTilde(path)
	if err == nil {
		path, err = r.expand(path, tokensHost, true)
	}
	if err != nil {
		return "", l.errorf("%s: %w", l.key, err)
	}
	return path, nil
}

func (r *resolver) expandPaths(l *line, paths []string) ([]string, error) {
	var out []string
	for _, p := range paths {
		path, err := r.expandPath(l, p)
		if err != nil {
			return nil, err
		}
		out = append(out, path)
	}
	return out, nil
}

func (r *resolver) int(key string, standard int) int {
	l := r.set[key]
	if l == nil {
		return standard
	}
	n, _ := strtonum(l.arg(), 0, 1<<31-1) // checked before
	return int(n)
}

func (r *resolver) seconds(key string) time.Duration {
	n, _ := parseInterval(r.value(key)) // checked before, or not set
	return time.Duration(n) * time.Second
}

func (r *resolver) flag(key string, standard bool) bool {
	if l := r.set[key]; l != nil {
		return isYes(l.arg())
	}
	return standard
}

func orDefault(s, standard string) string {
	if s == "" {
		return standard
	}
	return s
}

// word makes yes of true and no of false.
func word(s, standard string) string {
	switch s = lowerASCII(s); s {
	case "":
		return standard
	case "true":
		return "yes"
	case "false", "off":
		return "no"
	}
	return s
}

func isNone(s string) bool { return strings.EqualFold(s, "none") }
