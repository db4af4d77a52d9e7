// Command labctl provisions machines: it reads an inventory and a playbook in HCL, reaches the machines through any chain of
// SSH jump hosts, and brings them to the state that is written down. The package turns arguments into a run and a run
// into views; it holds no logic of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/runner/agentbin"
	"labctl/transport"
	"labctl/transport/persist"
)

// The exit codes of labctl, as README.md lists them. plan -detailed-exitcode has its own: 0 nothing to do, 1 error, 2 changes.
const (
	exitDone        = 0
	exitUser        = 1 // what the user wrote is at fault; nothing was touched
	exitFailed      = 2 // a task failed on some host
	exitUsage       = 2 // labctl-playbook: there is no such flag, as Python's argparse says it
	exitUnformatted = 3 // fmt -check: a file would change
	exitUnreachable = 4 // some host could not be reached
	exitInterrupted = 99
)

// hidden are the verbs with which labctl starts itself. They are looked up before anything else is set up.
var hidden = map[string]func(args []string) int{
	sandbox.InitVerb: sandbox.InitMain,
	persist.Verb:     func(args []string) int { return persist.Main(args, agentbin.Default()) },
}

func main() {
	if len(os.Args) > 1 {
		if verb, ok := hidden[os.Args[1]]; ok {
			os.Exit(verb(os.Args[2:]))
		}
	}
	os.Exit(Main())
}

// Main runs labctl with the process's arguments and streams and returns the exit code.
func Main() int {
	// A closed pipe is a write error, handled where it happens. Not signal.Ignore: what labctl starts would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	ctx, stop := interruptible(&a.held, a.leaveClean)
	defer stop()
	a.keepEnvironment()
	if filepath.Base(os.Args[0]) == playbookName {
		return a.playbook(ctx, os.Args[1:])
	}
	return a.run(ctx, os.Args[1:])
}

// interruptible returns a context that the first SIGINT or SIGTERM ends; the second ends the process at once. SIGINT stays
// ignored where it was: a shell's background job is not to end with what runs in front of it. While held is set, SIGINT is for
// another program. leave is called before that end.
func interruptible(held *atomic.Bool, leave func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGTERM)
	if !signal.Ignored(os.Interrupt) {
		signal.Notify(c, os.Interrupt)
	}
	go func() {
		n := 0
		for s := range c {
			switch n++; {
			case s == os.Interrupt && held.Load():
				n--
			case n == 1:
				cancel(errInterrupted)
			case !held.Load(): // which would leave behind what was being edited
				leave()
				os.Exit(exitInterrupted)
			}
		}
	}()
	return ctx, func() { signal.Stop(c); close(c); cancel(nil) }
}

var errInterrupted = errors.New("interrupted")

// exitError carries an exit code for a failure that has been reported already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// exitCode is the one place where an error becomes an exit code.
func (a *app) exitCode(ctx context.Context, err error) int {
	var code exitError
	var unreachable *transport.Error
	var noAgent *transport.AgentError
	var moved *movedError
	if err == nil {
		err = a.unsaid
	}
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.Is(context.Cause(ctx), errInterrupted):
		fmt.Fprintln(a.err, "labctl:", errInterrupted)
		return exitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return exitUser // whoever read has seen enough, and needs no message
	case errors.As(err, &unreachable), errors.As(err, &noAgent), errors.As(err, &moved) && moved.unreachable:
		fmt.Fprintln(a.err, "labctl:", err)
		return exitUnreachable
	}
	fmt.Fprintln(a.err, "labctl:", err)
	return exitUser
}
