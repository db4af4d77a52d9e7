package sshconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"labctl/transport"
)

// agentCommand is what labctl runs on a host, for Match command and sessiontype.
const agentCommand = "labctl-agent"

// Target returns how to reach alias: its settings, and those of every hop before it, each resolved by its own name, as
// OpenSSH does: nothing of the host's is applied to its hops.
func (c *Config) Target(alias string) (*transport.Target, error) {
	t := &transport.Target{Name: alias, Address: alias}
	return t, c.Complete(t, alias, nil, true)
}

// Complete fills in what t leaves open with what the configuration says about alias, the host's own options before the
// files; with hops, the hops before it too. What t says already stands, but for what the command line says.
func (c *Config) Complete(t *transport.Target, alias string, options []string, hops bool) error {
	return c.complete(t, Query{Host: alias}, options, hops, []jump{{t.User, alias, t.Port}})
}

// CompleteHop is Complete for a machine on the way to others: how those are reached on the command line is not how it is.
func (c *Config) CompleteHop(t *transport.Target, alias string, options []string, hops bool) error {
	hop := c.with(slices.DeleteFunc(slices.Clone(c.CommandLine), func(o string) bool {
		key, _ := splitLine(o)
		return key == "proxyjump" || key == "proxycommand"
	}))
	return hop.complete(t, Query{Host: alias}, options, hops, []jump{{t.User, alias, t.Port}})
}

// with is the same configuration with another command line.
func (c *Config) with(options []string) *Config {
	return &Config{CommandLine: options, Logf: c.Logf, Context: c.Context, files: c.files, store: c.store, shared: c.shared, env: c.env, algos: c.algos}
}

func (c *Config) complete(t *transport.Target, q Query, options []string, hops bool, seen []jump) error {
	q = layered(q, t, options, hops)
	s, err := c.Resolve(q)
	if err != nil {
		return err
	}
	if t.Address == q.Host {
		t.Address = s.HostName
	}
	s.login(t)
	s.trust(t)
	s.link(t)
	c.note(q.Host, s)
	return c.way(t, s, q.Host, seen)
}

// layered has a question take part what the inventory says: of the host, and as options.
func layered(q Query, t *transport.Target, options []string, jump bool) Query {
	q.Command = agentCommand
	q.Layers = []Layer{{Source: "settings of " + t.Name, Options: given(t, jump)}, {Source: "options of " + t.Name, Options: options}}
	return q
}

// given is what a target says, as options: it takes part in what matches, and in tokens.
func given(t *transport.Target, jump bool) []string {
	var out []string
	add := func(keyword, value string) {
		if value != "" {
			out = append(out, keyword+" "+value)
		}
	}
	add("User", quoted(t.User))
	if t.Port != 0 {
		add("Port", fmt.Sprint(t.Port))
	}
	add("HostKeyAlias", quoted(t.HostKeyAlias))
	add("ControlPath", quoted(t.ControlPath))
	add("IdentityAgent", quoted(t.IdentityAgent))
	switch {
	case t.ProxyCommand != "":
		add("ProxyCommand", t.ProxyCommand)
	case !jump:
		add("ProxyCommand", "none")
	}
	return out
}

