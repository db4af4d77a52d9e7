package prompt

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"labctl/transport"
)

// askpass is a program that asks: its argument is what to show, the first line of its output is the answer, and an exit status
// other than 0 means that the user gave up (ssh_askpass in readpass.c).
type askpass struct{ path string }

func (a askpass) ask(ctx context.Context, q transport.Question) ([]string, error) {
	answers := make([]string, len(q.Fields))
	for i, f := range q.Fields {
		text := f.Prompt
		if i == 0 {
			text = head(q) + text
		}
		var err error
		if answers[i], err = a.once(ctx, text); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func (a askpass) once(ctx context.Context, text string) (string, error) {
	cmd := exec.CommandContext(ctx, a.path, text)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case cmd.ProcessState == nil:
		return "", fmt.Errorf("ask by SSH_ASKPASS: %w", err)
	case err != nil:
		return "", errNoAnswer
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
