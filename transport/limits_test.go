package transport_test

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// What sshd says when it takes no more logins, and what it says of an address that it bars. The latter came with OpenSSH 9.8
// (sshd.c, drop_connection): its words are recorded.
func TestSSHDsThatTurnAway(t *testing.T) {
	me := newLogin(t)
	full := transporttest.NewSSHD(t, me.keys(), "MaxStartups 1:100:1")
	first, err := net.Dial("tcp", full.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if said, err := bufio.NewReader(first).ReadString('\n'); err != nil || !strings.HasPrefix(said, "SSH-") {
		t.Fatal(said, err)
	}
	bars := transporttest.Serve(t, func(c net.Conn) { _, _ = c.Write([]byte("Not allowed at this time\r\n")) })
	other := transporttest.Serve(t, func(c net.Conn) { _, _ = c.Write([]byte("220 mail.example.org ESMTP\r\n")) })
	silent := transporttest.Serve(t, func(net.Conn) {})
	for addr, words := range map[string][]string{
		full.Addr: {"more logins are under way there than its sshd takes", "MaxStartups", "--forks"},
		bars:      {"bars this address for a while", "PerSourcePenalties", "identity_file"},
		other:     {`the server said "220 mail.example.org ESMTP"`, "is it an SSH port?"},
		silent:    {"hung up before it said its SSH version", "MaxStartups", "PerSourcePenalties", "fail2ban"},
	} {
		behind := me.target(t, "boxA", addr, full.HostKey)
		hop := me.target(t, "hop", addr, full.HostKey)
		behind.Via = hop
		for _, target := range []*transport.Target{hop, behind} {
			_, err := newPool(t, transport.Options{Retries: -1}).Dial(t.Context(), target)
			if e := asError(t, err); e.Phase != transport.PhaseBanner || e.Hop != "hop" || e.Target != target.Name {
				t.Errorf("target %s, hop %s, phase %s", e.Target, e.Hop, e.Phase)
			}
			mention(t, err, words...)
		}
	}
}

// What sshd may say of forwarding, of which AllowTcpForwarding "remote" allows another kind, and what of sessions.
func TestSSHDsThatForbid(t *testing.T) {
	me := newLogin(t)
	far := transporttest.NewSSHD(t, me.keys())
	for setting, allowed := range map[string]bool{
		"AllowTcpForwarding no": false, "AllowTcpForwarding remote": false, "AllowTcpForwarding local": true,
		"PermitOpen none": false, "PermitOpen 192.0.2.1:22": false, "PermitOpen " + far.Addr: true, "DisableForwarding yes": false,
		"MaxSessions 0": true,
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			jump := transporttest.NewSSHD(t, me.keys(), setting)
			hop := me.target(t, "bastion", jump.Addr, jump.HostKey)
			target := me.target(t, "boxA", far.Addr, far.HostKey)
			target.Via = hop
			p := newPool(t, transport.Options{})
			c, err := p.Dial(t.Context(), target)
			if allowed {
				if err != nil {
					t.Fatal(err)
				}
				if _, status := run(t, c, "true", ""); status != 0 {
					t.Error("nothing runs")
				}
			} else {
				if e := asError(t, err); e.Phase != transport.PhaseChannel || e.Target != "boxA" || e.Via != "bastion" {
					t.Errorf("phase %s, target %s, via %s", e.Phase, e.Target, e.Via)
				}
				mention(t, err, "sshd on bastion forbids forwarding", "AllowTcpForwarding", "PermitOpen", "DisableForwarding", "permitopen", "relay = true for bastion")
			}
			if !strings.HasPrefix(setting, "MaxSessions") {
				return
			}
			_, err = dial(t, p, hop).Start(t.Context(), "true")
			if err == nil {
				t.Fatal("a session")
			}
			mention(t, err, "open session on bastion", "MaxSessions")
		})
	}
}
