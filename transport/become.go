package transport

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
)

// The methods of becoming another user.
const (
	BecomeSudo = "sudo"
	BecomeDoas = "doas"
	BecomeSu   = "su"
)

// Become says how to run as another user of a machine. It remembers how the machine has behaved, so that the next command
// costs less: use one for all that runs on a machine as that user.
type Become struct {
	User   string   // empty: stay the login user
	Method string   // one of the Become constants; empty: sudo
	Flags  []string // options of the method's command; nil: -H for sudo, none for the others
	// Password is called when the machine wants the password, with what it has just refused, "" the first time. It may
	// ask the user and take its time; an error ends the attempt. nil: nobody knows it, and who wants one fails at once.
	Password func(ctx context.Context, refused string) (string, error)
	// Judged is called when it shows what came of a password: nil, the user has changed; else why nobody has. It may be nil.
	Judged func(error)
	// Known says that Password need not ask anybody: it pays to expect the question.
	Known bool

	mu    sync.Mutex
	asks  bool // it has wanted a password
	quiet bool // it has let us through without one
	tty   bool // it wants a terminal
}

// none reports whether nobody is to become anybody.
func (b *Become) none() bool { return b == nil || b.User == "" }

func (b *Become) method() string {
	if b.Method == "" {
		return BecomeSudo
	}
	return b.Method
}

// manner is how one command is run as another user: what the two ends have agreed on.
type manner struct {
	become *Become
	token  string // makes the words of the dialogue one's own
	// tty runs the command on a terminal. What sets its modes to ask a password throws away what was typed before, hence
	// nothing may be sent until the command itself says that it runs.
	tty bool
	// hold does the same without a terminal, for what cannot be sent twice.
	hold bool
	// dumb says that there is no dialogue: who wants a password fails.
	dumb bool
}

// manner decides how to run the next command. once says that its input cannot be written twice.
func (b *Become) manner(once bool) manner {
	if b.none() {
		return manner{become: b}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := manner{become: b, token: newToken(), tty: b.tty || b.method() == BecomeDoas && b.Known && !b.quiet}
	m.dumb = !m.tty && (b.Password == nil || b.method() == BecomeDoas)
	m.hold = m.tty || once && !m.dumb && !b.quiet
	return m
}

// judge tells what came of a password.
func (b *Become) judge(err error) {
	if b.Judged != nil {
		b.Judged(err)
	}
}

// WithheldError is what Password returns if there is a password, but not for that machine now.
type WithheldError struct{ Why string }

func (e *WithheldError) Error() string { return e.Why }

// learn notes how the machine has behaved.
func (b *Become) learn(asked bool) {
	if asked {
		b.judge(nil)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asks = b.asks || asked
	b.quiet = !b.asks
}

// terminalWanted matches what sudo and su say when they want a terminal (requiretty in sudoers(5); messages are translated,
// this word mostly is not), and what comes of a sudo or an awk that does not understand askpassScript.
var terminalWanted = regexp.MustCompile(`(?i)tty|terminal|askpass|awk|no password was provided`)

// wantsTTY reports whether a command failed as it does where a terminal is wanted, and nobody has tried one yet.
func (b *Become) wantsTTY(err error) bool {
	var failed *AgentError
	if b.none() || !errors.As(err, &failed) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tty || b.asks {
		return false
	}
	b.tty = terminalWanted.MatchString(failed.Stderr) ||
		b.method() == BecomeDoas && b.Password != nil && strings.Contains(failed.Stderr, "doas: Auth")
	return b.tty
}
