package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"labctl/transport"
)

func mustLoad(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Load(write(t, "config", text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// way tells the hops of a target, the last first.
func way(t *transport.Target) string {
	var path []string
	for h := t; h != nil; h = h.Via {
		path = append(path, fmt.Sprintf("%s=%s@%s:%d/%s", h.Name, h.User, h.Address, h.Port, h.HostKeyPolicy))
	}
	return strings.Join(path, " ")
}

// Each hop is resolved by its own name, and nothing of the target's settings is applied to it.
func TestTarget(t *testing.T) {
	c := mustLoad(t, `
Host target-host
  HostName 192.168.178.3
  User vagrant
  StrictHostKeyChecking no
  ProxyJump alice@middle:2222,last
Host middle
  HostName 10.0.0.2
  User bob
  IdentityFile /keys/middle
  ProxyJump first
Host last
  ProxyJump ignored
Host first
  HostName 34.89.221.226
Host token
  User carol
  ProxyJump %r@first
Host loop-a
  ProxyJump loop-b
Host loop-b
  ProxyJump loop-a
Host odd
  ProxyJump a$(x)
`)
	for host, want := range map[string]string{
		"target-host": "target-host=vagrant@192.168.178.3:0/off last=@last:0/ middle=alice@10.0.0.2:2222/ first=@34.89.221.226:0/",
		"token":       "token=carol@token:0/ first=carol@34.89.221.226:0/",
	} {
		target, err := c.Target(host)
		if err != nil {
			t.Fatal(err)
		}
		if got := way(target); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for host, word := range map[string]string{"loop-a": "loop-a via loop-b via loop-a", "odd": "a$(x)"} {
		if _, err := c.Target(host); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: error %v does not mention %q", host, err, word)
		}
	}
}

// A hop may have the address of the host, on another port: options are the host's, so that this is no loop, unlike the same in a file.
func TestHopAtTheSameAddress(t *testing.T) {
	box := func() *transport.Target { return &transport.Target{Name: "box", Address: "127.0.0.1", Port: 2323} }
	target := box()
	if err := mustLoad(t, "").Complete(target, "127.0.0.1", []string{"ProxyJump=alice@127.0.0.1:2322"}, true); err != nil {
		t.Fatal(err)
	}
	if got, want := way(target), "box=@127.0.0.1:2323/ 127.0.0.1=alice@127.0.0.1:2322/"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	err := mustLoad(t, "ProxyJump alice@127.0.0.1:2322\n").Complete(box(), "127.0.0.1", nil, true)
	if err == nil || !strings.Contains(err.Error(), "loop") {
		t.Errorf("error %v", err)
	}
}

// The command line goes before the inventory, that before the host's options, and those before the files.
func TestPrecedence(t *testing.T) {
	c := mustLoad(t, "User file\nPort 1\nConnectTimeout 1\nIdentityFile /file\nServerAliveInterval 0\nMatch user inventory\n HostKeyAlias matched\nHost 10.0.0.1\n ProxyJump gw\n")
	c.CommandLine = []string{"Port=4"}
	target := &transport.Target{Name: "web", Address: "10.0.0.1", User: "inventory", Port: 3}
	if err := c.Complete(target, "10.0.0.1", []string{"User=option", "Port=2", "ConnectTimeout=2"}, true); err != nil {
		t.Fatal(err)
	}
	if target.User != "inventory" || target.Port != 4 || target.ConnectTimeout != 2*time.Second || target.HostKeyAlias != "matched" ||
		target.ServerAliveInterval >= 0 || !slices.Equal(target.IdentityFiles, []string{"/file"}) || target.Via == nil || target.Via.Port != 1 {
		t.Errorf("%+v", target)
	}
	hop := &transport.Target{Name: "hop", Address: "hop"}
	c.CommandLine = []string{"ProxyJump=x", "User=cli"}
	if err := c.CompleteHop(hop, "hop", nil, true); err != nil || hop.Via != nil || hop.User != "cli" {
		t.Errorf("%v %+v", err, hop)
	}
	direct := &transport.Target{Name: "direct", Address: "direct", Via: hop}
	c.CommandLine = []string{"ProxyJump=none"}
	if err := c.Complete(direct, "direct", nil, false); err != nil || direct.Via != nil {
		t.Errorf("%v %+v", err, direct)
	}
	own := []string{"/own"}
	files := &transport.Target{Name: "files", Address: "files", IdentityFiles: own, CertificateFiles: own, KnownHosts: own}
	c.CommandLine = []string{"IdentityFile=/cli", "CertificateFile=/cli", "UserKnownHostsFile=/cli", "GlobalKnownHostsFile=none"}
	if err := c.Complete(files, "files", nil, false); err != nil || !slices.Equal(files.IdentityFiles, []string{"/cli", "/file"}) ||
		!slices.Equal(files.CertificateFiles, []string{"/cli"}) || !slices.Equal(files.KnownHosts, []string{"/cli"}) {
		t.Errorf("%v %+v", err, files)
	}
}

func TestPersist(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "ControlPersist no": -1, "ControlPersist yes": transport.Forever, "ControlPersist 0": transport.Forever,
		"ControlPersist 10m": 10 * time.Minute, "ControlMaster auto": 0,
	} {
		if got, err := mustLoad(t, text+"\n").Target("host"); err != nil || got.Persist != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	target := &transport.Target{Name: "a", Address: "a", Persist: time.Second}
	if err := mustLoad(t, "ControlPersist no\n").Complete(target, "a", nil, true); err != nil || target.Persist != time.Second {
		t.Errorf("%+v, %v", target, err)
	}
}

func TestTokens(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("KEYS", "/keys")
	target, err := mustLoad(t, "HostName %h.lab\nUser bob\nPort 2200\nIdentityFile ~/.ssh/%n-%h-%p-%r-100%%\n"+
		"IdentityFile %d/x\nIdentityFile ${KEYS}/y\nUserKnownHostsFile ~/a \"/b c\"\nIdentityAgent none\nProxyCommand nc %h %p\n").Target("box")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/home/me/.ssh/box-box.lab-2200-bob-100%", "/home/me/x", "/keys/y"}; !slices.Equal(target.IdentityFiles, want) {
		t.Errorf("identity files %q", target.IdentityFiles)
	}
	if want := []string{"/home/me/a", "/b c", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}; !slices.Equal(target.KnownHosts, want) {
		t.Errorf("known hosts %q", target.KnownHosts)
	}
	if target.IdentityAgent != "none" || target.ProxyCommand != "nc box.lab 2200" {
		t.Errorf("%+v", target)
	}
}

// A command of Match exec is not waited for once nobody wants to know.
func TestMatchExecEnds(t *testing.T) {
	c := mustLoad(t, "Match exec \"exec sleep 50\"\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	c.Context = ctx
	begin := time.Now()
	_, err := c.Target("a")
	if d := time.Since(begin); err == nil || !strings.Contains(err.Error(), cause.Error()) || d > 5*time.Second {
		t.Errorf("after %s: %v", d, err)
	}
}

// Faults name their file and line.
func TestFaults(t *testing.T) {
	for text, words := range map[string][]string{
		"\nMatch sometimes\n Port 1\n":          {":2:", "sometimes", "localnetwork"},
		"Match localnetwork 10.0.0.1/8\n":       {":1:", "10.0.0.1/8"},
		"IdentityFile /k/%Z\n":                  {":1:", "%Z"},
		"UserKnownHostsFile ${NO_SUCH_THING}\n": {":1:", "NO_SUCH_THING"},
		"ConnectTimeout soon\nPort x\n":         {":1:", "soon", "1 more"},
		"Host\n":                                {":1:", "host"},
		"Nonsense 1\n":                          {":1:", "nonsense"},
		"ProxyCommand -\n":                      {"standard input"},
	} {
		c, err := Load(write(t, "config", text))
		if err == nil {
			_, err = c.Target("a")
		}
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %v does not mention %q", text, err, w)
			}
		}
	}
}

// The user's file goes before the system's, and names of key files add up.
func TestTwoFiles(t *testing.T) {
	c, err := load(source{path: write(t, "user", "Host a\n Port 1\nIdentityFile /i\n"), user: true},
		source{path: write(t, "system", "Port 2\nUser s\nIdentityFile /i\nIdentityFile /j\n")})
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.Target("a")
	if err != nil || target.Port != 1 || target.User != "s" || !slices.Equal(target.IdentityFiles, []string{"/i", "/i", "/j"}) {
		// As ssh has it: the same name counts once per file of the two.
		t.Errorf("%v %+v", err, target)
	}
}

// The agent that the inventory names is read as ssh_config's is.
func TestIdentityAgentOfTheInventory(t *testing.T) {
	t.Setenv("MY_AGENT", "/run/agent")
	t.Setenv("HOME", "/home/alice")
	c := mustLoad(t, "Host *\nIdentityAgent none\n")
	for says, want := range map[string]string{
		"$MY_AGENT": "/run/agent", "${MY_AGENT}.1": "/run/agent.1", "$NO_SUCH_AGENT": "none", "none": "none", "SSH_AUTH_SOCK": "",
		"/run/%r/%p": "/run/bob/2222", "~/agent": "/home/alice/agent", "": "none",
	} {
		target := &transport.Target{Name: "box", Address: "box", User: "bob", Port: 2222, IdentityAgent: says}
		if err := c.Complete(target, "box", nil, true); err != nil {
			t.Errorf("%q: %v", says, err)
		} else if target.IdentityAgent != want {
			t.Errorf("%q is %q, not %q", says, target.IdentityAgent, want)
		}
	}
}
