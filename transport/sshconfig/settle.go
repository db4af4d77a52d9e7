package sshconfig

import (
	"fmt"
	"os"
	"strings"

	"labctl/transport"
)

// settings turns the lines that were taken into values.
func (r *resolver) settings() (*Settings, error) {
	s := &Settings{
		HostName: r.name, User: r.userNow(), Port: r.portNow(), HostKeyAlias: strings.ToLower(r.value("hostkeyalias")), Tag: r.value("tag"),
		IdentitiesOnly: r.flag("identitiesonly", false), HashKnownHosts: r.flag("hashknownhosts", false),
		NoHostAuthenticationForLocalhost: r.flag("nohostauthenticationforlocalhost", false),
		StrictHostKeyChecking:            word(r.value("stricthostkeychecking"), "ask"),
		PubkeyAuthentication:             word(r.value("pubkeyauthentication"), "yes") != "no", PasswordAuthentication: r.flag("passwordauthentication", true),
		KbdInteractiveAuthentication: r.flag("kbdinteractiveauthentication", true), BatchMode: r.flag("batchmode", false),
		NumberOfPasswordPrompts: r.int("numberofpasswordprompts", 3), RequiredRSASize: r.int("requiredrsasize", 1024),
		ConnectTimeout: r.seconds("connecttimeout"), ConnectionAttempts: r.int("connectionattempts", 1),
		ServerAliveInterval: r.seconds("serveraliveinterval"), ServerAliveCountMax: r.int("serveralivecountmax", 3),
		AddressFamily: word(r.value("addressfamily"), "any"), BindAddress: r.value("bindaddress"), BindInterface: r.value("bindinterface"),
		ControlMaster: word(r.value("controlmaster"), "no"), ControlPersist: word(r.value("controlpersist"), "no"),
		Compression: r.flag("compression", false), r: r,
	}
	if r.set["preferredauthentications"] != nil {
		s.PreferredAuthentications = strings.Split(r.value("preferredauthentications"), ",")
	}
	for _, part := range []func(*Settings) error{r.identity, r.agent, r.proxy, r.hostKeys, r.knownHosts, r.control, r.algorithms} {
		if err := part(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (r *resolver) identity(s *Settings) (err error) {
	if s.IdentityFiles, err = r.keyFiles(r.identities); err != nil {
		return err
	}
	s.NoIdentities = len(r.identities) > 0 && len(s.IdentityFiles) == 0
	s.CertificateFiles, err = r.keyFiles(r.certificates)
	return err
}

// knownHosts takes the command apart, as load_hostkeys_command in OpenSSH's sshconnect.c does: no shell sees it, and its first
// word has no tokens. Those that only the connection knows stay, with all other percent signs doubled.
func (r *resolver) knownHosts(s *Settings) error {
	l := r.set["knownhostscommand"]
	if l == nil || isNone(l.commandText()) {
		return nil
	}
	s.KnownHostsCommand = l.commandText()
	args, err := argvSplit(s.KnownHostsCommand)
	if err != nil {
		return fmt.Errorf("%s: KnownHostsCommand: %w", l.at(), err)
	}
	const late = "\x00" // stands for the percent sign of a token that stays
	for i := 1; i < len(args); i++ {
		args[i], err = expand(args[i], tokensHost+transport.KnownHostsTokens, true, func(c byte) (string, error) {
			if strings.IndexByte(transport.KnownHostsTokens, c) >= 0 {
				return late + string(c), nil
			}
			return r.token(c)
		})
		if err != nil {
			return fmt.Errorf("%s: KnownHostsCommand: %w", l.at(), err)
		}
		args[i] = strings.ReplaceAll(percent(args[i]), late, "%")
	}
	s.KnownHostsArgs = args
	return nil
}

func (r *resolver) keyFiles(lines []*line) ([]string, error) {
	var files []string
	for _, l := range lines {
		if isNone(l.arg()) {
			continue
		}
		path, err := r.expandPath(l, l.arg())
		if err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}

// agent finds the socket. $NAME, without braces, is an older form, and a variable that does not exist means no agent.
func (r *resolver) agent(s *Settings) error {
	s.ForwardAgent = word(r.value("forwardagent"), "no")
	if l := r.set["forwardagent"]; s.ForwardAgent != "yes" && s.ForwardAgent != "no" {
		var err error
		if s.ForwardAgent, err = r.expandPath(l, l.arg()); err != nil {
			return err
		}
	}
	l := r.set["identityagent"]
	if l == nil {
		return nil
	}
	path, err := r.expandPath(l, l.arg())
	switch {
	case err != nil:
		return err
	case path == "SSH_AUTH_SOCK":
		return nil
	case strings.HasPrefix(path, "$") && !strings.HasPrefix(path, "${"):
		path = orDefault(os.Getenv(path[1:]), "none")
	}
	s.IdentityAgent = path
	return nil
}

func (r *resolver) proxy(s *Settings) error {
	s.proxyCommandRaw, s.jumps = r.proxyCommand(), r.jumps
	if s.proxyCommandRaw != "" {
		l := r.set["proxycommand"]
		var err error
		if s.ProxyCommand, err = r.expand(s.proxyCommandRaw, tokensProxy, false); err != nil {
			return l.errorf("ProxyCommand: %w", err)
		}
	}
	for _, j := range r.jumps {
		spec, err := r.expand(j.String(), tokensProxy, false)
		if err != nil {
			return r.set["proxyjump"].errorf("ProxyJump: %w", err)
		}
		s.ProxyJump = append(s.ProxyJump, spec)
	}
	return nil
}

func (r *resolver) hostKeys(s *Settings) (err error) {
	s.UserKnownHostsFile, err = r.expandPaths(r.set["userknownhostsfile"], r.fileNames("userknownhostsfile",
		"~/.ssh/known_hosts", "~/.ssh/known_hosts2"))
	if err != nil {
		return err
	}
	s.GlobalKnownHostsFile = r.fileNames("globalknownhostsfile", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	s.RevokedHostKeys, err = r.expandPaths(r.set["revokedhostkeys"], r.fileNames("revokedhostkeys"))
	return err
}

func (r *resolver) fileNames(key string, standard ...string) []string {
	l := r.set[key]
	switch {
	case l == nil:
		return standard
	case isNone(l.arg()):
		return nil
	}
	return l.args
}

func (r *resolver) control(s *Settings) (err error) {
	if l := r.set["controlpath"]; l != nil && !isNone(l.arg()) {
		s.ControlPath, err = r.expandPath(l, l.arg())
	}
	return err
}

func (r *resolver) algorithms(s *Settings) error {
	for key, to := range map[string]*[]string{
		"kexalgorithms": &s.KexAlgorithms, "ciphers": &s.Ciphers, "macs": &s.MACs,
		"hostkeyalgorithms": &s.HostKeyAlgorithms, "pubkeyacceptedalgorithms": &s.PubkeyAcceptedAlgorithms,
		"casignaturealgorithms": &s.CASignatureAlgorithms,
	} {
		l, set := r.set[key], (*r.c.algos)[key]
		if l == nil {
			*to = set.standard
			continue
		}
		list, err := set.assemble(l.arg())
		if err != nil {
			return l.errorf("%s: %w", l.key, err)
		}
		*to = list
	}
	return nil
}
