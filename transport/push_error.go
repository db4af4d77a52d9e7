package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// AgentError says why no agent runs.
type AgentError struct {
	Op     string // "start agent", "push agent"
	Err    error
	Stdout string // what the machine said in place of the agent, trimmed
	Stderr string // what it said on standard error, trimmed
	Hint   string
}

func (e *AgentError) Error() string {
	s := fmt.Sprintf("%s: %v", e.Op, e.Err)
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	if e.Stdout != "" {
		s += fmt.Sprintf(": it printed %q", e.Stdout)
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *AgentError) Unwrap() error { return e.Err }

// failure says why a command ended without doing its work. noise is what it said in place of the agent.
func (s *agentStart) failure(op string, c *started, noise []byte, err error) error {
	// After the end of its output a command should end too, and its status
	// explains more than EOF.
	grace := time.Duration(0)
	if errors.Is(err, io.EOF) {
		grace = endGrace
	}
	defer time.AfterFunc(grace, func() { c.p.kill(err) }).Stop()
	status, waitErr := c.p.Wait()
	e := &AgentError{Op: op, Err: err, Stdout: excerpt(noise), Stderr: c.talk.explanation()}
	switch {
	case s.ctx.Err() != nil:
		e.Err = context.Cause(s.ctx)
	case waitErr == nil:
		e.Err = fmt.Errorf("the command ended with status %d", status)
		c.explain(e, status)
		if e.Hint == "" && errors.Is(err, io.EOF) && !terminalWanted.MatchString(e.Stderr) { // which is the reason
			e.Hint = s.diagnosis(e)
		}
	case !errors.Is(err, io.EOF):
		if c.explain(e, -1); e.Hint == "" && errors.As(err, new(*silentError)) {
			e.Hint = s.diagnosis(e)
		}
	default:
		e.Err = waitErr
	}
	if errors.As(e.Err, new(*WithheldError)) { // what the method says of that is no reason
		e.Stderr, e.Hint = "", ""
	}
	return e
}

// excerpt is the end of what a machine has said, for a message: without what it has only repeated.
func excerpt(noise []byte) string {
	const most = 1000
	text := commandLine.ReplaceAllString(strings.ReplaceAll(string(noise), beginning, ""), "'sh ...'")
	text = strings.TrimSpace(text)
	if len(text) > most {
		text = "..." + text[len(text)-most:]
	}
	return text
}

// explain gives a failure its reason and says what to do about it. The status is -1 if the command had none.
func (c *started) explain(e *AgentError, status int) {
	b := c.talk.m.become
	if !b.none() {
		if c.talk.gave() && c.talk.m.become.method() != BecomeSudo && status > 0 {
			e.Err = &refusedError{become: b}
		}
		if e.Hint = becomeAdvice(c.talk.m, e); e.Hint != "" {
			return
		}
	}
	switch {
	case strings.Contains(e.Stderr, "Password change required"): // do_pwchange in sshd's session.c
		e.Hint = "log in by hand once (ssh, with a terminal) and change it"
	case status == 126:
		e.Hint = "the agent is there and may not run: " + mayNotRun
	}
}

// mayNotRun asks what keeps a program from running that has no fault.
const mayNotRun = "is the directory mounted noexec, or does a policy forbid it (SELinux, AppArmor, fapolicyd)?"

// execAdvice explains why none of the directories that were tried serves.
func execAdvice(tried string) string {
	if strings.Contains(tried, "may not run") {
		return "where a program may not run, " + mayNotRun
	}
	return ""
}

// What the methods say, in whatever wording of the many versions there are.
var (
	saysMissing  = regexp.MustCompile(`(?i)(sudo|doas|su)['"’]?:.*(not found|No such file)|(not found|No such file).*(sudo|doas|su)\b|unknown command.*(sudo|doas|su)\b`)
	saysUser     = regexp.MustCompile(`(?i)unknown user|user \S+ does not exist`)
	saysForbids  = regexp.MustCompile(`(?i)not in the sudoers|not allowed to|may not run|Operation not permitted|doas: Not permitted`)
	saysPassword = regexp.MustCompile(`(?i)password is required|Authentication required|Authentication failure|Authentication failed|incorrect password`)
)

// becomeAdvice says what to do when nobody became another user.
func becomeAdvice(m manner, e *AgentError) string {
	b, method := m.become, m.become.method()
	var refused *refusedError
	var wanted *wantedError
	switch {
	case errors.As(e.Err, &refused) && method == BecomeSu:
		return fmt.Sprintf("su wants the password of %s, not that of the login user", b.User)
	case errors.As(e.Err, &refused):
		return "the password wanted is that of the login user"
	case saysUser.MatchString(e.Stderr):
		return ""
	case saysMissing.MatchString(e.Stderr):
		return fmt.Sprintf("%s is not installed there: install it, set become_method to what there is (sudo, doas, su), or log in as %s", method, b.User)
	case saysForbids.MatchString(e.Stderr):
		return fmt.Sprintf("%s does not let the login user become %s: see %s there", method, b.User, rulesOf(method))
	case errors.As(e.Err, &wanted), saysPassword.MatchString(e.Stderr):
		return fmt.Sprintf("give one with -K (--ask-become-pass), --become-password-file or become_password in the inventory%s", withoutPassword(b))
	case terminalWanted.MatchString(e.Stderr) && m.tty:
		return "it wants a terminal, and sshd there gives none: see PermitTTY in its sshd_config and no-pty in authorized_keys"
	}
	return ""
}

func rulesOf(method string) string {
	switch method {
	case BecomeDoas:
		return "/etc/doas.conf"
	case BecomeSu:
		return "/etc/pam.d/su"
	}
	return "/etc/sudoers and /etc/sudoers.d"
}

// withoutPassword is how the machine could do without one.
func withoutPassword(b *Become) string {
	switch b.method() {
	case BecomeSudo:
		return fmt.Sprintf(", or have none asked for by a line in /etc/sudoers.d/labctl such as: USER ALL=(%s) NOPASSWD: ALL", b.User)
	case BecomeDoas:
		return fmt.Sprintf(", or have none asked for by a line in /etc/doas.conf such as: permit nopass USER as %s", b.User)
	}
	return ""
}
