package sshconfig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// compared are the keywords that labctl uses, as ssh -G prints them.
var compared = names(`user hostname port addressfamily batchmode canonicalizefallbacklocal canonicalizehostname compression controlmaster
	hashknownhosts identitiesonly kbdinteractiveauthentication passwordauthentication pubkeyauthentication stricthostkeychecking
	canonicalizemaxdots connectionattempts numberofpasswordprompts serveralivecountmax serveraliveinterval bindaddress bindinterface
	ciphers controlpath hostkeyalgorithms hostkeyalias identityagent kexalgorithms macs preferredauthentications
	pubkeyacceptedalgorithms identityfile canonicaldomains certificatefile globalknownhostsfile userknownhostsfile forwardagent
	connecttimeout controlpersist proxycommand proxyjump knownhostscommand tag revokedhostkeys nohostauthenticationforlocalhost casignaturealgorithms requiredrsasize`)

// needSSH finds OpenSSH's client; $LABCTL_TEST_SSH is another one to compare with.
func needSSH(t testing.TB) string {
	t.Helper()
	if s := os.Getenv("LABCTL_TEST_SSH"); s != "" {
		return s
	}
	path, err := exec.LookPath("ssh")
	if err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// opensshTable is what the ssh that is compared with knows of algorithms: releases differ in them.
func opensshTable(t testing.TB, ssh string) *algorithmTable {
	t.Helper()
	standard, err := askOpenSSH(ssh, "none", "h")
	if err != nil {
		t.Fatal(err)
	}
	table := algorithmTable{}
	for key := range openssh {
		out, err := exec.Command(ssh, "-Q", strings.Replace(key, "casignature", "HostKey", 1)).Output()
		if err != nil {
			t.Fatalf("ssh -Q %s: %v", key, err)
		}
		table[key] = algorithmSet{standard: strings.Split(standard[key], ","), all: strings.Fields(string(out))}
	}
	return &table
}

func askOpenSSH(ssh, config, host string, args ...string) (map[string]string, error) {
	cmd := exec.Command(ssh, append(append([]string{"-G", "-F", config}, args...), host)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	got := map[string]string{}
	for l := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), " ")
		if key = strings.ToLower(key); got[key] != "" {
			value = got[key] + "|" + value
		}
		got[key] = value
	}
	return got, nil
}

