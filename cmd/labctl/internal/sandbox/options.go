package sandbox

import (
	"errors"
	"io"
)

// Options of Up.
type Options struct {
	// Log receives one line, without a newline, for everything that Up does, as it does it. It is called
	// from Up's own goroutine; nil drops the lines, which State.Changed has as well.
	Log func(line string)
}

// ExecOptions says what to run in a host. If Stdin and Stdout are both a terminal, the command gets one of the
// host's own, joined to it; Stderr is then part of it.
type ExecOptions struct {
	Argv           []string // empty: a login shell
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Dir            string   // empty: /root
	Env            []string // NAME=VALUE, added to a plain environment
}

var errNotRoot = errors.New("a sandbox needs root: run labctl with sudo")
