package transport_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

func TestAlgorithmsOfATarget(t *testing.T) {
	me := newLogin(t)
	old := transporttest.NewSSHD(t, me.keys(), "KexAlgorithms diffie-hellman-group14-sha1", "Ciphers aes128-cbc", "MACs hmac-sha1")
	target := me.target(t, "a", old.Addr, old.HostKey)
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
	if e := asError(t, err); e.Phase != transport.PhaseKex {
		t.Errorf("phase %s", e.Phase)
	}
	mention(t, err, `options = ["Ciphers=+aes128-cbc"]`)
	target = me.target(t, "a", old.Addr, old.HostKey)
	target.KexAlgorithms = []string{"sntrup761x25519-sha512@openssh.com", "diffie-hellman-group14-sha1"}
	target.Ciphers, target.MACs = []string{"aes128-cbc"}, []string{"umac-64@openssh.com", "hmac-sha1"}
	dial(t, newPool(t, transport.Options{}), target)

	target = me.target(t, "a", old.Addr, old.HostKey)
	target.MACs = []string{"umac-64@openssh.com"}
	_, err = newPool(t, transport.Options{}).Dial(t.Context(), target)
	if e := asError(t, err); e.Phase != transport.PhaseSettings {
		t.Errorf("phase %s", e.Phase)
	}
	mention(t, err, "MACs leaves nothing", "umac-64@openssh.com", "hmac-sha2-256")

	strange := transporttest.NewSSHD(t, me.keys(), "MACs umac-64@openssh.com", "Ciphers aes128-ctr")
	_, err = newPool(t, transport.Options{}).Dial(t.Context(), me.target(t, "a", strange.Addr, strange.HostKey))
	mention(t, err, "labctl can do none of what it offers for MACs")
}

func TestWhereToDialFrom(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.BindAddress, target.AddressFamily = "127.0.0.7", "inet"
	dial(t, newPool(t, transport.Options{}), target)
	if !strings.Contains(s.Log(), "Connection from 127.0.0.7 ") {
		t.Error("it was dialled from elsewhere")
	}
	for _, c := range []struct {
		change func(*transport.Target)
		word   string
	}{
		{func(t *transport.Target) { t.AddressFamily = "inet6" }, "suitable"},
		{func(t *transport.Target) { t.AddressFamily = "ipx" }, "none of any, inet and inet6"},
		{func(t *transport.Target) { t.BindInterface = "nosuch0" }, "nosuch0"},
		{func(t *transport.Target) { t.BindInterface = "lo" }, "no address to dial from"},
		{func(t *transport.Target) { t.BindAddress = "192.0.2.77" }, "cannot assign"},
	} {
		target := me.target(t, "a", s.Addr, s.HostKey)
		c.change(target)
		_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
		if e := asError(t, err); e.Phase != transport.PhaseTCP {
			t.Errorf("phase %s", e.Phase)
		}
		mention(t, err, c.word)
	}
}

// A machine that is just coming up refuses at first.
func TestConnectionAttempts(t *testing.T) {
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	addr := closedPort(t)
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.Dial, target.ConnectionAttempts = addr, 3
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	up := time.AfterFunc(500*time.Millisecond, func() {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return
		}
		defer l.Close()
		near, err := l.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", s.Addr)
		if err != nil {
			return
		}
		go func() { _, _ = far.(*net.TCPConn).ReadFrom(near) }()
		_, _ = near.(*net.TCPConn).ReadFrom(far)
	})
	defer up.Stop()
	var said []string
	p := transport.NewPool(transport.Options{Logf: func(f string, _ ...any) { said = append(said, f) }})
	defer p.Close()
	if _, err := p.Dial(ctx, target); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(said, "%v; again in %s") {
		t.Errorf("said %q", said)
	}
}