// dump is what ssh -G would print of the settings, as far as it is compared.
func (s *Settings) dump() map[string]string {
	yes := func(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }
	raw := func(lines []*line) string {
		var out []string
		for _, l := range lines {
			out = append(out, l.arg())
		}
		return strings.Join(out, "|")
	}
	one := func(list []string) string { return orDefault(strings.Join(list, " "), "none") }
	d := map[string]string{
		"user": s.User, "hostname": s.HostName, "port": fmt.Sprint(s.Port), "addressfamily": s.AddressFamily, "batchmode": yes(s.BatchMode),
		"canonicalizefallbacklocal": yes(s.r.flag("canonicalizefallbacklocal", true)),
		"canonicalizehostname":      map[string]string{"yes": "true", "no": "false", "always": "always"}[word(s.r.value("canonicalizehostname"), "no")],
		"compression":               yes(s.Compression),
		"controlmaster":             map[string]string{"yes": "true", "no": "false", "auto": "auto", "ask": "ask", "autoask": "autoask"}[s.ControlMaster],
		"hashknownhosts":            yes(s.HashKnownHosts), "identitiesonly": yes(s.IdentitiesOnly),
		"kbdinteractiveauthentication": yes(s.KbdInteractiveAuthentication), "passwordauthentication": yes(s.PasswordAuthentication),
		"pubkeyauthentication":  map[string]string{"yes": "true", "no": "false", "unbound": "unbound", "host-bound": "host-bound"}[word(s.r.value("pubkeyauthentication"), "yes")],
		"stricthostkeychecking": map[string]string{"yes": "true", "no": "false", "ask": "ask", "accept-new": "accept-new"}[s.StrictHostKeyChecking],
		"canonicalizemaxdots":   fmt.Sprint(s.r.int("canonicalizemaxdots", 1)), "connectionattempts": fmt.Sprint(s.ConnectionAttempts),
		"numberofpasswordprompts": fmt.Sprint(s.NumberOfPasswordPrompts), "serveralivecountmax": fmt.Sprint(s.ServerAliveCountMax),
		"serveraliveinterval": fmt.Sprint(int(s.ServerAliveInterval.Seconds())), "bindaddress": s.BindAddress, "bindinterface": s.BindInterface,
		"ciphers": strings.Join(s.Ciphers, ","), "kexalgorithms": strings.Join(s.KexAlgorithms, ","), "macs": strings.Join(s.MACs, ","),
		"hostkeyalgorithms":        strings.Join(s.HostKeyAlgorithms, ","),
		"pubkeyacceptedalgorithms": strings.Join(s.PubkeyAcceptedAlgorithms, ","),
		"casignaturealgorithms":    strings.Join(s.CASignatureAlgorithms, ","), "requiredrsasize": fmt.Sprint(s.RequiredRSASize),
		"controlpath": s.ControlPath, "hostkeyalias": s.HostKeyAlias, "preferredauthentications": strings.Join(s.PreferredAuthentications, ","),
		"identityfile": raw(s.r.identities), "certificatefile": raw(s.r.certificates),
		"globalknownhostsfile": one(s.GlobalKnownHostsFile), "userknownhostsfile": one(s.UserKnownHostsFile), "revokedhostkeys": one(s.RevokedHostKeys),
		"forwardagent": s.ForwardAgent, "proxycommand": s.proxyCommandRaw, "knownhostscommand": s.KnownHostsCommand, "tag": s.Tag,
		"canonicaldomains": "none", "connecttimeout": "none", "controlpersist": s.ControlPersist,
		"nohostauthenticationforlocalhost": yes(s.r.flag("nohostauthenticationforlocalhost", false)),
	}
	if s.IsSet("connecttimeout") {
		d["connecttimeout"] = fmt.Sprint(int(s.ConnectTimeout.Seconds()))
	}
	if l := s.r.set["canonicaldomains"]; l != nil {
		d["canonicaldomains"] = strings.ReplaceAll(lowerASCII(strings.Join(l.args, " ")+" "), ". ", " ")
		d["canonicaldomains"] = strings.TrimSpace(d["canonicaldomains"])
	}
	if n, err := parseInterval(s.ControlPersist); err == nil {
		if d["controlpersist"] = fmt.Sprint(n); n == 0 {
			d["controlpersist"] = "yes"
		}
	}
	var jumps []string
	for _, j := range s.jumps {
		jumps = append(jumps, j.String())
	}
	d["proxyjump"] = strings.Join(jumps, ",")
	return d
}

// bench is what a comparison needs.
type bench struct {
	ssh   string
	table *algorithmTable
	age   string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if tt, ok := t.(*testing.T); ok {
		tt.Setenv("HOME", me.HomeDir) // which ssh does not ask
		tt.Setenv("LAB_DIR", "/keys")
	}
	b := &bench{ssh: needSSH(t)}
	b.table = opensshTable(t, b.ssh)
	out, _ := exec.Command(b.ssh, "-V").CombinedOutput()
	b.age, _, _ = strings.Cut(string(out), ",")
	return b
}

// differ compares one host of one configuration; "" if alike.
func (b *bench) differ(path, host string, args ...string) string {
	want, wantErr := askOpenSSH(b.ssh, path, host, args...)
	c, err := Load(path)
	var s *Settings
	if err == nil {
		c.algos = b.table
		c.env.version = func() string { return b.age }
		for i := 1; i < len(args); i += 2 {
			c.CommandLine = append(c.CommandLine, args[i])
		}
		s, err = c.Resolve(Query{Host: host})
	}
	if wantErr != nil || err != nil {
		if (wantErr == nil) != (err == nil) {
			return fmt.Sprintf("%s: error %v, OpenSSH %v", host, err, wantErr)
		}
		return ""
	}
	got := s.dump()
	for _, key := range compared {
		w := want[key]
		switch {
		case key == "identityfile" && !s.IsSet(key):
			continue // defaults
		case key == "serveraliveinterval" && !s.IsSet(key) && s.BatchMode:
			continue // Debian's 300 s
		case key == "identityagent":
			if s.IsSet(key) {
				if g := orDefault(s.IdentityAgent, "SSH_AUTH_SOCK"); g != w && !strings.HasPrefix(w, "$") {
					return fmt.Sprintf("%s: %s: %q, OpenSSH %q", host, key, g, w)
				}
			}
			continue
		case key == "revokedhostkeys" && w == "":
			w = "none"
		case key == "tag" && !atLeast(b.age, 9, 4), key == "revokedhostkeys" && !atLeast(b.age, 10, 4):
			continue
		}
		if got[key] != w {
			return fmt.Sprintf("%s: %s: %q, OpenSSH %q", host, key, got[key], w)
		}
	}
	return ""
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
