package transport

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The words of the dialogue, each followed by a token that nobody can guess. They stand apart from it in the command line,
// so that whoever repeats that, such as a forced command, does not say one of them.
const (
	asksWord   = "labctl-asks-"   // the far side: write the password
	answerWord = "labctl-answer-" // a line of its own before the password; what came before it is thrown away
	goWord     = "labctl-go-"     // a line of its own after the password of su
	beginsWord = "labctl-begins-" // what follows on the terminal is the method's own command
	grantsWord = "labctl-grants-" // the user has changed
)

func newToken() string { return rand.Text() }

// The scripts below leave out the $2 words of the method when we are the user $1 already.

// directScript asks nothing.
const directScript = `u=$1; n=$2; shift 3; [ "$(id -un)" = "$u" ] && shift $n; exec "$@"`

// askpassScript has sudo ask by a program of the user's (sudo -A, sudo(8)): sudo starts it if and only if it wants a
// password, and what it does not read of the standard input stays for the command. So one command does for those who
// need no password, at no cost, and for those who do. The program is awk, which there is everywhere: sudo gives it the
// prompt as its only argument, and a prompt can be a program in awk.
const askpassScript = `u=$1; n=$2; t=$3; k=$4; shift 4;
if [ "$(id -un)" = "$u" ]; then shift $n; else export LABCTL_TOKEN="$t" LABCTL_ASK="$k" SUDO_ASKPASS="$(command -v awk)"; fi; exec "$@"`

const askpassPrompt = `BEGIN{system(ENVIRON["LABCTL_ASK"])}`

// askScript is what awk runs. sudo starts it again when the password was wrong. It reads byte by byte, as read does from a
// pipe (POSIX, read), and passes over what was sent on the chance that there is nobody to ask. A printf that is no builtin
// would show the password in its arguments.
const askScript = `[ "$(command -v printf)" = printf ] || exit 1; echo "labctl-asks-""$LABCTL_TOKEN" >&2;
while IFS= read -r l; do [ "x$l" = "xlabctl-answer-$LABCTL_TOKEN" ] || continue; IFS= read -r p; printf %s "$p"; exit 0; done; exit 1`

// gateScript asks by itself, before su, which reads the line that follows from its standard input.
const gateScript = `u=$1; n=$2; t=$3; shift 3; if [ "$(id -un)" = "$u" ]; then shift $n; exec "$@"; fi; echo "labctl-asks-""$t" >&2;
while IFS= read -r l; do [ "x$l" = "xlabctl-answer-$t" ] && exec "$@"; done; exit 1`

// emptyScript is directScript for su, which has an empty password put ahead of its input.
const emptyScript = `u=$1; n=$2; t=$3; shift 3; [ "$(id -un)" = "$u" ] || exec "$@"; shift $n;
while IFS= read -r l; do [ "x$l" = "xlabctl-go-$t" ] && exec "$@"; done; exit 1`

// suScript is what su runs: it passes over the password if su did not ask for one.
const suScript = `while IFS= read -r l; do [ "x$l" = "xlabctl-go-$0" ] && exec "$@"; done; exit 1`

// ttyScript says when the method's command begins, which asks on the terminal.
const ttyScript = `u=$1; n=$2; t=$3; shift 3; if [ "$(id -un)" = "$u" ]; then shift $n; else echo "labctl-begins-""$t"; fi; exec "$@"`

// grantsScript runs as the other user.
const grantsScript = `echo "labctl-grants-""$1" >&2; shift; exec "$@"`

// wrap makes a command of words one that runs as the other user.
func (m manner) wrap(words []string) ([]string, error) {
	method, err := m.methodWords()
	if err != nil {
		return nil, err
	}
	script, extra := m.script()
	out := append([]string{"sh", "-c", oneLine(script), "labctl-become", m.become.User, strconv.Itoa(len(method)), m.token}, extra...)
	out = append(out, method...)
	if m.hold {
		out = append(out, "sh", "-c", grantsScript, "labctl-granted", m.token)
	}
	return append(out, words...), nil
}

func (m manner) script() (script string, extra []string) {
	switch {
	case m.tty:
		return ttyScript, nil
	case m.dumb && m.become.method() == BecomeSu:
		return emptyScript, nil
	case m.dumb:
		return directScript, nil
	case m.become.method() == BecomeSu:
		return gateScript, nil
	}
	return askpassScript, []string{oneLine(askScript)}
}

// methodWords is the method's own command, up to the command that it is to run.
func (m manner) methodWords() ([]string, error) {
	b := m.become
	if i := slices.IndexFunc(b.Flags, startsShell); i >= 0 {
		return nil, fmt.Errorf("become flag %s has %s start a shell, which takes the words of a command apart: leave it out", b.Flags[i], b.method())
	}
	flags := slices.DeleteFunc(slices.Clone(b.Flags), ours)
	switch b.method() {
	case BecomeSudo:
		ask := []string{"-A", "-p", askpassPrompt}
		switch {
		case m.tty:
			ask = []string{"-p", "labctl:"}
		case m.dumb:
			ask = []string{"-n"}
		}
		if b.Flags == nil {
			flags = []string{"-H"}
		}
		return slices.Concat([]string{"sudo"}, ask, flags, []string{"-u", b.User, "--"}), nil
	case BecomeDoas:
		var ask []string
		if !m.tty {
			ask = []string{"-n"}
		}
		return slices.Concat([]string{"doas"}, ask, flags, []string{"-u", b.User, "--"}), nil
	case BecomeSu:
		script := oneLine(suScript)
		if m.tty {
			script = `exec "$@"`
		}
		return slices.Concat([]string{"su"}, flags, []string{"-s", "/bin/sh", "-c", script, "--", b.User, m.token}), nil
	}
	return nil, fmt.Errorf("become method %q is not known: sudo, doas or su", b.Method)
}

// ours reports whether an option says how to ask for the password, which is not the user's to choose.
func ours(flag string) bool {
	return slices.Contains([]string{"-n", "--non-interactive", "-S", "--stdin", "-A", "--askpass"}, flag)
}

// startsShell reports whether an option of sudo or doas runs the command by a shell (-i, -s), of su by a login shell.
func startsShell(flag string) bool {
	return slices.Contains([]string{"-i", "--login", "-s", "--shell", "-l", "-"}, flag)
}

// answer is what goes ahead of the input once a password is wanted.
func (m manner) answer(password string) string {
	switch {
	case m.tty:
		return password + "\n"
	case m.become.method() == BecomeSu:
		return "\n" + answerWord + m.token + "\n" + password + "\n" + goWord + m.token + "\n"
	}
	return "\n" + answerWord + m.token + "\n" + password + "\n"
}

// lead is what goes ahead of the input if nobody asks. su cannot be told not to: it is given an empty password, which it
// refuses at once.
func (m manner) lead() string {
	if m.dumb && !m.tty && m.become.method() == BecomeSu {
		return "\n" + goWord + m.token + "\n"
	}
	return ""
}

// command is a command line that runs script with args by sh, as the other user if there is one, whatever the login shell.
func (m manner) command(name, script string, args ...string) (string, error) {
	words := append([]string{"sh", "-c", oneLine(script), name}, args...)
	if !m.become.none() {
		var err error
		if words, err = m.wrap(words); err != nil {
			return "", err
		}
	}
	return shellWords(words)
}

func oneLine(script string) string { return strings.ReplaceAll(script, "\n", " ") }
