package transport_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// person answers questions of the test, in order, and remembers them.
type person struct {
	mu      sync.Mutex
	asked   []transport.Question
	answers [][]string
	before  func() // called before each answer
}

func (u *person) ask(ctx context.Context, q transport.Question) ([]string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, q)
	if u.before != nil {
		u.before()
	}
	if len(u.answers) == 0 {
		return nil, errors.New("nobody is there any more")
	}
	a := u.answers[0]
	u.answers = u.answers[1:]
	return a, nil
}

// strangers are n servers whose keys are not known, all in one known_hosts file.
func strangers(t *testing.T, n int) (targets []*transport.Target, servers []*transporttest.SSHD, file string) {
	me := newLogin(t)
	file = filepath.Join(t.TempDir(), "known_hosts")
	for i := range n {
		s := transporttest.NewSSHD(t, me.keys(), "LoginGraceTime 1")
		target := me.target(t, string(rune('a'+i)), s.Addr, s.HostKey)
		target.KnownHosts = []string{file}
		targets, servers = append(targets, target), append(servers, s)
	}
	return targets, servers, file
}

func dialAll(t *testing.T, p *transport.Pool, targets []*transport.Target) []error {
	errs := make([]error, len(targets))
	var wg sync.WaitGroup
	for i, target := range targets {
		wg.Go(func() { _, errs[i] = p.Dial(t.Context(), target) })
	}
	wg.Wait()
	return errs
}

// All unknown keys are asked about at once, and no connection is open while the user thinks.
func TestUnknownKeysInOneQuestion(t *testing.T) {
	targets, servers, file := strangers(t, 4)
	again := *targets[0] // another name for a machine
	again.Name = "z"
	targets = append(targets, &again)
	u := &person{answers: [][]string{{"yes"}}, before: func() { time.Sleep(1500 * time.Millisecond) }}
	for i, err := range dialAll(t, newPool(t, transport.Options{Ask: u.ask}), targets) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(u.asked) != 1 {
		t.Fatalf("%d questions: %+v", len(u.asked), u.asked)
	}
	q := u.asked[0]
	if q.Title != "The keys of 4 hosts are not known yet:" || !q.Fields[0].Echo {
		t.Errorf("asked %+v", q)
	}
	for i, s := range servers {
		if want := ssh.FingerprintSHA256(s.HostKey); !strings.Contains(q.Text, want) || !strings.Contains(q.Text, s.Addr) {
			t.Errorf("%s of %s is missing from\n%s", want, s.Addr, q.Text)
		}
		if strings.Contains(s.Log(), "Timeout before authentication") {
			t.Errorf("a connection to %d was open while the user thought", i)
		}
	}
	if lines := strings.Count(readFile(t, file), "\n"); lines != 4 {
		t.Errorf("%d lines:\n%s", lines, readFile(t, file))
	}
}

func TestAnswersAboutUnknownKeys(t *testing.T) {
	targets, servers, file := strangers(t, 3)
	second := ssh.FingerprintSHA256(servers[1].HostKey)
	for _, c := range []struct {
		name    string
		answers [][]string
		reached string // names of hosts
		why     string
	}{
		{"no", [][]string{{"No"}}, "", "you said no"},
		{"nothing", [][]string{{""}}, "", "you said no"},
		{"gone", nil, "", "nobody is there any more"},
		{"nonsense", [][]string{{"y"}, {"no"}}, "", "you said no"},
		{"fingerprint, then no", [][]string{{second}, {"no"}}, "b", "you said no"},
		{"yes", [][]string{{"maybe"}, {" YES "}}, "abc", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := &person{answers: c.answers}
			left := targets
			if c.name == "yes" {
				left = []*transport.Target{targets[0], targets[2]} // b is known since the last case
			}
			errs := dialAll(t, newPool(t, transport.Options{Ask: u.ask}), left)
			for i, target := range left {
				if ok := strings.Contains(c.reached, target.Name); ok != (errs[i] == nil) {
					t.Errorf("%s: %v", target.Name, errs[i])
				} else if !ok {
					hostKeyError(t, errs[i])
					mention(t, errs[i], c.why, "was not accepted")
				}
			}
		})
	}
	if text := readFile(t, file); strings.Count(text, "\n") != 3 {
		t.Errorf("written:\n%s", text)
	}
}

// Behind a jump host whose key is unknown too, the targets come second.
func TestUnknownKeysOfAChain(t *testing.T) {
	targets, servers, file := strangers(t, 3)
	targets[1].Via, targets[2].Via = targets[0], targets[0]
	u := &person{answers: [][]string{{"yes"}, {"yes"}}}
	for i, err := range dialAll(t, newPool(t, transport.Options{Ask: u.ask}), targets[1:]) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(u.asked) != 2 || u.asked[0].Hop != "a" || u.asked[0].Title != "The key of a host is not known yet:" || !strings.Contains(u.asked[1].Text, "through a") {
		t.Errorf("asked %+v", u.asked)
	}
	// With the key under another name the question says so.
	alias := *targets[0]
	alias.HostKeyAlias = "box"
	u.answers = [][]string{{"yes"}}
	dial(t, newPool(t, transport.Options{Ask: u.ask}), &alias)
	if want := "this key is known as [127.0.0.1]:"; !strings.Contains(u.asked[2].Text, want) || !strings.Contains(u.asked[2].Text, file+":1") {
		t.Errorf("%q is missing from\n%s", want, u.asked[2].Text)
	}
	_ = servers
}