// quoted is an argument as argv_split takes it.
func quoted(s string) string {
	if s == "" {
		return ""
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// fill sets what is not set, or what the command line says.
func fill[V comparable](s *Settings, to *V, from V, keyword string) {
	var zero V
	if s.IsSet(keyword) && (*to == zero || s.layer(keyword) == 0) {
		*to = from
	}
}

func fillList(s *Settings, to *[]string, from []string, keyword string) {
	if s.IsSet(keyword) && (len(*to) == 0 || s.layer(keyword) == 0) {
		*to = from
	}
}

// login is who logs in and how.
func (s *Settings) login(t *transport.Target) {
	fill(s, &t.User, s.User, "user")
	fill(s, &t.Port, s.Port, "port")
	fill(s, &t.IdentitiesOnly, s.IdentitiesOnly, "identitiesonly")
	if s.IsSet("identityagent") { // of the inventory too, which may name a variable or have tokens
		t.IdentityAgent = s.IdentityAgent
	}
	fill(s, &t.BatchMode, s.BatchMode, "batchmode")
	fill(s, &t.PasswordPrompts, s.NumberOfPasswordPrompts, "numberofpasswordprompts")
	if len(t.IdentityFiles) == 0 || s.layer("identityfile") == 0 {
		if t.IdentityFiles = s.IdentityFiles; s.NoIdentities {
			t.IdentityFiles = []string{"none"}
		}
	}
	if len(t.CertificateFiles) == 0 || s.layer("certificatefile") == 0 {
		t.CertificateFiles = s.CertificateFiles
	}
	fillList(s, &t.PubkeyAlgorithms, s.PubkeyAcceptedAlgorithms, "pubkeyacceptedalgorithms")
	fill(s, &t.RequiredRSASize, s.RequiredRSASize, "requiredrsasize")
	if len(t.Authentications) == 0 {
		t.Authentications = s.authentications()
	}
}

// authentications are the methods that are left, nil if nothing is said of them.
func (s *Settings) authentications() []string {
	allowed := map[string]bool{
		"publickey": s.PubkeyAuthentication, "keyboard-interactive": s.KbdInteractiveAuthentication, "password": s.PasswordAuthentication,
	}
	order := s.PreferredAuthentications
	if order == nil {
		order = []string{"publickey", "keyboard-interactive", "password"}
		if allowed["publickey"] && allowed["keyboard-interactive"] && allowed["password"] {
			return nil
		}
	}
	out := []string{}
	for _, m := range order {
		if allowed[m] {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return []string{"none"}
	}
	return out
}

// trust is by what the host's key is known.
func (s *Settings) trust(t *transport.Target) {
	fill(s, &t.HostKeyAlias, s.HostKeyAlias, "hostkeyalias")
	fill(s, &t.HashKnownHosts, s.HashKnownHosts, "hashknownhosts")
	t.NoHostAuthenticationForLocalhost = s.NoHostAuthenticationForLocalhost
	fillList(s, &t.HostKeyAlgorithms, s.HostKeyAlgorithms, "hostkeyalgorithms")
	fillList(s, &t.CASignatureAlgorithms, s.CASignatureAlgorithms, "casignaturealgorithms")
	policy := map[string]string{
		"yes": transport.PolicyStrict, "ask": transport.PolicyAsk, "accept-new": transport.PolicyAcceptNew, "no": transport.PolicyOff,
	}[s.StrictHostKeyChecking]
	fill(s, &t.HostKeyPolicy, policy, "stricthostkeychecking")
	t.RevokedHostKeys = s.RevokedHostKeys
	t.KnownHostsCommand = s.KnownHostsArgs
	if len(t.KnownHosts) == 0 && (s.IsSet("userknownhostsfile") || s.IsSet("globalknownhostsfile")) || s.layer("userknownhostsfile") == 0 {
		if t.KnownHosts = s.UserKnownHostsFile; len(t.KnownHosts) == 0 { // the first takes new keys, which no system's file may
			t.KnownHosts = []string{"/dev/null"}
		}
		t.KnownHosts = append(t.KnownHosts[:len(t.KnownHosts):len(t.KnownHosts)], s.GlobalKnownHostsFile...)
	}
}

// link is how the connection is made and kept.
func (s *Settings) link(t *transport.Target) {
	fillList(s, &t.KexAlgorithms, s.KexAlgorithms, "kexalgorithms")
	fillList(s, &t.Ciphers, s.Ciphers, "ciphers")
	fillList(s, &t.MACs, s.MACs, "macs")
	fill(s, &t.ConnectTimeout, s.ConnectTimeout, "connecttimeout")
	fill(s, &t.ConnectionAttempts, s.ConnectionAttempts, "connectionattempts")
	interval := s.ServerAliveInterval
	if interval == 0 {
		interval = -1 // none
	}
	fill(s, &t.ServerAliveInterval, interval, "serveraliveinterval")
	fill(s, &t.ServerAliveCountMax, s.ServerAliveCountMax, "serveralivecountmax")
	fill(s, &t.BindAddress, s.BindAddress, "bindaddress")
	fill(s, &t.BindInterface, s.BindInterface, "bindinterface")
	fill(s, &t.Persist, s.persist(), "controlpersist")
	if s.AddressFamily != "any" {
		fill(s, &t.AddressFamily, s.AddressFamily, "addressfamily")
	}
	if s.IsSet("controlpath") {
		t.ControlPath = s.ControlPath
	}
}

// persist is what ControlPersist means for a connection that labctl keeps itself.
func (s *Settings) persist() time.Duration {
	switch s.ControlPersist {
	case "no", "false":
		return -1
	case "yes", "true":
		return transport.Forever
	}
	seconds, err := parseInterval(s.ControlPersist)
	if err != nil || seconds == 0 { // the former has been refused before; 0 is yes
		return transport.Forever
	}
	return time.Duration(seconds) * time.Second
}

// way sets the hops before the target, or the program in place of them. seen are the target and those behind it, as they were
// asked for.
func (c *Config) way(t *transport.Target, s *Settings, name string, seen []jump) error {
	if s.layer("proxycommand") == 0 || s.layer("proxyjump") == 0 {
		t.Via = nil // the command line goes before the inventory
	}
	if t.Via != nil {
		t.ProxyCommand = ""
		return nil
	}
	if s.proxyCommandRaw == "-" {
		return errors.New("ProxyCommand -: labctl has no connection on its standard input")
	}
	if s.layer("proxycommand") == 1 { // the inventory's own
		name = t.Name
	}
	var err error
	t.ProxyUseFdpass = s.proxyCommandRaw != "" && s.r.flag("proxyusefdpass", false)
	if t.ProxyCommand, err = transport.ExpandProxyCommand(s.proxyCommandRaw, t, name); err != nil {
		return fmt.Errorf("resolve %s: %w", name, err)
	}
	for i, spec := range s.ProxyJump {
		j, err := parseJump(shellRead(spec))
		if err != nil || !validHop(j) {
			return fmt.Errorf("resolve %s: %w", name, orElse(err, notAJump(spec)))
		}
		path := seen
		if i > 0 {
			path = nil // what is before this one is said by the list
		}
		if t.Via, err = c.hop(j, t.Via, path); err != nil {
			return err
		}
	}
	return nil
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// hop resolves a hop by its own name. The first of a chain may have hops of its own before it; for later ones the list
// replaces theirs, as ssh -J does. The options of the command line are the host's.
func (c *Config) hop(j jump, via *transport.Target, seen []jump) (*transport.Target, error) {
	loop := slices.Contains(seen, j)
	seen = append(seen[:len(seen):len(seen)], j)
	if loop {
		var names []string
		for _, s := range seen {
			names = append(names, s.host)
		}
		return nil, fmt.Errorf("resolve %s: the jump hosts form a loop: %s", names[0], strings.Join(names, " via "))
	}
	t := &transport.Target{Name: j.host, Address: j.host, User: j.user, Port: j.port, Via: via}
	return t, c.with(nil).complete(t, Query{Host: j.host, User: j.user, Port: j.port}, nil, via == nil, seen)
}

// shellRead takes off a hop what the shell does by which ssh starts the ssh that goes there: blanks around it, and quotes.
func shellRead(hop string) string {
	hop = strings.Trim(hop, whitespace)
	for _, quote := range []string{`"`, `'`} {
		if inner, ok := strings.CutPrefix(hop, quote); ok && strings.Count(hop, quote) == 2 && strings.HasSuffix(hop, quote) {
			return strings.TrimSuffix(inner, quote)
		}
	}
	return hop
}

// validHop refuses what a shell could take for something else, as ssh does with names that come from elsewhere.
func validHop(j jump) bool {
	return !strings.HasPrefix(j.host, "-") && !strings.ContainsAny(j.host, " \t\r\n'`\"$\\;&<>|(){},") &&
		!strings.HasPrefix(j.user, "-") && !strings.ContainsAny(j.user, "'`\";&<>|(){}")
}

// note tells once of each setting that has no effect.
func (c *Config) note(host string, s *Settings) {
	if c.Logf == nil {
		return
	}
	for keyword, off := range map[string]string{"compression": "no", "pkcs11provider": "none", "verifyhostkeydns": "no", "gssapiauthentication": "no",
		"addkeystoagent": "no", "checkhostip": "no", "updatehostkeys": "no"} {
		if !s.IsSet(keyword) || word(s.r.value(keyword), off) == off {
			continue
		}
		if _, told := c.shared.notes.LoadOrStore(keyword, true); !told {
			c.Logf("%s: labctl passes over %s of ssh_config", host, keyword)
		}
	}
}
