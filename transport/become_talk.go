package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// dialogue answers a command that wants a password before it runs as another user.
type dialogue struct {
	ctx   context.Context
	m     manner
	p     *Process
	begin func(lead string) // begins the input anew, behind lead
	wait  *patience         // does not count the time that the user takes; may be nil
	rest  io.Writer         // takes what the command says on standard error that is not for us

	mu       sync.Mutex
	line     []byte // begun on standard error
	password string // the last one given
	asked    bool
	said     []byte // on the terminal, until the user had changed
}

// attend begins the dialogue with p.
func (d *dialogue) attend(p *Process) {
	d.p = p
	switch {
	case !d.m.hold:
		d.begin(d.m.lead())
	case !d.m.tty: // who asks for the password passes over them, as does a script that asks for none
		_, _ = io.WriteString(p.Stdin, emptyLines)
	}
	p.StderrTo(d)
}

// Write takes standard error, line by line.
func (d *dialogue) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line = append(d.line, p...)
	for {
		line, rest, whole := bytes.Cut(d.line, []byte("\n"))
		if !whole {
			break
		}
		d.line = rest
		if !d.hears(string(line)) {
			_, _ = d.rest.Write(append(bytes.Clone(line), '\n'))
		}
	}
	if !bytes.HasPrefix(d.line, []byte("labctl-")) {
		_, _ = d.rest.Write(d.line)
		d.line = nil
	}
	return len(p), nil
}

// hears reports whether a line is one of the words, and acts on it.
func (d *dialogue) hears(line string) bool {
	if d.m.become.none() || d.m.tty {
		return false
	}
	switch line {
	case asksWord + d.m.token:
		again := d.asked
		d.asked = true
		go d.answer(again)
	case grantsWord + d.m.token:
		if !d.asked {
			d.begin("")
		}
	default:
		return false
	}
	return true
}

// answer gives the password. again says that the one before was wrong.
func (d *dialogue) answer(again bool) {
	password, err := d.get(again)
	switch {
	case err != nil:
		d.p.kill(err)
	case d.m.tty:
		_, _ = io.WriteString(d.p.Stdin, d.m.answer(password)) // its failure shows in what the command says
	default:
		d.begin(d.m.answer(password))
	}
}

func (d *dialogue) get(again bool) (string, error) {
	b := d.m.become
	refused := ""
	if again {
		refused = d.password
	}
	if b.Password == nil {
		return "", &wantedError{b}
	}
	if again && d.m.hold && !d.m.tty {
		return "", &refusedError{b, nil}
	}
	d.wait.stop()
	defer d.wait.start()
	password, err := b.Password(d.ctx, refused)
	switch {
	case errors.As(err, new(*WithheldError)):
		return "", err
	case err != nil && again:
		return "", &refusedError{b, err}
	case err != nil:
		return "", fmt.Errorf("%w: %w", &wantedError{b}, err)
	case strings.ContainsAny(password, "\n\r\x00"):
		return "", errors.New("the password for become holds a line end or a NUL, which no prompt takes")
	}
	d.password = password
	return password, nil
}

// wantedError says that there is no password where one is wanted.
type wantedError struct{ become *Become }

func (e *wantedError) Error() string {
	return fmt.Sprintf("%s wants a password to become %s", e.become.method(), e.become.User)
}

// refusedError says that a password was wrong.
type refusedError struct {
	become *Become
	err    error // why there is no other, nil if none was asked for
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s refused the password to become %s", e.become.method(), e.become.User)
}

func (e *refusedError) Unwrap() error { return e.err }

// overTerminal reads what a command on a terminal says until the user has changed, and returns a reader of the rest.
func (d *dialogue) overTerminal(r io.Reader) (io.Reader, error) {
	begins, grants := []byte(beginsWord+d.m.token+"\n"), []byte(grantsWord+d.m.token+"\n")
	from := -1 // where the command's own words begin
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		d.said = append(d.said, buf[:n]...)
		if i := bytes.Index(d.said, grants); i >= 0 {
			rest := bytes.Clone(d.said[i+len(grants):])
			d.begin("")
			return io.MultiReader(bytes.NewReader(rest), r), nil
		}
		if i := bytes.Index(d.said, begins); i >= 0 && from < 0 {
			from = i + len(begins)
		}
		switch {
		case err != nil:
			return nil, err
		case len(d.said) > noiseLimit:
			return nil, fmt.Errorf("the machine prints more than %d bytes, beginning with %q", noiseLimit, d.said[:80])
		case from >= 0 && isPrompt(d.said[from:]):
			if q := lastLine(d.said[from:]); otherSecret.MatchString(q) {
				return nil, fmt.Errorf("%s asks %q, which is more than a password", d.m.become.method(), q)
			}
			from = len(d.said)
			again := d.asked
			d.asked = true
			d.answer(again)
		}
	}
}

// otherSecret finds a prompt that a password is no answer to.
var otherSecret = regexp.MustCompile(`(?i)code|token|otp|factor|pin\b`)

// isPrompt reports whether text ends with a question. What sudo, doas and su say otherwise are lines, which may come in
// two pieces: the name first.
func isPrompt(text []byte) bool {
	last := lastLine(text)
	switch last {
	case "sudo: ", "doas: ", "su: ":
		return false
	}
	return strings.HasSuffix(last, ": ") || strings.HasSuffix(last, "labctl:")
}

func lastLine(text []byte) string { return string(text[bytes.LastIndexByte(text, '\n')+1:]) }

// learn notes that the user has changed.
func (d *dialogue) learn() {
	if d.m.become.none() {
		return
	}
	d.mu.Lock()
	asked := d.asked
	d.mu.Unlock()
	d.m.become.learn(asked)
}

// another reports whether there is another password after one was refused for which the method asked but once.
func (d *dialogue) another(err error) bool {
	var refused *refusedError
	if !errors.As(err, &refused) || refused.err != nil || d.m.become.Password == nil || d.ctx.Err() != nil {
		return false
	}
	_, no := d.m.become.Password(d.ctx, d.password)
	return no == nil
}

// gave reports whether a password was given.
func (d *dialogue) gave() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// What of the command's words a message leaves out: the dialogue, questions, and the command line that a rule forbids.
var (
	ofDialogue  = regexp.MustCompile(`^(` + asksWord + `|` + beginsWord + `|` + grantsWord + `)|^labctl:$|assword: ?$`)
	ofShell     = regexp.MustCompile(`^labctl-[a-z]+: (line )?([0-9]+: )?(exec: )?`)
	commandLine = regexp.MustCompile(`'[^']{200,}'`)
)

// explanation is what the command has said, without the words of the dialogue.
func (d *dialogue) explanation() string {
	text := d.p.Stderr()
	if d.m.tty {
		text = string(d.said) + "\n" + text
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !ofDialogue.MatchString(line) {
			lines = append(lines, ofShell.ReplaceAllString(strings.TrimPrefix(line, "Password: "), ""))
		}
	}
	return commandLine.ReplaceAllString(strings.Join(lines, "\n"), "'sh ...'")
}
