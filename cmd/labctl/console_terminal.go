package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"labctl/cmd/labctl/internal/statedir"
	"labctl/cmd/labctl/internal/wholefile"
)

// talk is a session on a terminal. The terminal is in raw mode only while a line is typed: questions of SSH, and Ctrl-C
// meanwhile, are as ever.
func (c *console) talk(ctx context.Context, out *os.File) error {
	fmt.Fprintln(out, "labctl console: type help for help, exit to leave.")
	if t := os.Getenv("TERM"); t == "" || t == "dumb" {
		read := piped(ctx, c.app.in)
		return c.loop(ctx, func(prompt string) (string, error) {
			fmt.Fprint(out, prompt)
			return read(prompt)
		}, true)
	}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{c.app.in, out}, "")
	h := openHistory(t.History)
	t.History = h
	fd := int(c.app.in.Fd())
	return c.loop(ctx, func(prompt string) (string, error) {
		if w, rows, err := term.GetSize(int(out.Fd())); err == nil {
			_ = t.SetSize(w, rows)
		}
		t.SetPrompt(prompt)
		state, err := term.MakeRaw(fd)
		if err != nil {
			return "", err
		}
		defer term.Restore(fd, state) //nolint:errcheck // there is no other state to go to
		line, err := t.ReadLine()
		if err == io.EOF {
			fmt.Fprint(out, "\r\n")
		}
		return line, err
	}, true)
}

// history is that of a terminal, kept for the next session in a file of its user's. Several sessions may add to it at once: each line is
// appended by itself.
type history struct {
	term.History
	path string // "": it is not kept
}

// historyLines is how many lines of the past a session begins with.
const historyLines = 100

// openHistory fills in what is kept. Where that cannot be, there is a history of this session.
func openHistory(in term.History) *history {
	h := &history{History: in}
	dir, err := statedir.Of(os.Getenv)
	if err != nil || os.MkdirAll(dir, 0o700) != nil {
		return h
	}
	h.path = filepath.Join(dir, "console_history")
	past, _ := os.ReadFile(h.path) // there may be none yet
	lines := strings.Split(strings.TrimSpace(string(past)), "\n")
	if many := len(lines) - historyLines; many > 0 {
		lines = lines[many:]
		if many > historyLines { // so that it does not grow for ever
			_ = wholefile.Write(wholefile.File{Path: h.path, Content: []byte(strings.Join(lines, "\n") + "\n"), Private: true})
		}
	}
	for _, l := range lines {
		if l != "" {
			in.Add(l)
		}
	}
	return h
}

// Add keeps a line.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || h.Len() > 0 && h.At(0) == line {
		return
	}
	h.History.Add(line)
	if h.path == "" {
		return
	}
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	fmt.Fprintln(f, line)
	_ = f.Close()
}
