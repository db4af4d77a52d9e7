package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// answers puts what one hop wants to know to the user, or answers for them.
type answers struct {
	target *Target
	pool   *Pool
	unsafe func() bool // the server is not who it should be: it is told nothing

	// Of the connection at hand, see begin.
	ctx   context.Context
	pause func(func() error) error
	given bool   // what is known was tried
	under string // the method under way that has last wanted something
	asked bool   // the user had to think

	last  string // the password that was said last
	typed string // the same, if the user typed it: remembered once it has let us in
}

// begin makes ready for a connection. What was typed in one that the server gave up on meanwhile is good for the next.
func (a *answers) begin(ctx context.Context, pause func(func() error) error) {
	a.ctx, a.pause, a.given, a.asked, a.under = ctx, pause, false, false, ""
}

// secrets are the passwords that were typed in this run and let us in, by target, so that a second connection does not ask
// again.
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

func (s *secrets) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = nil
}

// succeeded remembers the password.
func (a *answers) succeeded() {
	if a.typed != "" {
		a.pool.secrets.set(a.target.key(), a.typed)
	}
}

var (
	errNobody  = errors.New("there is nobody to ask (no terminal, or --batch)")
	errUnsafe  = errors.New("passwords are withheld, because the host key is wrong")
	errExpired = errors.New("the password has expired, and the server wants a new one: log in by hand once")
)

// somebody reports whether the user can be asked.
func (a *answers) somebody() bool { return a.pool.opts.Ask != nil && !a.target.BatchMode }

// possible reports whether a password could be given.
func (a *answers) possible() bool {
	_, known := a.pool.secrets.get(a.target.key())
	return a.target.Password != "" || known || a.somebody()
}

func (a *answers) tries() int {
	if a.target.PasswordPrompts > 0 {
		return a.target.PasswordPrompts
	}
	return 3
}

// stored returns the password that need not be asked for, once a connection. What was typed is newer than the inventory.
func (a *answers) stored() (string, bool) {
	if a.given {
		return "", false
	}
	a.given = true
	p, ok := a.typed, a.typed != ""
	if !ok {
		p, ok = a.pool.secrets.get(a.target.key())
	}
	if !ok {
		p, ok = a.target.Password, a.target.Password != ""
	}
	a.last = p
	return p, ok
}

func (a *answers) password() (string, error) {
	a.under = "password"
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
	a.last, a.typed = out[0], out[0]
	return out[0], nil
}

// challenge answers keyboard-interactive (RFC 4256). Only a lone question for a password is answered by one that is known:
// codes hold once.
func (a *answers) challenge(name, instruction string, prompts []string, echos []bool) ([]string, error) {
	a.under = "keyboard-interactive"
	if len(prompts) == 0 {
		if said := strings.TrimSpace(name + " " + instruction); said != "" {
			a.pool.opts.Logf("%s: %s", a.target.Name, said)
		}
		return nil, nil
	}
	if a.unsafe() {
		return nil, errUnsafe
	}
	kind := kindOf(prompts, echos)
	switch {
	case kind == asksCurrent && a.last != "":
		return []string{a.last}, nil
	case kind == asksPassword || kind == asksCurrent:
		if p, ok := a.stored(); ok {
			return []string{p}, nil
		}
	case kind == asksNew && !a.somebody():
		return nil, errExpired
	}
	out, err := a.ask(a.question(name, instruction, prompts, echos))
	if err == nil && kind != asksOther {
		a.last, a.typed = out[0], out[0]
	}
	return out, err
}

// question has the prompts as ssh shows them. What PAM has said before asking comes in front of its prompt.
func (a *answers) question(name, instruction string, prompts []string, echos []bool) Question {
	q := Question{Hop: a.target.Name, Title: name, Text: instruction}
	for i, p := range prompts {
		if n := strings.LastIndexByte(strings.TrimRight(p, "\r\n"), '\n'); n >= 0 {
			q.Text = strings.TrimLeft(q.Text+"\n"+p[:n], "\n")
			p = p[n+1:]
		}
		q.Fields = append(q.Fields, Field{Prompt: fmt.Sprintf("(%s@%s) %s", a.target.user(), a.target.Name, p), Echo: echos[i]})
	}
	return q
}

// ask does not count the time that the user takes as the server's.
func (a *answers) ask(q Question) (out []string, err error) {
	if !a.somebody() {
		return nil, errNobody
	}
	a.asked = true
	err = a.pause(func() error {
		out, err = a.pool.opts.Ask(a.ctx, q)
		return err
	})
	return out, err
}

// asks is what a server wants to know.
type asks int

const (
	asksOther    asks = iota // a code, or several things at once
	asksPassword             // the one to log in with
	asksCurrent              // the same once more, before it is changed
	asksNew                  // another in its place
)

// kindOf judges by the words of pam_unix, pam_ldap, pam_sss, pam_krb5 and pam_oath, whose codes are called passwords too.
func kindOf(prompts []string, echos []bool) asks {
	if len(prompts) != 1 || echos[0] {
		return asksOther
	}
	lines := strings.Split(strings.TrimSpace(strings.ToLower(prompts[0])), "\n")
	prompt := lines[len(lines)-1]
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(prompt, w) })
	}
	switch {
	case !has("password") || has("one-time", "one time", "otp", "token", "code"):
		return asksOther
	case has("new ", "retype", "re-enter", "reenter", "again", "verify", "confirm"):
		return asksNew
	case has("current", "old "):
		return asksCurrent
	}
	return asksPassword
}
