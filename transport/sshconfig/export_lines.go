package sshconfig

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"labctl/transport"
)

// lines are the settings of one entry in the making.
type lines struct {
	text strings.Builder
	err  error // the first fault
}

// add writes a line, but for one without a value.
func (b *lines) add(keyword string, args ...string) {
	written := make([]string, 0, len(args))
	for _, a := range args {
		if a == "" {
			continue
		}
		if strings.ContainsAny(a, "\r\n\x00") {
			b.fail(fmt.Errorf("%s: a file of ssh_config cannot hold a value with a line break", keyword))
		}
		written = append(written, argument(a))
	}
	if len(written) > 0 {
		fmt.Fprintf(&b.text, "  %s %s\n", keyword, strings.Join(written, " "))
	}
}

func (b *lines) number(keyword string, n int) {
	if n != 0 {
		b.add(keyword, strconv.Itoa(n))
	}
}

func (b *lines) flag(keyword string, on bool) {
	if on {
		b.add(keyword, "yes")
	}
}

// paths writes names of files, for keywords that replace tokens and variables in them: one a line, or all on one.
func (b *lines) paths(keyword string, one bool, paths []string) {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = b.path(keyword, p)
		if !one {
			b.add(keyword, out[i])
		}
	}
	if one {
		b.add(keyword, out...)
	}
}

func (b *lines) path(keyword, path string) string {
	if isNone(path) || path == "SSH_AUTH_SOCK" {
		return path
	}
	if strings.Contains(path, "${") {
		b.fail(fmt.Errorf("%s: ssh takes ${ in %q for a variable", keyword, path))
	}
	full, err := expandTilde(path)
	if err == nil && !strings.HasPrefix(full, "$") {
		full, err = filepath.Abs(full)
	}
	b.fail(err)
	return percent(full)
}

