package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"labctl/transport"
)

// sshFlags are those of ssh.
type sshFlags struct {
	placeFlags
	tty     int // how often -t was given
	noTTY   bool
	noInput bool
	escape  string
}

func (a *app) sshCmd() *cobra.Command {
	var f sshFlags
	cmd := &cobra.Command{
		Use:                   "ssh [FLAGS] HOST [COMMAND...]",
		DisableFlagsInUseLine: true,
		Short:                 "Log in to a host, or run a command there",
		Long: `Logs in to a host of the inventory as a play would, through its jump hosts, and
behaves like ssh(1): without a command there is a shell on a terminal; with one
there is none, unless -t asks for it, and input and output are passed on byte
by byte. The words of the command are joined by blanks, for the login shell.

Flags stand before HOST or right behind it. The ssh-agent is not forwarded. On
a terminal, "~." at the beginning of a line ends the connection, and "~?" lists
what else there is.

The exit code is that of the command; 255 when there is no connection, or a
signal has ended the command. A signal to labctl itself ends the connection and
is not passed on: without a terminal the command sees the end of its input.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			words, err := behindHost(cmd, args[1:])
			if err != nil {
				return err
			}
			return a.ssh(cmd.Context(), &f, args[0], strings.Join(words, " "))
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.SetInterspersed(false) // what follows HOST belongs to COMMAND
	fs.CountVarP(&f.tty, "tty", "t", "a terminal for the command, if there is one here; -tt: even if not")
	fs.BoolVarP(&f.noTTY, "no-tty", "T", false, "no terminal, even for a shell")
	fs.BoolVarP(&f.noInput, "no-input", "n", false, "nothing from standard input")
	fs.StringVar(&f.escape, "escape-char", "~", "what begins an escape; none: nothing does")
	return cmd
}

// behindHost takes the flags that stand behind HOST, as ssh does: in a command they would be of no use, and the session would go
// elsewhere than was meant. What is left is the command.
func behindHost(cmd *cobra.Command, words []string) ([]string, error) {
	if len(words) == 0 || !strings.HasPrefix(words[0], "-") {
		return words, nil
	}
	fs := cmd.Flags()
	if err := fs.Parse(words); err != nil {
		return nil, cmd.FlagErrorFunc()(cmd, err)
	}
	if help, _ := fs.GetBool("help"); help {
		return nil, pflag.ErrHelp
	}
	return fs.Args(), nil
}

func (a *app) ssh(ctx context.Context, f *sshFlags, host, command string) error {
	if f.escape != "none" && len(f.escape) != 1 {
		return fmt.Errorf("--escape-char %q is neither one character nor none", f.escape)
	}
	f.noPersist = true // a shell's connection is its own
	r, err := a.reach(ctx, &f.placeFlags, host, "ssh logs in to one")
	if err != nil {
		return a.asSSH(ctx, err)
	}
	defer r.close()
	if r.local {
		return a.localShell(ctx, f, command)
	}
	shell, ok := r.Conn.(transport.Sheller)
	if !ok {
		return a.asSSH(ctx, fmt.Errorf("the connection to %s carries no session", r.host.Name))
	}
	s := transport.Session{Command: command, Env: locale(os.Environ()), Stdout: a.out, Stderr: a.err}
	if !f.noInput {
		s.Stdin = a.in
	}
	status, err := a.session(ctx, f, shell, s, r.host.Name)
	return a.sshExit(ctx, status, err)
}

// session runs s, on a terminal if it is to have one.
func (a *app) session(ctx context.Context, f *sshFlags, shell transport.Sheller, s transport.Session, host string) (int, error) {
	here := a.in != nil && term.IsTerminal(int(a.in.Fd()))
	wanted := !f.noTTY && (s.Command == "" && !f.noInput || f.tty > 0)
	switch {
	case !wanted:
		return shell.Shell(ctx, s)
	case !here && f.tty < 2:
		if f.tty > 0 {
			fmt.Fprintln(a.err, "labctl: no terminal is asked for, since standard input is none; -tt asks for one all the same")
		}
		return shell.Shell(ctx, s)
	}
	t, err := openTTY(a.in, here)
	if err != nil {
		return -1, err
	}
	defer t.restore()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer t.guard(ctx, end)()
	s.Terminal = t.describe()
	if here && f.escape != "none" && s.Stdin != nil {
		s.Stdin = &escapes{in: a.in, out: a.err, char: f.escape[0], quit: func() { end(errEscaped) }, atStart: true}
	}
	status, err := shell.Shell(ctx, s)
	t.restore()
	if here {
		fmt.Fprintf(a.err, "Connection to %s closed.\n", host)
	}
	return status, err
}

// sshExit makes the end of a session the end of labctl.
func (a *app) sshExit(ctx context.Context, status int, err error) error {
	var signal *transport.SignalError
	switch {
	case err == nil:
		return exitWith(status)
	case errors.Is(err, errEscaped), errors.Is(err, syscall.EPIPE): // nobody is there to be told
		return exitError(exitSSH)
	case errors.As(err, &signal), ctx.Err() == nil:
		return a.asSSH(ctx, err)
	}
	fmt.Fprintln(a.err, "labctl:", context.Cause(ctx))
	return exitError(exitSSH)
}

// locale is what the far side should know of our language: what the ssh_config of most distributions sends.
func locale(environ []string) []string {
	var out []string
	for _, e := range environ {
		if strings.HasPrefix(e, "LANG=") || strings.HasPrefix(e, "LC_") {
			out = append(out, e)
		}
	}
	return out
}
