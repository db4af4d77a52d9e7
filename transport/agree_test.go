package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/sshconfig"
	"labctl/transport/transporttest"
)

// agreeEnd closes every configuration of the table: what the cases do not say.
const agreeEnd = `
Host *
  HostName 127.0.0.1
  User root
  IdentityFile KEY
  IdentityAgent none
  IdentitiesOnly yes
  StrictHostKeyChecking yes
  UserKnownHostsFile KNOWN
  GlobalKnownHostsFile none
  BatchMode yes
  ConnectTimeout 15
`

// agreeing are configurations, and whether the host called box is reached by them. In capitals: ports, files and keys of the
// bed below. Hops that go in a circle are not among them: the ssh of OpenSSH 9.2 starts itself without end then.
var agreeing = []struct {
	name    string
	reached bool
	config  string
	known   string   // lines of known_hosts; empty: all keys that there are
	options []string // of the command line
}{
	{name: "the key is good", reached: true, config: "Host box\nPort FAR"},
	{name: "the key is another's", config: "Host box\nPort KEYED"},
	{name: "one of two keys is good", reached: true, config: "Host box\nPort KEYED\nIdentityFile OTHERKEY"},
	{name: "no such user", config: "Host box\nPort FAR\nUser nobody-by-this-name"},
	{name: "no authentication by keys", config: "Host box\nPort FAR\nPubkeyAuthentication no"},
	{name: "another method first", reached: true, config: "Host box\nPort FAR\nPreferredAuthentications password,publickey"},
	{name: "another method alone", config: "Host box\nPort FAR\nPreferredAuthentications password"},
	{name: "a password, where nobody can be asked", config: "Host box\nPort PASSWORD"},
	{name: "the server wants two methods", config: "Host box\nPort TWO"},

	{name: "others may read the key", config: "Host box\nPort KEYED\nIdentityFile OPEN"},
	{name: "others may read the key, which the agent has", reached: true, config: "Host box\nPort KEYED\nIdentityFile OPEN\nIdentityAgent AGENT"},
	{name: "only the agent has the key", reached: true, config: "Host box\nPort KEYED\nIdentityAgent AGENT\nIdentitiesOnly no"},
	{name: "only the agent has the key, which is not named", config: "Host box\nPort KEYED\nIdentityAgent AGENT"},
	{name: "only the agent has the key, named by its public half", reached: true, config: "Host box\nPort KEYED\nIdentityFile PUBLIC\nIdentityAgent AGENT"},
	{name: "an agent that is not there", reached: true, config: "Host box\nPort FAR\nIdentityAgent /nonexistent/agent\nIdentitiesOnly no"},

	{name: "a certificate", reached: true, config: "Host box\nPort CERTS\nCertificateFile CERT"},
	{name: "a certificate that has expired", config: "Host box\nPort CERTS\nCertificateFile EXPIRED"},
	{name: "a certificate for another user", config: "Host box\nPort CERTS\nCertificateFile ELSEWHO"},
	{name: "a certificate that is revoked", config: "Host box\nPort REVOKES\nCertificateFile CERT"},
	{name: "a key without the certificate", config: "Host box\nPort CERTS"},

	{name: "unknown, strict", config: "Host box\nPort FAR", known: "# none"},
	{name: "unknown, accept-new", reached: true, config: "Host box\nPort FAR\nStrictHostKeyChecking accept-new", known: "# none"},
	{name: "unknown, no", reached: true, config: "Host box\nPort FAR\nStrictHostKeyChecking no", known: "# none"},
	{name: "unknown, ask, and nobody to ask", config: "Host box\nPort FAR\nStrictHostKeyChecking ask", known: "# none"},
	{name: "changed, strict", config: "Host box\nPort FAR", known: "[127.0.0.1]:FAR OTHERHOST"},
	{name: "changed, accept-new", config: "Host box\nPort FAR\nStrictHostKeyChecking accept-new", known: "[127.0.0.1]:FAR OTHERHOST"},
	{name: "changed, no", reached: true, config: "Host box\nPort FAR\nStrictHostKeyChecking no", known: "[127.0.0.1]:FAR OTHERHOST"},
	{name: "revoked, no", reached: true, config: "Host box\nPort FAR\nStrictHostKeyChecking no", known: "@revoked * FARHOST"},
	{name: "revoked by file", config: "Host box\nPort FAR\nRevokedHostKeys FARHOSTFILE"},
	{name: "revoked by the second of two files", config: "Host box\nPort FAR\nRevokedHostKeys PUBLIC FARHOSTFILE"}, // ssh before 10.3 refuses two
	{name: "unknown, of this computer", reached: true, config: "Host box\nPort FAR\nNoHostAuthenticationForLocalhost yes", known: "# none"},
	{name: "changed, of this computer", reached: true, config: "Host box\nPort FAR\nNoHostAuthenticationForLocalhost yes", known: "[127.0.0.1]:FAR OTHERHOST"},
	{name: "unknown, of this computer by another name", config: "Host box\nPort FAR\nHostKeyAlias x\nNoHostAuthenticationForLocalhost yes", known: "# none"},
	{name: "unknown, of the hop's own computer", config: "Host box\nPort FAR\nProxyJump jump\nNoHostAuthenticationForLocalhost yes\nHost jump\nPort ONE", known: "[127.0.0.1]:ONE ONEHOST"},
	{name: "revoked, of this computer", config: "Host box\nPort FAR\nNoHostAuthenticationForLocalhost yes\nRevokedHostKeys FARHOSTFILE", known: "# none"},
	{name: "known by a command", reached: true, config: "Host box\nPort FAR\nUserKnownHostsFile /dev/null\nKnownHostsCommand /usr/bin/cat KNOWN"},
	{name: "known by a command that is told the key", reached: true,
		config: "Host box\nPort FAR\nUserKnownHostsFile /dev/null\nKnownHostsCommand /usr/bin/printf \"%%s %%s %%s\\n\" %H %t %K"},
	{name: "known by a command, without the port",
		config: "Host box\nPort FAR\nUserKnownHostsFile /dev/null\nKnownHostsCommand /usr/bin/printf \"%%s %%s %%s\\n\" %h %t %K"},
	{name: "known by a command as another host", config: "Host box\nPort FAR\nUserKnownHostsFile /dev/null\nKnownHostsCommand /usr/bin/printf \"%%s %%s %%s\\n\" elsewhere %t %K"},
	{name: "revoked by a command", config: "Host box\nPort FAR\nKnownHostsCommand /usr/bin/printf \"@revoked %%s %%s %%s\\n\" %H %t %K"},
	{name: "changed, by a command", config: "Host box\nPort FAR\nUserKnownHostsFile /dev/null\nKnownHostsCommand /usr/bin/printf \"%%s OTHERHOST\\n\" %H"},
	{name: "a command for known hosts that fails", config: "Host box\nPort FAR\nKnownHostsCommand /usr/bin/false"},
	{name: "a command for known hosts that is not there", reached: true, config: "Host box\nPort FAR\nKnownHostsCommand /nonexistent/command"},
	{name: "a command for known hosts by no path", reached: true, config: "Host box\nPort FAR\nKnownHostsCommand cat KNOWN"},
	{name: "a command for known hosts with a token that is not known", config: "Host box\nPort FAR\nKnownHostsCommand /usr/bin/true %z"},
	{name: "known by the second file", reached: true, config: "Host box\nPort FAR\nUserKnownHostsFile /dev/null KNOWN"},
	{name: "known by the system's file", reached: true, config: "Host box\nPort FAR\nUserKnownHostsFile /dev/null\nGlobalKnownHostsFile KNOWN"},
	{name: "HostKeyAlias", reached: true, config: "Host box\nPort FAR\nHostKeyAlias boxA", known: "boxA FARHOST"},
	{name: "HostKeyAlias, and known by the address", config: "Host box\nPort FAR\nHostKeyAlias boxA"},
	{name: "HostKeyAlias has changed", config: "Host box\nPort FAR\nHostKeyAlias boxA\nStrictHostKeyChecking accept-new", known: "boxA OTHERHOST"},
	{name: "no host key of that type", config: "Host box\nPort FAR\nHostKeyAlgorithms ecdsa-sha2-nistp256"},
	{name: "no cipher in common", config: "Host box\nPort FAR\nCiphers aes256-cbc"},
	{name: "no key exchange in common", config: "Host box\nPort FAR\nKexAlgorithms diffie-hellman-group14-sha1"},

	{name: "the port is another", config: "Host box\nPort CLOSED"},
	{name: "the machine is not there", config: "Host box\nHostName 127.99.99.99\nPort FAR\nConnectTimeout 1"},
	{name: "no SSH there", config: "Host box\nPort MUTE\nConnectTimeout 1"},
	{name: "the name is unknown", config: "Host box\nHostName nowhere.invalid"},
	{name: "from another address", reached: true, config: "Host box\nPort FAR\nBindAddress 127.0.0.7"},
	{name: "from an address that is not ours", config: "Host box\nPort FAR\nBindAddress 192.0.2.7"},
	{name: "the other family", config: "Host box\nPort FAR\nAddressFamily inet6"},

	{name: "one hop", reached: true, config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort ONE"},
	{name: "one hop, by -J", reached: true, config: "Host box\nPort FAR\nHost jump\nPort ONE", options: []string{"ProxyJump=jump"}},
	{name: "a hop by user, host and port", reached: true, config: "Host box\nPort FAR\nProxyJump root@127.0.0.1:ONE"},
	{name: "hops in quotes and between blanks", reached: true, config: "Host box\nPort FAR\nProxyJump \"one\" , 'one'\nHost one\nPort ONE"},
	{name: "a hop as a URI", reached: true, config: "Host box\nPort FAR\nProxyJump ssh://root@127.0.0.1:ONE"},
	{name: "two hops, each with its key", reached: true, config: "Host box\nPort FAR\nProxyJump one,two\nHost one\nPort ONE\nHost two\nPort KEYED\nIdentityFile OTHERKEY"},
	{name: "three hops, each with its user, key and policy", reached: true, known: "[127.0.0.1]:FAR FARHOST\ntwo KEYEDHOST",
		config: "Host box\nPort FAR\nProxyJump one,two,root@three\nHost one\nPort ONE\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n" +
			"Host two\nPort KEYED\nIdentityFile OTHERKEY\nHostKeyAlias two\nHost three\nUser nobody-by-this-name\nPort ONE\nStrictHostKeyChecking accept-new"},
	{name: "a hop behind a hop", reached: true, config: "Host box\nPort FAR\nProxyJump two\nHost two\nPort KEYED\nIdentityFile OTHERKEY\nProxyJump one\nHost one\nPort ONE"},
	{name: "a later hop's own hop does not count", reached: true, config: "Host box\nPort FAR\nProxyJump one,two\nHost two\nPort KEYED\nIdentityFile OTHERKEY\nProxyJump down\nHost one\nPort ONE\nHost down\nPort CLOSED"},
	{name: "the key of the hop is another's", config: "Host box\nPort FAR\nProxyJump two\nHost two\nPort KEYED"},
	{name: "the user of the hop is not there", config: "Host box\nPort FAR\nProxyJump nobody-by-this-name@jump\nHost jump\nPort ONE"},
	{name: "the hop is unknown", config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort ONE", known: "[127.0.0.1]:FAR FARHOST"},
	{name: "the hop is unknown, and the host does not care", config: "Host box\nPort FAR\nProxyJump jump\nStrictHostKeyChecking no\nHost jump\nPort ONE", known: "# none"},
	{name: "the hop is unknown, by an option that is for the host", config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort ONE", known: "# none",
		options: []string{"StrictHostKeyChecking=no"}},
	{name: "the hop has changed", config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort ONE", known: "[127.0.0.1]:FAR FARHOST\n[127.0.0.1]:ONE OTHERHOST"},
	{name: "the middle hop has changed", config: "Host box\nPort FAR\nProxyJump one,two\nHost one\nPort ONE\nHost two\nPort KEYED\nIdentityFile OTHERKEY",
		known: "[127.0.0.1]:FAR FARHOST\n[127.0.0.1]:ONE ONEHOST\n[127.0.0.1]:KEYED OTHERHOST"},
	{name: "the host has changed, behind a hop", config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort ONE", known: "[127.0.0.1]:FAR OTHERHOST\n[127.0.0.1]:ONE ONEHOST"},
	{name: "the hop is down", config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort CLOSED"},
	{name: "the hop forbids forwarding", config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort FORBIDS"},
	{name: "the hop permits another address", config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort PERMITS"},
	{name: "nothing listens, seen from the hop", config: "Host box\nPort CLOSED\nProxyJump jump\nHost jump\nPort ONE"},
	{name: "no hop after all", reached: true, config: "Host box\nPort FAR\nProxyJump none\nHost *\nProxyJump down\nHost down\nPort CLOSED"},
	{name: "no hop, said too late", config: "Host box\nPort FAR\nProxyJump down\nHost b*\nProxyJump none\nHost down\nPort CLOSED"},

	{name: "a command: nc", reached: true, config: "Host box\nPort FAR\nProxyCommand nc %h %p"},
	{name: "a command: ssh -W", reached: true, config: "Host box\nPort FAR\nProxyCommand ssh -F none -o BatchMode=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i KEY -p ONE -W %h:%p root@127.0.0.1"},
	{name: "a command that fails", config: "Host box\nPort FAR\nProxyCommand false"},
	{name: "a command that is not there", config: "Host box\nPort FAR\nProxyCommand /nonexistent/nc %h %p"},
	{name: "a command with a token that there is not", config: "Host box\nPort FAR\nProxyCommand nc %h %q"},
	{name: "a command that passes the connection on", reached: true, config: "Host box\nPort FAR\nProxyUseFdpass yes\nProxyCommand nc -F %h %p"},
	{name: "a command that passes the connection on, of a hop", reached: true,
		config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort ONE\nProxyUseFdpass yes\nProxyCommand nc -F %h %p"},
	{name: "a command that should pass the connection on, and fails", config: "Host box\nPort FAR\nProxyUseFdpass yes\nProxyCommand echo no; false"},
	{name: "a command that passes on a connection to this computer", known: "# none",
		config: "Host box\nPort FAR\nNoHostAuthenticationForLocalhost yes\nProxyUseFdpass yes\nProxyCommand nc -F %h %p"},
	{name: "a command before a hop", reached: true, config: "Host box\nPort FAR\nProxyCommand nc %h %p\nProxyJump down\nHost down\nPort CLOSED"},
	{name: "a hop before a command", config: "Host box\nPort FAR\nProxyJump down\nProxyCommand nc %h %p\nHost down\nPort CLOSED"},
	{name: "no command, before a hop", reached: true, config: "Host box\nPort FAR\nProxyCommand none\nProxyJump down\nHost down\nPort CLOSED"},
	{name: "no hop, before a command", config: "Host box\nPort FAR\nProxyJump none\nProxyCommand false"},
	{name: "a hop by a command", reached: true, config: "Host box\nPort FAR\nProxyJump jump\nHost jump\nPort ONE\nProxyCommand nc %h %p"},

	{name: "CanonicalizeHostname", reached: true, config: "CanonicalizeHostname yes\nCanonicalizeFallbackLocal yes\nHost box\nHostName localhost\nHostKeyAlias x\nPort FAR", known: "x FARHOST"},
	{name: "CanonicalizeHostname, second pass", reached: true, config: "CanonicalizeHostname always\nMatch canonical host localhost\nPort FAR\nHost box\nHostName localhost", known: "[localhost]:FAR FARHOST"},
	{name: "CanonicalizeHostname without a fallback", config: "CanonicalizeHostname yes\nCanonicalDomains nowhere.invalid\nCanonicalizeFallbackLocal no\nHost box\nHostName box\nPort FAR"},
	{name: "Match exec", reached: true, config: "Match originalhost box exec true\nPort FAR\nHost box\nPort CLOSED"},
	{name: "Match exec that fails", config: "Match originalhost box exec false\nPort FAR\nHost box\nPort CLOSED"},
	{name: "Match final", reached: true, config: "Host box\nHostKeyAlias x\nMatch final host 127.0.0.1\nPort FAR", known: "x FARHOST"},
	{name: "the first of a keyword counts", config: "Host box\nPort CLOSED\nHost b*\nPort FAR"},
	{name: "a host that is excepted", reached: true, config: "Host * !box\nPort CLOSED\nHost *\nPort FAR"},
	{name: "Include", reached: true, config: "Include INCLUDED"},
	{name: "Include of nothing", reached: true, config: "Include /nonexistent/*\nHost box\nPort FAR"},
	{name: "an option before the file", config: "Host box\nPort FAR", options: []string{"Port=CLOSED"}},
	{name: "a keyword that there is not", config: "Host box\nPort FAR\nPrt 22"},
	{name: "a wrong value", config: "Host box\nPort FAR\nStrictHostKeyChecking perhaps"},
}

// agreeBed starts what the table speaks of, and returns the names that stand in it.
func agreeBed(t *testing.T) (names []string, known string) {
	me, other := newLogin(t), newLogin(t)
	authority, authorityFile := transporttest.NewKey(t)
	otherHost, _ := transporttest.NewKey(t)
	now := uint64(time.Now().Unix())
	cert := func(c ssh.Certificate) string {
		c.CertType, c.Key = ssh.UserCert, me.signer.PublicKey()
		return certificate(t, authority, c)
	}
	good := cert(ssh.Certificate{ValidPrincipals: []string{"root"}, Serial: 3})
	mute := muteServer(t)
	public := writeConfig(t, line(other.signer.PublicKey())+"\n")
	if err := os.Rename(public, public+".pub"); err != nil {
		t.Fatal(err)
	}
	agentSocket := realAgent(t, other.file)
	_, closed := hostPort(closedPort(t))
	open := writeConfig(t, readFile(t, other.file))
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	trusts := "TrustedUserCAKeys " + authorityFile + ".pub"
	servers := map[string]*transporttest.SSHD{
		"FAR":      transporttest.NewSSHD(t, me.keys(), "MaxStartups 100"),
		"ONE":      transporttest.NewSSHD(t, me.keys(), "MaxStartups 100"),
		"KEYED":    transporttest.NewSSHD(t, other.keys(), "MaxStartups 100"),
		"FORBIDS":  transporttest.NewSSHD(t, me.keys(), "AllowTcpForwarding no"),
		"PERMITS":  transporttest.NewSSHD(t, me.keys(), "PermitOpen 192.0.2.1:22"),
		"CERTS":    transporttest.NewSSHD(t, nil, trusts),
		"REVOKES":  transporttest.NewSSHD(t, nil, trusts, "RevokedKeys "+writeConfig(t, line(me.signer.PublicKey())+"\n")),
		"PASSWORD": transporttest.NewSSHD(t, nil, "PasswordAuthentication yes", "PubkeyAuthentication no"),
		"TWO":      transporttest.NewSSHD(t, me.keys(), "PasswordAuthentication yes", "AuthenticationMethods publickey,password"),
	}
	port := fmt.Sprint(servers["FAR"].Port)
	names = []string{"OTHERKEY", other.file, "OTHERHOST", line(otherHost.PublicKey()), "FARHOSTFILE", writeConfig(t, line(servers["FAR"].HostKey)+"\n"),
		"KEYEDHOST", line(servers["KEYED"].HostKey), "FARHOST", line(servers["FAR"].HostKey), "ONEHOST", line(servers["ONE"].HostKey),
		"PUBLIC", public + ".pub", "OPEN", open, "AGENT", agentSocket, "CERTS", fmt.Sprint(servers["CERTS"].Port), "CERT", good,
		"EXPIRED", cert(ssh.Certificate{ValidPrincipals: []string{"root"}, ValidBefore: now - 10}),
		"ELSEWHO", cert(ssh.Certificate{ValidPrincipals: []string{"alice"}}),
		"CLOSED", fmt.Sprint(closed), "MUTE", fmt.Sprint(mute), "INCLUDED", writeConfig(t, "Host box\nPort "+port+"\n")}
	for name, s := range servers {
		known += fmt.Sprintf("[127.0.0.1]:%d %s\n", s.Port, line(s.HostKey))
		if name != "CERTS" {
			names = append(names, name, fmt.Sprint(s.Port))
		}
	}
	return append(names, "KEY", me.file), known
}

// TestAgreesWithSSH: what ssh reaches by a configuration labctl reaches, and what ssh refuses labctl refuses.
func TestAgreesWithSSH(t *testing.T) {
	names, all := agreeBed(t)
	both := make(chan struct{}, 8) // this many at a time: connect_timeout is short in some
	for _, c := range agreeing {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			both <- struct{}{}
			defer func() { <-both }()
			known := c.known
			if known == "" {
				known = all
			}
			write := func() string {
				in := strings.NewReplacer(append([]string{"KNOWN", writeConfig(t, strings.NewReplacer(names...).Replace(known)+"\n")}, names...)...)
				return writeConfig(t, in.Replace(c.config+agreeEnd))
			}
			var options []string
			for _, o := range c.options {
				options = append(options, strings.NewReplacer(names...).Replace(o))
			}
			theirs, said := sshReaches(t, write(), options)
			ours, err := labctlReaches(t, write(), options)
			if theirs != c.reached {
				t.Errorf("ssh reaches it: %t\n%s", theirs, said)
			}
			if ours != c.reached {
				t.Errorf("labctl reaches it: %t, %v", ours, err)
			}
		})
	}
}

// sshReaches is what ssh says. It has its time, and with it end the processes that it has started for its hops.
func sshReaches(t *testing.T, config string, options []string) (bool, string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"-F", config}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	cmd := exec.CommandContext(ctx, "ssh", append(args, "box", "true")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SHELL=/bin/sh", "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	return err == nil, string(out)
}

func labctlReaches(t *testing.T, config string, options []string) (bool, error) {
	c, err := sshconfig.Load(config)
	if err != nil {
		return false, err
	}
	c.CommandLine = options
	target, err := c.Target("box")
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := newPool(t, transport.Options{})
	conn, err := p.Dial(ctx, target)
	if err != nil {
		return false, err
	}
	_, status := run(t, conn, "true", "")
	return status == 0, conn.Close()
}

// muteServer takes connections and says nothing. It returns its port.
func muteServer(t *testing.T) int {
	t.Helper()
	addr := transporttest.Serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	return int(netip.MustParseAddrPort(addr).Port())
}

// realAgent is OpenSSH's ssh-agent with that key, and with options.
func realAgent(t *testing.T, key string, options ...string) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	agent := exec.Command("ssh-agent", append([]string{"-D", "-a", socket}, options...)...)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
		_ = os.RemoveAll(dir)
	})
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		add := exec.Command("ssh-add", "-q", key)
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		out, err := add.CombinedOutput()
		if err == nil {
			return socket
		}
		if time.Now().After(end) {
			t.Fatalf("ssh-add: %v\n%s", err, out)
		}
	}
}