func (b *lines) comment(format string, args ...any) {
	fmt.Fprintf(&b.text, "  # %s\n", strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
}

func (b *lines) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func percent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// argument quotes what argv_split would take apart or take away.
func argument(s string) string {
	if strings.ContainsAny(s, " \t\"'\\#") {
		return quoted(s)
	}
	return s
}

// settings are the lines of a machine's entry, without those on the hops before it.
func (e *Export) settings(t *transport.Target) (string, error) {
	b := &lines{}
	host, port := t.Address, t.Port
	if t.Dial != "" {
		h, p, err := net.SplitHostPort(t.Dial)
		b.fail(err)
		host = h
		port, _ = strconv.Atoi(p)
	}
	b.add("HostName", percent(bare(host)))
	b.number("Port", port)
	if strings.Contains(t.User, "%") {
		b.fail(fmt.Errorf("user %q: releases of OpenSSH differ about percent signs in it", t.User))
	}
	b.add("User", t.User)
	name, err := e.names.Of(t)
	b.fail(err)
	if plain := (&transport.Target{Address: host, Port: port}).KnownName(); name != plain {
		b.add("HostKeyAlias", name)
	}
	hostKeyLines(b, t)
	loginLines(b, t)
	linkLines(b, t)
	options, _ := e.Declared(t.Name)
	optionLines(b, options)
	return b.text.String(), b.err
}

// hostKeyLines say by what the machine is known. Keys that are pinned come from a command that prints them, in place of all
// files; a fingerprint has no equivalent.
func hostKeyLines(b *lines, t *transport.Target) {
	policy := map[string]string{
		transport.PolicyStrict: "yes", transport.PolicyAsk: "ask", transport.PolicyAcceptNew: "accept-new", transport.PolicyOff: "no",
	}[t.HostKeyPolicy]
	pins, prints := pinned(t)
	for _, p := range prints {
		b.comment("host_key %s: compare it with what ssh shows, which has no setting for it", p)
	}
	if pins != nil {
		b.add("KnownHostsCommand", append([]string{"/usr/bin/printf", `%%s\n`}, pins...)...)
		b.add("UserKnownHostsFile", "/dev/null")
		b.add("GlobalKnownHostsFile", "/dev/null")
		policy = "yes"
	} else if len(t.KnownHosts) > 0 {
		b.paths("UserKnownHostsFile", true, t.KnownHosts)
		b.add("GlobalKnownHostsFile", "/dev/null")
	}
	if pins == nil && len(t.KnownHostsCommand) > 0 {
		b.add("KnownHostsCommand", t.KnownHostsCommand...)
	}
	b.add("StrictHostKeyChecking", policy)
	revoked := make([]string, len(t.RevokedHostKeys))
	for i, path := range t.RevokedHostKeys {
		var err error
		revoked[i], err = expandTilde(path)
		b.fail(err)
	}
	b.add("RevokedHostKeys", revoked...)
	b.flag("HashKnownHosts", t.HashKnownHosts)
	b.flag("NoHostAuthenticationForLocalhost", t.NoHostAuthenticationForLocalhost)
	b.add("HostKeyAlgorithms", strings.Join(t.HostKeyAlgorithms, ","))
	b.add("CASignatureAlgorithms", strings.Join(t.CASignatureAlgorithms, ","))
}

// pinned are lines of known_hosts for the keys and authorities that the inventory names, and the fingerprints of keys that
// it does not have. %H is the name that is looked up.
func pinned(t *transport.Target) (known, fingerprints []string) {
	for _, k := range t.HostKeys {
		if f := strings.Fields(k); len(f) >= 2 {
			known = append(known, "%H "+f[0]+" "+f[1])
		} else {
			fingerprints = append(fingerprints, k)
		}
	}
	for _, k := range t.HostCAs {
		if f := strings.Fields(k); len(f) >= 2 {
			known = append(known, "@cert-authority %H "+f[0]+" "+f[1])
		}
	}
	return known, fingerprints
}

func loginLines(b *lines, t *transport.Target) {
	b.paths("IdentityFile", false, t.IdentityFiles)
	b.paths("CertificateFile", false, t.CertificateFiles)
	b.flag("IdentitiesOnly", t.IdentitiesOnly)
	if t.IdentityAgent != "" {
		b.add("IdentityAgent", b.path("IdentityAgent", t.IdentityAgent))
	}
	b.add("PreferredAuthentications", strings.Join(t.Authentications, ","))
	b.add("PubkeyAcceptedAlgorithms", strings.Join(t.PubkeyAlgorithms, ","))
	b.number("RequiredRSASize", t.RequiredRSASize)
	if t.Password != "" {
		b.comment("password: the inventory has one, which no setting of ssh takes: it asks")
	}
	b.number("NumberOfPasswordPrompts", t.PasswordPrompts)
	b.flag("BatchMode", t.BatchMode)
}

func linkLines(b *lines, t *transport.Target) {
	b.add("KexAlgorithms", strings.Join(t.KexAlgorithms, ","))
	b.add("Ciphers", strings.Join(t.Ciphers, ","))
	b.add("MACs", strings.Join(t.MACs, ","))
	b.number("ConnectTimeout", seconds(t.ConnectTimeout))
	b.number("ConnectionAttempts", t.ConnectionAttempts)
	if t.ServerAliveInterval < 0 {
		b.add("ServerAliveInterval", "0")
	} else {
		b.number("ServerAliveInterval", seconds(t.ServerAliveInterval))
	}
	b.number("ServerAliveCountMax", t.ServerAliveCountMax)
	b.add("AddressFamily", t.AddressFamily)
	b.add("BindAddress", t.BindAddress)
	b.add("BindInterface", t.BindInterface)
	if t.ControlPath != "" {
		b.add("ControlPath", b.path("ControlPath", t.ControlPath))
	}
	switch {
	case t.ProxyCommand == "" || isNone(t.ProxyCommand):
	case strings.ContainsAny(t.ProxyCommand, "\r\n\x00"):
		b.fail(errors.New("ProxyCommand: a file of ssh_config cannot hold a command with a line break"))
	default: // it goes to the end of the line, as it is
		fmt.Fprintf(&b.text, "  ProxyCommand %s\n", percent(t.ProxyCommand))
		b.flag("ProxyUseFdpass", t.ProxyUseFdpass)
	}
}

// seconds are what ssh_config counts in, rounded up, since 0 means something else.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// settled are the keywords whose values a target has, under whatever name.
var settled = names(`host match include ignoreunknown hostname user port hostkeyalias addressfamily batchmode canonicalizehostname
	canonicaldomains canonicalizefallbacklocal canonicalizemaxdots canonicalizepermittedcnames hashknownhosts identitiesonly
	kbdinteractiveauthentication passwordauthentication pubkeyauthentication preferredauthentications stricthostkeychecking
	connectionattempts connecttimeout numberofpasswordprompts serveralivecountmax serveraliveinterval bindaddress bindinterface
	ciphers macs kexalgorithms hostkeyalgorithms pubkeyacceptedalgorithms controlpath identityagent identityfile certificatefile
	globalknownhostsfile userknownhostsfile knownhostscommand nohostauthenticationforlocalhost revokedhostkeys proxycommand proxyusefdpass proxyjump tag
	casignaturealgorithms requiredrsasize`)

// optionLines are what is for ssh alone, such as ForwardAgent.
func optionLines(b *lines, options []string) {
	for _, o := range options {
		key, rest := splitLine(o)
		if kw, ok := keywords[key]; ok && !slices.Contains(settled, kw.name) && !strings.ContainsAny(rest, "\r\n\x00") {
			fmt.Fprintf(&b.text, "  %s\n", strings.TrimSpace(o))
		}
	}
}
