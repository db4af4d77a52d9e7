package sshconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cases are configurations that OpenSSH and we must read alike, faults included. They are separated by a line of dashes;
// SPACED and INCLUDED stand for files.
const cases = `Host web*
 Port 1
 User a
Host *
 Port 2
 User b
----
Host * !web1
 Port 1
Host *
 Port 2
----
Host web?
 Port 1
Host web
 Port 3
----
Host	"web1"	db
	Port	1
Host 'we b'
 Port 2
----
Host=web1
Port=1
User = x
HostName= h
----
 = Port 5
----
"Port" 5
----
Port" 5
----
Port == 5
----
Host *
 IdentityFile /k/a#1
 IdentityFile "/k/a #1"
 IdentityFile /k/b # a comment
----
Host web1
 IdentityFile /a
Host *
 IdentityFile /b
 IdentityFile /a
----
Host *
 HostName %h.example.com
----
HostName %n
----
HostName %
----
Match all
 Port 1
----
Match all host web1
 Port 1
----
Match host web1 all
 Port 1
----
Match !all
 Port 1
----
Match host a*,web*
 Port 1
----
Match host web1 user nobody
 Port 1
Match host web1
 Port 2
----
Match host web1 exec false
 Port 1
Match host web1 exec true
 Port 2
----
Match !exec false
 Port 7
----
Match exec "test %h = web1 && test %n = web1 && test %% = %%"
 Port 7
----
Match exec "test %Z"
 Port 7
----
Host web1
 HostName real
Match host real
 Port 1
Match originalhost web1
 User x
----
Match !host web1
 Port 1
Match !user nobody
 User y
----
Match host=web1
 Port 1
----
Match host WEB1
 Port 1
----
Host web1
 User bob
Match user bob
 Port 1
Match user Bob
 HostName wrong
----
Match localuser root
 Port 1
Match localuser !root,*
 Port 2
----
Match final host real
 Port 1
Host web1
 HostName real
----
Match final all
 User x
 IdentityFile /f
Host web1
 IdentityFile /a
----
Match canonical
 Port 3
Host *
 Port 4
----
CanonicalizeHostname no
Match canonical
 Port 3
----
Match nonsense
----
Match host
----
Match
----
Match # nothing
----
Match user
----
Host
----
Host # nothing
 Port 5
----
Host ""
----
Host web1
 ProxyJump bob@a:2222,b
----
ProxyJump ssh://bob@a:2222
----
ProxyJump ssh://bob@a:2222/x
----
ProxyJump [::1]:22,[2001:db8::1]
----
ProxyJump 10.0.0.1
----
ProxyJump a,
----
ProxyJump @a
----
ProxyJump a:b:c
----
ProxyJump a:0
----
ProxyJump none # really
----
ProxyJump a # comment
----
Host web1
 ProxyJump none
Host *
 ProxyJump a
----
Host web1
 ProxyJump none
Host *
 ProxyCommand nc %%h 22
----
Host web1
 ProxyCommand nc x 22 # not a comment
Host *
 ProxyJump a
----
Host web1
 ProxyJump a
Host *
 ProxyCommand nc x 22
----
Host web1
 ProxyCommand none
Host *
 ProxyJump a
----
ProxyJump web1
----
ProxyJump root@web1:22
----
ProxyJump bob@web1
----
ProxyCommand ssh -i K vagrant@J nc %h 22
IdentityFile K
User vagrant
----
ProxyCommand ssh -i K -W %h:%p vagrant@J
----
Host web1
 HostName 192.168.178.3
 IdentityFile K
 User vagrant
 ProxyJump jump-host
Host jump-host
 HostName 34.89.221.226
----
HostName 127.0.0.1
Port 8222
HostKeyAlias T
----
StrictHostKeyChecking accept-new
HostKeyAlias BOO%h
IdentitiesOnly yes
ConnectTimeout 1m30
----
StrictHostKeyChecking off
ConnectTimeout 1h2m3s
----
StrictHostKeyChecking maybe
----
ConnectTimeout none
ConnectTimeout 5
----
ConnectTimeout 5x
----
ServerAliveInterval 1w
ServerAliveCountMax 0
----
ServerAliveCountMax -1
----
ServerAliveCountMax 99999999999
----
ServerAliveInterval 99999999999
----
Include INCLUDED
Host *
 User later
----
Host db
 Include INCLUDED
Host *
 User later
----
Include "SPACED/*"
----
Include /nonexistent/*
Port 7
----
Include ""
----
Include
----
hOST WEB1
 pORT 1
Host web1
 Port 2
----
Port 99999
----
Port 0
----
Port ssh
----
Port +22
----
Port " 22"
----
Port 22 23
----
Port
----
Port #22
----
Port ""
----
User "x
----
User 'x y'
----
User x\ y
----
User a\"b
----
User "a\\b"
----
User "a\zb"
----
Nonsense yes
----
IgnoreUnknown Non*
Nonsense yes
----
Host db
 IgnoreUnknown Non*
Host *
 Nonsense yes
----
Nonsense yes
IgnoreUnknown Non*
----
IgnoreUnknown useKeychain,addKeys*
UseKeychain yes
----
Host db
 Nonsense yes
----
UserKnownHostsFile ~/a "/b c" /d
GlobalKnownHostsFile /e /f
----
UserKnownHostsFile none
GlobalKnownHostsFile none
----
UserKnownHostsFile none /a
----
UserKnownHostsFile /k/%h-%n-%p-%r-%u-%d-%i-%k-%L-%l-%%-%C
HostName real
Port 2200
User bob
----
UserKnownHostsFile /k/%Z
----
UserKnownHostsFile ${LAB_DIR}/x ~root/y
----
UserKnownHostsFile ${NO_SUCH}/x
----
UserKnownHostsFile ~nobodyhere/x
----
ControlPath ~/.ssh/%C-${LAB_DIR}
ControlMaster auto
ControlPersist 10m
----
ControlPath none
ControlPersist yes
----
ControlPath /s/%k
HostKeyAlias FOO
----
ControlMaster sometimes
----
ControlPersist 0
----
ControlPersist forever
----
IdentityAgent none
----
IdentityAgent SSH_AUTH_SOCK
----
IdentityAgent ~/agent-%u
----
IdentityAgent ${NO_SUCH}
----
Host db
 IdentityAgent ${NO_SUCH}
----
IdentityAgent $a-b
----
IdentityFile none
----
CertificateFile /c1
CertificateFile /c2
CertificateFile /c1
----
KexAlgorithms +diffie-hellman-group14-sha1
----
KexAlgorithms -curve25519*
----
KexAlgorithms ^ecdh-sha2-nistp521
----
KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256
----
KexAlgorithms nonsense
----
KexAlgorithms curve*
----
Ciphers aes256-ctr
----
Ciphers +aes128-cbc
Ciphers aes256-ctr
----
Ciphers aes257-ctr
----
Ciphers -aes*
----
MACs ^hmac-sha2-512
----
MACs -*
----
HostKeyAlgorithms ssh-ed25519,rsa-sha2-*
----
HostKeyAlgorithms +ssh-rsa
----
HostKeyAlgorithms ^*cert*
----
HostKeyAlgorithms nope*
----
PubkeyAcceptedKeyTypes +ssh-rsa
----
PubkeyAcceptedAlgorithms -ecdsa*
----
PreferredAuthentications publickey,password
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
----
ChallengeResponseAuthentication no
PubkeyAuthentication unbound
----
PasswordAuthentication perhaps
----
NumberOfPasswordPrompts 1
BatchMode yes
----
AddressFamily inet6
BindAddress 127.0.0.1
BindInterface lo
----
AddressFamily 4
----
ConnectionAttempts 3
----
ConnectionAttempts 0
----
Compression yes
HashKnownHosts yes
----
Compression true
----
ForwardAgent yes
----
ForwardAgent /some/${NO_SUCH}
----
Host *
 HostName fe80::1%%1
----
Host *
 HostName fe80::1%%9999
----
RevokedHostKeys /r
----
CanonicalizeHostname yes
CanonicalizeMaxDots 0
Match canonical
 Port 9
----
CanonicalizeHostname sometimes
----
CanonicalDomains Example.com lab.
----
CanonicalDomains none a
----
CanonicalDomains -a
----
CanonicalizePermittedCNAMEs *.a:*.b
CanonicalizeHostname no
ProxyJump j
----
CanonicalizePermittedCNAMEs nonsense
----
HostName 127.1
----
HostName 0x7f000001
----
HostName 010.0.0.1
----
HostName 1
----
HostName ::0001
----
HostName 2001:DB8::0
----
HostName REAL.Example
Match final host real.example
 Port 5
----
Match final
 User f
Host web1
 HostName MiXed
Host mixed
 Port 6
----
KnownHostsCommand /bin/echo %H
----
KnownHostsCommand none
----
EscapeChar none
LogLevel DEBUG3
RekeyLimit 1G 1h
IPQoS lowdelay throughput
SendEnv LANG LC_*
SetEnv A=b "C=d e"
LocalForward 8080 localhost:80
RemoteForward 9000 /tmp/x
DynamicForward 1080
Tunnel yes
TunnelDevice 0:any
AddKeysToAgent confirm 5m
StreamLocalBindMask 0177
----
EscapeChar xx
----
LogLevel loud
----
RekeyLimit 3
----
RekeyLimit 1X
----
IPQoS fast
----
SendEnv A=b
----
SetEnv A
----
LocalForward 8080
----
LocalForward 8080 nonsense
----
RemoteForward 9000
----
DynamicForward a:b:c:d
----
TunnelDevice x
----
AddKeysToAgent sometimes
----
StreamLocalBindMask 999
----
GSSAPIAuthentication yes
Protocol 2
Cipher blowfish
RSAAuthentication yes
UsePrivilegedPort yes
----
Port 22` + "\x0c" + `
----
Port	22	
----
#Port 1
  # Port 2

Port 3
`

func TestAgainstOpenSSH(t *testing.T) {
	b := newBench(t)
	spaced := filepath.Join(t.TempDir(), "dir with space")
	if err := os.Mkdir(spaced, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(spaced+"/x", []byte("Port 2299\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	included := write(t, "included", "Port 2201\nHost web1\n  User included\nHost other\n  User wrong\n")
	names := strings.NewReplacer("INCLUDED", included, "SPACED", spaced)
	all := strings.Split(cases, "----\n")
	for _, text := range all {
		path := write(t, "config", names.Replace(text))
		for _, host := range []string{"web1", "WEB1"} {
			if d := b.differ(path, host); d != "" {
				t.Errorf("%s in\n%s", d, text)
			}
		}
	}
	t.Logf("%d configurations against %s", len(all), b.age)
}
