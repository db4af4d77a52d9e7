package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// authentications are the methods that are done here, in the order of OpenSSH
// (PreferredAuthentications).
var authentications = []string{"publickey", "keyboard-interactive", "password"}

// authentications are the methods that t permits, in its order.
func (t *Target) authentications() []string {
	if len(t.Authentications) == 0 {
		return authentications
	}
	return slices.DeleteFunc(slices.Clone(t.Authentications), func(m string) bool { return !slices.Contains(authentications, m) })
}

// answers puts what one hop wants to know to the user, or answers for them.
type answers struct {
	target *Target
	pool   *Pool
	ctx    context.Context
	unsafe func() bool // the server is not who it should be: it is told nothing
	pause  func(func() error) error

	given bool // Target.Password or what is remembered was tried
}

// secrets are the passwords that worked or were typed in this run, by target,
// so that a second connection does not ask again.
type secrets struct {
	mu    sync.Mutex
	known map[string]string
}

func (s *secrets) get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.known[key]
	return v, ok
}

func (s *secrets) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]string{}
	}
	s.known[key] = value
}

var (
	errNobody = errors.New("there is nobody to ask (no terminal, or --batch)")
	errUnsafe = errors.New("passwords are withheld, because the host key is wrong")
)

// possible reports whether a password could be given.
func (a *answers) possible() bool {
	_, known := a.pool.secrets.get(a.target.key())
	return a.target.Password != "" || known || a.pool.opts.Ask != nil && !a.target.BatchMode
}

func (a *answers) tries() int {
	if a.target.PasswordPrompts > 0 {
		return a.target.PasswordPrompts
	}
	return 3
}

// stored returns the password that need not be asked for, once.
func (a *answers) stored() (string, bool) {
	if a.given {
		return "", false
	}
	a.given = true
	if a.target.Password != "" {
		return a.target.Password, true
	}
	return a.pool.secrets.get(a.target.key())
}

func (a *answers) password() (string, error) {
	if a.unsafe() {
		return "", errUnsafe
	}
	if p, ok := a.stored(); ok {
		return p, nil
	}
	out, err := a.ask(Question{Hop: a.target.Name, Fields: []Field{{Prompt: fmt.Sprintf("%s@%s's password: ", a.target.user(), a.target.Name)}}})
	if err != nil {
		return "", err
	}
	a.pool.secrets.set(a.target.key(), out[0])
	return out[0], nil
}

// challenge answers keyboard-interactive (RFC 4256). Only a lone question for
// a password is answered by one that is known: codes hold once.
func (a *answers) challenge(name, instruction string, prompts []string, echos []bool) ([]string, error) {
	if len(prompts) == 0 {
		return nil, nil
	}
	if a.unsafe() {
		return nil, errUnsafe
	}
	lone := len(prompts) == 1 && !echos[0] && strings.Contains(strings.ToLower(prompts[0]), "password")
	if lone {
		if p, ok := a.stored(); ok {
			return []string{p}, nil
		}
	}
	q := Question{Hop: a.target.Name, Title: name, Text: instruction}
	for i, p := range prompts {
		q.Fields = append(q.Fields, Field{Prompt: fmt.Sprintf("(%s@%s) %s", a.target.user(), a.target.Name, p), Echo: echos[i]})
	}
	out, err := a.ask(q)
	if err == nil && lone {
		a.pool.secrets.set(a.target.key(), out[0])
	}
	return out, err
}

// ask does not count the time that the user takes as the server's.
func (a *answers) ask(q Question) (out []string, err error) {
	if a.pool.opts.Ask == nil || a.target.BatchMode {
		return nil, errNobody
	}
	err = a.pause(func() error {
		out, err = a.pool.opts.Ask(a.ctx, q)
		return err
	})
	return out, err
}

// methods are what a hop is offered, in the order to try. A server that wants
// two of them says so after the first (RFC 4252, section 5.1).
func (a *answers) methods(ids *identities) []ssh.AuthMethod {
	var out []ssh.AuthMethod
	for _, m := range a.target.authentications() {
		switch {
		case m == "publickey":
			if len(ids.keys) > 0 {
				out = append(out, ids.method())
			}
		case !a.possible():
		case m == "password":
			out = append(out, ssh.RetryableAuthMethod(ssh.PasswordCallback(a.password), a.tries()))
		case m == "keyboard-interactive":
			out = append(out, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(a.challenge), a.tries()))
		}
	}
	return out
}
