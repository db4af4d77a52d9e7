package sshconfig

import (
	"errors"
	"fmt"
)

// line is one setting, with where it stands.
type line struct {
	file string
	num  int // 0: not in a file
	user bool
	key  string // lower case; of a known keyword its name in OpenSSH
	args []string
	rest string // all that follows the keyword, as it is
	kw   *keyword

	criteria []criterion // of Match
	patterns []pattern   // of Host
}

// at is how messages begin that concern the line.
func (l *line) at() string {
	if l.num == 0 {
		return l.file
	}
	return fmt.Sprintf("%s:%d", l.file, l.num)
}

func (l *line) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{l.at()}, args...)...)
}

// parseLine reads one line; nil is one that says nothing. What is wrong with it is an error, but for a keyword that is not
// known: whether that is one depends on IgnoreUnknown.
func parseLine(text, file string, num int, user bool) (*line, error) {
	key, rest := splitLine(text)
	if key == "" {
		return nil, nil
	}
	l := &line{file: file, num: num, user: user, key: key, rest: rest}
	if rest == "" {
		return nil, l.errorf("%s says nothing after the keyword", key)
	}
	var err error
	if l.args, err = argvSplit(rest); err != nil {
		return nil, l.errorf("%s: %w", key, err)
	}
	kw, known := keywords[key]
	if !known {
		return l, nil
	}
	l.key, l.kw = kw.name, &kw
	if err := kw.check(l); err != nil {
		return nil, l.errorf("%s: %w", key, err)
	}
	return l, nil
}

var (
	errMissing = errors.New("an argument is missing")
	errExtra   = errors.New("extra arguments at the end of the line")
)

// arg is the first argument, or empty.
func (l *line) arg() string {
	if len(l.args) == 0 {
		return ""
	}
	return l.args[0]
}

// one returns the only argument.
func (l *line) one() (string, error) {
	switch {
	case l.arg() == "":
		return "", errMissing
	case len(l.args) > 1:
		return "", errExtra
	}
	return l.args[0], nil
}
