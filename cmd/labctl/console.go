package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"labctl/cmd/labctl/internal/view"
	"labctl/inventory"
	"labctl/playbooks"
	"labctl/runner"
)

// console is one session.
type console struct {
	*playbooks.Console
	app   *app
	facts func(ctx context.Context, c *playbooks.Console) error // fetches those of the host
}

func (a *app) consoleCmd() *cobra.Command {
	var (
		f     placeFlags
		as    becomeFlags
		exprs []string
	)
	cmd := &cobra.Command{
		Use:   "console [HOST]",
		Short: "Evaluate expressions, as a task of the host would",
		Long: `Evaluates expressions and prints their values: on a terminal one after the other
with a history, else each line of standard input, until one is at fault. An
expression may go on over lines while a bracket, or a heredoc, is open. With
HOST the names are those of a task of that host, whose facts are fetched once an
expression needs them; without HOST no host is connected to.

    echo 'cidrhost("10.0.0.0/8", 1)' | labctl console
    labctl console boxA --eval facts.kernel`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.become(&as, &f.siteFlags, &f.connectFlags); err != nil {
				return err
			}
			c, done, err := a.newConsole(&f, &as, args)
			if err != nil {
				return err
			}
			defer done()
			return c.run(cmd.Context(), exprs)
		},
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&exprs, "eval", nil, "expression to evaluate in place of what is typed (repeatable)")
	as.register(cmd.Flags(), "look at the host as root, or as --become-user", false)
	return cmd
}

// newConsole loads the site, if there is one, and finds the host.
func (a *app) newConsole(f *placeFlags, as *becomeFlags, args []string) (*console, func(), error) {
	nothing := func() {}
	path := placePath(f.at, &f.siteFlags, strings.Join(args, ""))
	if path == "." && len(args) == 0 && !hasSite(path) {
		path = "" // functions need no site
	}
	st, err := a.load(path, &f.siteFlags)
	if err != nil {
		return nil, nil, err
	}
	if len(args) == 0 {
		return &console{Console: st.Console(nil), app: a}, nothing, nil
	}
	h, err := st.oneHost(args[0], "console is about one")
	if err != nil {
		return nil, nil, err
	}
	return &console{st.Console(h), a, a.factsOf(st, f, as, h)}, nothing, nil
}

// factsOf returns what connects to a host for its facts.
func (a *app) factsOf(st *site, f *placeFlags, as *becomeFlags, h *inventory.Host) func(context.Context, *playbooks.Console) error {
	return func(ctx context.Context, c *playbooks.Console) error {
		opener, _, done, err := a.opener(st, &f.connectFlags, a.logf(f.verbose))
		if err != nil {
			return err
		}
		defer done()
		snap, err := runner.TakeSnapshot(ctx, opener, h, as.name(), runner.FactsAlone, nil)
		if err != nil {
			return err
		}
		return c.SetFacts(snap.Facts)
	}
}

func (c *console) run(ctx context.Context, exprs []string) error {
	for _, e := range exprs {
		if err := c.evaluate(ctx, e); err != nil {
			return err
		}
	}
	switch out, _ := c.app.out.(*os.File); {
	case len(exprs) > 0:
		return nil
	case term.IsTerminal(int(c.app.in.Fd())) && out != nil && term.IsTerminal(int(out.Fd())):
		return c.talk(ctx, out)
	}
	return c.loop(ctx, piped(ctx, c.app.in), false)
}

// errFaulty says that an expression was at fault, which has been shown.
var errFaulty error = exitError(exitUser)

// evaluate shows the value of one expression.
func (c *console) evaluate(ctx context.Context, text string) error {
	expr, diags := c.Parse(text)
	if diags.HasErrors() {
		return c.faults(text, diags)
	}
	if c.NeedsFacts(expr) {
		if err := c.facts(ctx, c.Console); err != nil {
			return err
		}
	}
	v, more := c.Eval(expr)
	if more.HasErrors() {
		return c.faults(text, more)
	}
	_, err := fmt.Fprintln(c.app.out, playbooks.Literal(v))
	return err
}

func (c *console) faults(text string, diags hcl.Diagnostics) error {
	if err := view.Diagnostics(c.app.viewOptions(), c.Files(text), diags); err != nil {
		return err
	}
	return errFaulty
}

// loop evaluates what is read, an expression a line or, with brackets open, in several. talk: with somebody who reads what is at
// fault, and goes on.
func (c *console) loop(ctx context.Context, read func(prompt string) (string, error), talk bool) error {
	text := ""
	for {
		prompt := "> "
		if text != "" {
			prompt = "  "
		}
		line, err := read(prompt)
		text += line
		switch whole := strings.TrimSpace(text); {
		case err != nil && (!errors.Is(err, io.EOF) || whole == ""):
			return ended(err)
		case whole == "exit" || whole == "quit":
			return nil
		case whole == "help":
			err = c.help()
		case whole == "" || strings.HasPrefix(whole, "#"):
			err = nil
		case err == nil && c.Unfinished(text):
			text += "\n"
			continue
		default:
			err = c.evaluate(ctx, text)
		}
		text = ""
		if err != nil && (!talk || !c.forgiven(ctx, err)) {
			return err
		}
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read an expression: %w", err)
}

// forgiven reports whether a session goes on after an error, which it shows.
func (c *console) forgiven(ctx context.Context, err error) bool {
	var code exitError
	if !errors.As(err, &code) {
		fmt.Fprintln(c.app.err, "labctl:", err)
	}
	return ctx.Err() == nil
}

func (c *console) help() error {
	names, functions := c.Names()
	_, err := fmt.Fprintf(c.app.out, "An expression shows its value; it goes on while a bracket or a heredoc is open.\nexit, quit or Ctrl-D ends, the arrow keys bring back what was typed.\n\n%s\n\n%s\n",
		folded("Names: ", names), folded("Functions: ", functions))
	return err
}

// folded lists words on lines of 80 columns.
func folded(head string, words []string) string {
	out, column := head, len(head)
	for i, w := range words {
		if i < len(words)-1 {
			w += ","
		}
		if column+len(w) > 78 {
			out, column = out+"\n  ", 2
		}
		out, column = out+w+" ", column+len(w)+1
	}
	return strings.TrimRight(out, " ")
}

// piped reads lines until ctx ends.
func piped(ctx context.Context, in io.Reader) func(string) (string, error) {
	r := bufio.NewReader(in)
	type result struct {
		line string
		err  error
	}
	return func(string) (string, error) {
		got := make(chan result, 1)
		go func() {
			line, err := r.ReadString('\n')
			got <- result{strings.TrimRight(line, "\r\n"), err}
		}()
		select {
		case l := <-got:
			return l.line, l.err
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}
