// Package prompt puts transport's questions to the user: on the terminal, as ssh(1) does, or by the program that SSH_ASKPASS
// names. It may not know what is asked, and it keeps no answer.
//
// One question is shown at a time, and the view that has the terminal meanwhile holds its peace. What a question says may
// come from a machine that nobody trusts yet, so it is shown clean.
package prompt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"labctl/cmd/labctl/internal/view"
	"labctl/transport"
)

// errNoAnswer is what an end of file says in place of an answer.
var errNoAnswer = errors.New("no answer was given")

// Prompter asks the user.
type Prompter struct {
	program context.Context // its end is the end of every question
	getenv  func(string) string
	turn    chan struct{}

	mu    sync.Mutex
	pause func() (resume func())
}

// New returns a Prompter for the life of program. Environment variables are read by getenv.
func New(program context.Context, getenv func(string) string) *Prompter {
	return &Prompter{program: program, getenv: getenv, turn: make(chan struct{}, 1), pause: func() func() { return func() {} }}
}

// Over says who draws on the terminal from now on, and how to make them stop for a while.
func (p *Prompter) Over(pause func() (resume func())) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause = pause
}

// Available returns nil if there is somebody to ask, else what is missing.
func (p *Prompter) Available() error {
	_, err := p.choose()
	return err
}

// Ask is a transport.Ask.
func (p *Prompter) Ask(ctx context.Context, q transport.Question) ([]string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.program, func() { cancel(context.Cause(p.program)) })()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := cmp.Or(context.Cause(p.program), context.Cause(ctx)); err != nil { // both may have come at once, and one goes on
		return nil, err
	}
	way, err := p.choose()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	pause := p.pause
	p.mu.Unlock()
	defer pause()()
	return way.ask(ctx, cleaned(q))
}

// ErrNoTerminal says that there is nobody to put a question to.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// way is a way to put a question.
type way interface {
	ask(ctx context.Context, q transport.Question) ([]string, error)
}

// choose decides as ssh's read_passphrase does (readpass.c): the terminal, unless there is none or SSH_ASKPASS_REQUIRE wants
// the program, which else takes a display too.
func (p *Prompter) choose() (way, error) {
	program := askpass{path: p.getenv("SSH_ASKPASS")}
	allowed := p.getenv("DISPLAY") != "" || p.getenv("WAYLAND_DISPLAY") != ""
	wanted := false
	switch require := p.getenv("SSH_ASKPASS_REQUIRE"); require {
	case "force":
		wanted, allowed = true, true
	case "prefer":
		wanted = allowed
	case "never":
		allowed = false
	}
	allowed = allowed && program.path != ""
	var noTerminal error
	if !wanted || !allowed {
		if noTerminal = hasTerminal(); noTerminal == nil {
			return terminal{}, nil
		}
	}
	if allowed {
		return program, nil
	}
	return nil, fmt.Errorf("%w (%w): run labctl on one, or have a program ask by SSH_ASKPASS=PROGRAM and SSH_ASKPASS_REQUIRE=force", ErrNoTerminal, noTerminal)
}

// cleaned is q without what could move a cursor or hide a line.
func cleaned(q transport.Question) transport.Question {
	q.Title, q.Text = oneLine(q.Title), strings.TrimRight(view.Clean(q.Text), "\n")
	fields := make([]transport.Field, len(q.Fields))
	for i, f := range q.Fields {
		fields[i] = transport.Field{Prompt: view.Clean(f.Prompt), Echo: f.Echo}
	}
	q.Fields = fields
	return q
}

func oneLine(s string) string { return strings.ReplaceAll(view.Clean(s), "\n", " ") }

// head is what is shown before the first field.
func head(q transport.Question) string {
	var out strings.Builder
	for _, s := range []string{q.Title, q.Text} {
		if s != "" {
			out.WriteString(s + "\n")
		}
	}
	return out.String()
}
