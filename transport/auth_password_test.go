package transport_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// passwordServer lets in who knows the password, by the method named, after a
// key if first is set. Go's server stands in here for PAM.
func passwordServer(t *testing.T, method string, first ssh.PublicKey) (addr string, key ssh.PublicKey) {
	host, _ := transporttest.NewKey(t)
	second := &ssh.ServerAuthCallbacks{}
	check := func(p string) (*ssh.Permissions, error) {
		if p == "hunter2" {
			return nil, nil
		}
		return nil, errors.New("wrong")
	}
	switch method {
	case "password":
		second.PasswordCallback = func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) { return check(string(p)) }
	default:
		second.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil {
				return nil, err
			}
			return check(a[0])
		}
	}
	config := &ssh.ServerConfig{PasswordCallback: second.PasswordCallback, KeyboardInteractiveCallback: second.KeyboardInteractiveCallback}
	if first != nil {
		config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
			if string(k.Marshal()) == string(first.Marshal()) {
				return nil, &ssh.PartialSuccessError{Next: *second}
			}
			return nil, errors.New("not this one")
		}}
	}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if _, chans, reqs, err := ssh.NewServerConn(c, config); err == nil {
					go ssh.DiscardRequests(reqs)
					for ch := range chans {
						_ = ch.Reject(ssh.Prohibited, "")
					}
				}
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String(), host.PublicKey()
}

func TestPasswords(t *testing.T) {
	me := newLogin(t)
	for _, method := range []string{"password", "keyboard-interactive"} {
		for _, c := range []struct {
			name     string
			second   bool // after a key
			password string
			answers  [][]string
			asked    int
			fault    string
		}{
			{"asked", false, "", [][]string{{"hunter2"}}, 1, ""},
			{"asked again", false, "", [][]string{{"wrong"}, {"hunter2"}}, 2, ""},
			{"three times", false, "", [][]string{{"a"}, {"b"}, {"c"}}, 3, "not let in"},
			{"given", false, "hunter2", nil, 0, ""},
			{"given wrongly, then asked", false, "x", [][]string{{"hunter2"}}, 1, ""},
			{"after a key", true, "", [][]string{{"hunter2"}}, 1, ""},
			{"after a key, given", true, "hunter2", nil, 0, ""},
			{"given up", false, "", nil, 1, "nobody is there any more"},
		} {
			t.Run(method+", "+c.name, func(t *testing.T) {
				var first ssh.PublicKey
				if c.second {
					first = me.signer.PublicKey()
				}
				addr, key := passwordServer(t, method, first)
				target := me.target(t, "a", addr, key)
				target.Password = c.password
				if !c.second {
					target.Authentications = []string{"keyboard-interactive", "password"}
				}
				u := &person{answers: c.answers}
				target.ConnectTimeout = 2 * time.Second
				if c.name == "asked" { // the user may take longer than the server
					u.before = func() { time.Sleep(2500 * time.Millisecond) }
				}
				pool := newPool(t, transport.Options{Ask: u.ask})
				_, err := pool.Dial(t.Context(), target)
				if len(u.asked) != c.asked || (err == nil) != (c.fault == "") {
					t.Fatalf("asked %d times, %v", len(u.asked), err)
				}
				if err != nil {
					mention(t, err, c.fault)
					return
				}
				if c.password == "" { // a second connection does not ask again
					if _, err := pool.DialFresh(t.Context(), target); err != nil || len(u.asked) != c.asked {
						t.Errorf("again: asked %d times, %v", len(u.asked), err)
					}
				}
				for _, q := range u.asked {
					if q.Fields[0].Echo || !strings.Contains(q.Fields[0].Prompt, "root@a") {
						t.Errorf("asked %+v", q)
					}
				}
			})
		}
	}
}
