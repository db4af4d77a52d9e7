package modules

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[CommandLine]{
		Name: "command", Slow: true,
		Doc: "Runs a command, by default the label. What a module can do, do with the module: it knows what would change.",
		Example: `command "sysctl --system" {}
command "build" {
  shell   = "make && make install"
  chdir   = "/usr/src/tool"
  creates = "/usr/local/bin/tool"
}
command "list links" {
  argv  = ["ip", "-j", "link"]
  netns = "boxA"
}
`,
		Validate: (*CommandLine).validate, Pending: pendingCommand, Run: runCommand,
	})
}

// CommandLine is a command to run, and in results what it printed.
type CommandLine struct {
	Name        string            `json:"name" lab:"key" doc:"What the task is called and, unless argv or shell is set, the command: words as in a shell, but nothing is expanded."`
	Argv        []string          `json:"argv,omitempty" doc:"Program and arguments, passed on as they are."`
	Shell       string            `json:"shell,omitempty" doc:"Script for /bin/sh -e: it ends at the first command that exits with another status than 0."`
	Chdir       string            `json:"chdir,omitempty" doc:"Directory to run in."`
	Environment map[string]string `json:"environment,omitempty" lab:"option" doc:"Variables added to the environment."`
	Stdin       *string           `json:"stdin,omitempty" lab:"option" doc:"Standard input; empty if unset."`
	Creates     string            `json:"creates,omitempty" lab:"option" doc:"Path that the command makes: it is run only while this does not exist."`
	Removes     string            `json:"removes,omitempty" lab:"option" doc:"Path that the command removes: it is run only while this exists."`
	InNetNS
	Stdout string `json:"stdout,omitempty" lab:"computed" doc:"What the command printed, without the last line end."`
	Stderr string `json:"stderr,omitempty" lab:"computed" doc:"What the command printed to standard error, without the last line end."`
	RC     *int   `json:"rc,omitempty" lab:"computed" doc:"Exit status; 128 and the number of the signal that ended it."`
}

func (c *CommandLine) validate() error {
	switch {
	case c.Argv != nil && c.Shell != "":
		return argf("shell", "cannot be together with argv")
	case c.Shell == "true", c.Shell == "false": // shell = true, with the script in the label
		return argf("shell", "is the script itself, not whether there is one: shell = \"make && make install\"; for %[1]s(1) set argv = [%[1]q]", c.Shell)
	case c.Argv != nil && (len(c.Argv) == 0 || c.Argv[0] == ""):
		return argf("argv", "names no program")
	case c.Argv == nil && c.Shell == "":
		argv, err := words(c.Name)
		if err != nil {
			return argf("name", "%v", err)
		}
		c.Argv = argv
	}
	for _, s := range append([]string{c.Shell, c.Chdir}, c.Argv...) {
		if strings.ContainsRune(s, 0) {
			return argf("argv", "%q contains a NUL byte", s)
		}
	}
	for name := range c.Environment {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return argf("environment", "%q is not the name of a variable", name)
		}
	}
	return checkConditions(c)
}

func checkConditions(c *CommandLine) error {
	if c.Creates != "" {
		if err := absolute("creates", c.Creates); err != nil {
			return err
		}
	}
	if c.Removes != "" {
		return absolute("removes", c.Removes)
	}
	return nil
}

// words splits a command line at blanks, minding quotes and backslashes as sh(1) does. What only a shell could do is
// refused: passed on as it is, it would surprise.
func words(line string) ([]string, error) {
	var out []string
	var word strings.Builder
	quote, inWord := rune(0), false
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			if quote == '"' && !strings.ContainsRune("\"\\$`", r) {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, inWord = r, true
		case quote != '\'' && (r == '$' || r == '`'), quote == 0 && strings.ContainsRune("|&;<>()*?\n", r):
			return nil, fmt.Errorf("%q needs a shell for %q: use shell = %q, or quote it", line, r, line)
		case quote == 0 && (r == ' ' || r == '\t'):
			if inWord {
				out = append(out, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("%q ends within quotes", line)
	}
	if inWord {
		out = append(out, word.String())
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q is not a command: set argv or shell", line)
	}
	return out, nil
}

// pendingCommand looks at creates and removes, and at the namespace.
func pendingCommand(ctx context.Context, h host.Host, want *CommandLine) (bool, error) {
	if _, err := h.Net(ctx, want.NetNS); want.NetNS != "" && err != nil {
		return false, err // in a plan, too
	}
	if want.Creates != "" {
		if st, err := stat(ctx, h, want.Creates, false); err != nil || st != nil {
			return false, err
		}
	}
	if want.Removes != "" {
		if st, err := stat(ctx, h, want.Removes, false); err != nil || st == nil {
			return false, err
		}
	}
	return true, nil
}

func runCommand(ctx context.Context, h host.Host, want *CommandLine) (*CommandLine, bool, error) {
	e := host.Exec{Argv: want.Argv, Dir: want.Chdir, NetNS: want.NetNS}
	if want.Shell != "" {
		e.Argv = []string{"/bin/sh", "-e", "-c", want.Shell}
	}
	for name, value := range want.Environment {
		e.Env = append(e.Env, name+"="+value)
	}
	sort.Strings(e.Env)
	if want.Stdin != nil {
		e.Stdin = []byte(*want.Stdin)
	}
	res, err := h.Commands().Run(ctx, e)
	out := *want
	out.Environment, out.Stdin = nil, nil // may be secret, and need not travel back
	out.Stdout, out.Stderr, out.RC = printed(res.Stdout), printed(res.Stderr), &res.Status
	if err == nil && res.Status != 0 {
		err = exitError(&out)
	}
	return &out, true, err
}

func printed(b []byte) string {
	return strings.TrimSuffix(strings.ToValidUTF8(string(b), "\ufffd"), "\n")
}

// exitError says how a command ended, with the last that it said: on standard error or, if nothing, at all.
func exitError(c *CommandLine) error {
	how := fmt.Sprintf("exit status %d", *c.RC)
	if *c.RC > 128 {
		how = fmt.Sprintf("ended by signal %d", *c.RC-128)
	}
	said := c.Stderr
	if strings.TrimSpace(said) == "" {
		said = c.Stdout
	}
	if said = tail(said, 10); said == "" {
		return fmt.Errorf("%s", how)
	}
	return fmt.Errorf("%s: %s", how, said)
}

// tail returns the last n lines of s, at most 2000 bytes of them.
func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	if len(s) > 2000 {
		s = strings.ToValidUTF8(s[len(s)-2000:], "")
	}
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
