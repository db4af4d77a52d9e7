package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"labctl/cmd/labctl/internal/view"
	"labctl/runner"
	"labctl/transport"
)

func (f *runFlags) registerStep(fs *pflag.FlagSet) {
	fs.BoolVar(&f.step, "step", false, "ask before each task whether to perform it; all hosts wait for the answer")
}

// stepper puts the questions of --step: on the terminal, or to whoever writes to standard input where that is none.
type stepper struct {
	app   *app
	view  view.View
	lines *bufio.Reader
}

// stepwise is what asks before each task, or nil.
func (a *app) stepwise(f *runFlags, v view.View) (func(context.Context, runner.Event) (runner.StepAnswer, error), error) {
	if !f.step {
		return nil, nil
	}
	if f.batch {
		return nil, errors.New("--step asks before each task, which --batch forbids: leave one of them out")
	}
	s := &stepper{app: a, view: v}
	if !term.IsTerminal(int(a.in.Fd())) {
		if a.answers == nil { // which labctl-playbook reads on from with its next site
			a.answers = bufio.NewReader(a.in)
		}
		s.lines = a.answers
	} else if err := a.prompter.Available(); err != nil {
		return nil, fmt.Errorf("--step: %w", err)
	}
	return s.ask, nil
}

func (s *stepper) ask(ctx context.Context, e runner.Event) (runner.StepAnswer, error) {
	question := fmt.Sprintf("Perform task: %s (N)o/(y)es/(c)ontinue: ", view.Clean(cmp.Or(e.Task.Heading, e.Task.Name)))
	for {
		answer, err := s.answer(ctx, question)
		if err != nil {
			return runner.StepNo, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "", "n", "no":
			return runner.StepNo, nil
		case "y", "yes":
			return runner.StepYes, nil
		case "c", "continue":
			return runner.StepContinue, nil
		}
		question = fmt.Sprintf("%q is none of n, y and c: ", strings.TrimSpace(answer))
	}
}

func (s *stepper) answer(ctx context.Context, question string) (string, error) {
	if s.lines == nil {
		answers, err := s.app.prompter.Ask(ctx, transport.Question{Fields: []transport.Field{{Prompt: question, Echo: true}}})
		if err != nil {
			return "", err
		}
		return answers[0], nil
	}
	defer s.view.Pause()()
	fmt.Fprint(s.app.err, question)
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() { // it may go on when the run has been interrupted
		text, err := s.lines.ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case l := <-read:
		if l.text == "" && errors.Is(l.err, io.EOF) {
			fmt.Fprintln(s.app.err)
			return "", errors.New("standard input has ended")
		}
		if l.err != nil && !errors.Is(l.err, io.EOF) {
			return "", l.err
		}
		fmt.Fprintln(s.app.err, view.Clean(strings.TrimSpace(l.text)))
		return l.text, nil
	}
}