// A host that does not answer holds the question about the others up for a second only.
func TestDeadHostDoesNotHoldUpAQuestion(t *testing.T) {
	targets, _, _ := strangers(t, 1)
	dead := *targets[0]
	dead.Name = "dead"
	dead.Address, dead.Port = hostPort(transporttest.New(t, transporttest.Config{Hang: transporttest.HangBanner}).Addr)
	dead.ConnectTimeout = 20 * time.Second
	u := &person{answers: [][]string{{"yes"}}}
	pool := newPool(t, transport.Options{Ask: u.ask})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, _ = pool.Dial(ctx, &dead) }()
	start := time.Now()
	dial(t, pool, targets[0])
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
}

// A question about a key is called off when nobody waits for the host any more.
func TestQuestionIsCalledOff(t *testing.T) {
	targets, _, _ := strangers(t, 1)
	asked, off := make(chan struct{}), make(chan struct{})
	pool := newPool(t, transport.Options{Ask: func(ctx context.Context, _ transport.Question) ([]string, error) {
		close(asked)
		<-ctx.Done()
		close(off)
		return nil, context.Cause(ctx)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := pool.Dial(ctx, targets[0]); err == nil {
		t.Error("reached")
	}
	select {
	case <-off:
	case <-time.After(5 * time.Second):
		t.Error("the question is still put")
	}
}

func TestBatchModeAsksNothing(t *testing.T) {
	targets, _, _ := strangers(t, 1)
	targets[0].BatchMode, targets[0].HostKeyPolicy = true, transport.PolicyAsk
	u := &person{answers: [][]string{{"yes"}}}
	_, err := newPool(t, transport.Options{Ask: u.ask}).Dial(t.Context(), targets[0])
	hostKeyError(t, err)
	mention(t, err, "is unknown")
	if len(u.asked) > 0 {
		t.Errorf("asked %+v", u.asked)
	}
}

func TestPinnedHostKeys(t *testing.T) {
	me := newLogin(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, file := transporttest.WriteKey(t, private, "")
	other, _ := transporttest.NewKey(t)
	authority, _ := transporttest.NewKey(t)
	cert := certificate(t, authority, ssh.Certificate{CertType: ssh.HostCert, Key: second.PublicKey(), ValidPrincipals: []string{"127.0.0.1"}})
	s := transporttest.NewSSHD(t, me.keys(), "HostKey "+file, "HostCertificate "+cert)
	for _, c := range []struct {
		name      string
		keys, cas []string
		known     ssh.PublicKey
		fault     string
	}{
		{"key", []string{line(s.HostKey)}, nil, other.PublicKey(), ""},
		{"key with comment", []string{line(s.HostKey) + " root@box"}, nil, other.PublicKey(), ""},
		{"second key", []string{line(second.PublicKey())}, nil, other.PublicKey(), ""},
		{"fingerprint", []string{ssh.FingerprintSHA256(s.HostKey)}, nil, other.PublicKey(), ""},
		{"fingerprint of second", []string{ssh.FingerprintSHA256(second.PublicKey())}, nil, other.PublicKey(), ""},
		{"one of two", []string{line(other.PublicKey()), line(s.HostKey)}, nil, other.PublicKey(), ""},
		{"authority", nil, []string{line(authority.PublicKey())}, other.PublicKey(), ""},
		{"other key", []string{line(other.PublicKey())}, nil, s.HostKey, "has changed: the inventory holds ssh-ed25519 " + ssh.FingerprintSHA256(other.PublicKey())},
		{"other fingerprint", []string{ssh.FingerprintSHA256(other.PublicKey())}, nil, s.HostKey, "has changed: the inventory holds SHA256:"},
		{"other authority", nil, []string{line(other.PublicKey())}, s.HostKey, "is unknown"},
		{"not a key", []string{"ssh-ed25519 AAAA"}, nil, s.HostKey, `host_key "ssh-ed25519 AAAA": it should be one line`},
		{"not a fingerprint", []string{"SHA256:abc"}, nil, s.HostKey, "a fingerprint is SHA256: and 43 characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := me.target(t, "a", s.Addr, c.known)
			target.HostKeys, target.HostCAs, target.HostKeyPolicy = c.keys, c.cas, transport.PolicyAcceptNew
			before := readFile(t, target.KnownHosts[0])
			_, err := newPool(t, transport.Options{}).Dial(t.Context(), target)
			if (err == nil) != (c.fault == "") {
				t.Errorf("got %v", err)
			} else if err != nil {
				mention(t, err, c.fault)
			}
			if readFile(t, target.KnownHosts[0]) != before {
				t.Error("known_hosts has been written to")
			}
		})
	}
}

// Two networks may have the same private address: what one is known by does not count for the other.
func TestPrivateAddressesDoNotCollide(t *testing.T) {
	me := newLogin(t)
	file := filepath.Join(t.TempDir(), "known_hosts")
	var boxes []*transport.Target
	for _, name := range []string{"east", "west"} {
		box := transporttest.NewSSHD(t, me.keys())
		jump := transporttest.New(t, transporttest.Config{Dial: func(string) (string, error) { return box.Addr, nil }})
		hop := me.target(t, name, jump.Addr, jump.HostKey)
		boxes = append(boxes, &transport.Target{Name: "box", Address: "10.0.0.5", User: "root", IdentityFiles: []string{me.file}, IdentityAgent: "none",
			KnownHosts: []string{file}, HostKeyPolicy: transport.PolicyAcceptNew, Via: hop})
	}
	for range 2 {
		for _, box := range boxes {
			dial(t, newPool(t, transport.Options{}), box)
		}
	}
	text := readFile(t, file)
	for _, box := range boxes {
		if _, port := hostPort(box.Via.Address); port != 0 || !strings.Contains(text, box.KnownName()+" ssh-ed25519 ") {
			t.Errorf("%s is missing from\n%s", box.KnownName(), text)
		}
	}
	// What ssh has written under the address counts, and binds.
	other, _ := transporttest.NewKey(t)
	for _, c := range []struct {
		key   ssh.PublicKey
		alias string
		fault string
	}{{other.PublicKey(), "", "give this one a host_key_alias"}, {other.PublicKey(), "east-box", ""}} {
		box := *boxes[0]
		box.KnownHosts, box.HostKeyAlias = []string{transporttest.KnownHosts(t, "10.0.0.5", c.key)}, c.alias
		_, err := newPool(t, transport.Options{}).Dial(t.Context(), &box)
		if (err == nil) != (c.fault == "") {
			t.Errorf("%+v: %v", c, err)
		} else if err != nil {
			mention(t, err, c.fault, "10.0.0.5 has changed")
		}
	}
	// A changed key is told by the name it is written under.
	box := *boxes[0]
	box.KnownHosts = []string{transporttest.KnownHosts(t, box.KnownName(), other.PublicKey())}
	_, err := newPool(t, transport.Options{}).Dial(t.Context(), &box)
	mention(t, err, "the key of "+box.KnownName()+" has changed", "ssh-keygen -R '"+box.KnownName()+"'")
	keygen(t, "-R", box.KnownName(), "-f", box.KnownHosts[0])
	dial(t, newPool(t, transport.Options{}), &box)
}

func TestHashKnownHosts(t *testing.T) {
	targets, servers, file := strangers(t, 1)
	targets[0].HostKeyPolicy, targets[0].HashKnownHosts = transport.PolicyAcceptNew, true
	dial(t, newPool(t, transport.Options{}), targets[0])
	text := readFile(t, file)
	if !strings.HasPrefix(text, "|1|") || strings.Contains(text, "127.0.0.1") || strings.Count(text, "\n") != 1 {
		t.Errorf("written:\n%s", text)
	}
	targets[0].HostKeyPolicy = transport.PolicyStrict
	dial(t, newPool(t, transport.Options{}), targets[0])
	if ok, said := sshSays(t, targets[0], "StrictHostKeyChecking=yes"); !ok {
		t.Errorf("ssh says %s", said)
	}
	_ = servers
}

// As with ssh a file that cannot be written to is no reason to stop, but the key is remembered for the run.
func TestUnwritableKnownHosts(t *testing.T) {
	targets, _, _ := strangers(t, 1)
	targets[0].HostKeyPolicy, targets[0].KnownHosts = transport.PolicyAcceptNew, []string{"/proc/nonexistent/known_hosts"}
	pool := newPool(t, transport.Options{})
	dial(t, pool, targets[0])
	strict := *targets[0]
	strict.HostKeyPolicy = transport.PolicyStrict
	dial(t, pool, &strict)
}

func TestStrangeNamesAreNotWritten(t *testing.T) {
	targets, _, file := strangers(t, 1)
	for _, alias := range []string{"a b", "a,b", "*", "x\ny", "@revoked", "#x", "|1|a"} {
		targets[0].HostKeyPolicy, targets[0].HostKeyAlias = transport.PolicyAcceptNew, alias
		_, err := newPool(t, transport.Options{}).Dial(t.Context(), targets[0])
		if err == nil {
			t.Errorf("%q: reached", alias)
			continue
		}
		mention(t, err, "cannot stand in known_hosts")
	}
	if text, err := filepath.Glob(file); err != nil || len(text) > 0 {
		t.Errorf("written: %s", readFile(t, file))
	}
}
