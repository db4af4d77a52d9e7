package transport

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// AuthError says that a machine did not let us in.
type AuthError struct {
	User    string
	Offered []string // type, fingerprint and source of each key; never the key
	Accepts []string // the methods that the server takes, as it says
	Passed  []string // the methods that it was content with, but wants more
	Tried   []string // the methods that failed
	Why     string   // the cause, where it is another than all that
	Notes   []string // files that could not be used, keys held back
	Err     error    // what the server or the library said
}

func (e *AuthError) Error() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case len(e.Passed) > 0:
		add("%s alone is not enough", strings.Join(e.Passed, " and "))
	case slices.Contains(e.Tried, "publickey") && len(e.Offered) > 0:
		add("none of the keys was accepted")
	default:
		add("not let in")
	}
	if e.Why != "" {
		add("%s", e.Why)
	}
	if len(e.Offered) > 0 {
		add("offered %s", strings.Join(e.Offered, ", "))
	}
	if len(e.Accepts) > 0 {
		tried := "nothing"
		if len(e.Tried) > 0 {
			tried = strings.Join(e.Tried, ", ")
		}
		add("the server takes %s; tried: %s", strings.Join(e.Accepts, ", "), tried)
	}
	return fmt.Sprintf("user %s: %s", e.User, strings.Join(append(parts, e.Notes...), "; "))
}

func (e *AuthError) Unwrap() error { return e.Err }

// failure says why the login of an attempt failed.
func (a *attempt) failure(err error) *AuthError {
	e := &AuthError{User: a.link.target.user(), Err: err, Notes: slices.Clone(a.ids.problems)}
	e.Accepts, e.Passed, e.Tried = a.course.accepts, a.course.passed, a.course.tried
	if m := a.answers.under; m != "" && !slices.Contains(slices.Concat(e.Passed, e.Tried), m) { // the server has hung up in the middle of it
		e.Tried = append(slices.Clone(e.Tried), m)
	}
	for _, k := range a.ids.keys {
		pub := parsed(k.PublicKey())
		e.Offered = append(e.Offered, fmt.Sprintf("%s %s from %s", pub.Type(), ssh.FingerprintSHA256(plainKey(pub)), k.source))
	}
	if a.ids.withheld > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("%d more keys held back, because sshd hangs up after some attempts: name the right one with identity_file", a.ids.withheld))
	}
	if text := plain(err).Error(); !strings.Contains(text, "unable to authenticate, attempted methods") { // which says less than we do
		e.Why = text
	}
	if errors.Is(err, io.EOF) {
		e.Why = "the server has hung up: see LoginGraceTime and MaxAuthTries in its sshd_config"
	}
	e.Notes = append(e.Notes, a.untried()...)
	return e
}

// untried says why methods that might have served were left alone.
func (a *attempt) untried() (notes []string) {
	permitted := a.link.target.authentications()
	foreign := len(a.course.accepts) > 0
	for _, m := range a.course.accepts {
		switch {
		case !slices.Contains(authentications, m):
			continue
		case !slices.Contains(permitted, m):
			notes = append(notes, m+" is not tried, by PreferredAuthentications")
		case m == "publickey" && len(a.ids.keys) == 0 && len(a.ids.problems) == 0:
			notes = append(notes, "no key to offer: name one with identity_file, or add it to the ssh-agent")
		case m != "publickey" && !a.answers.possible():
			notes = append(notes, m+" is not tried: "+errNobody.Error())
		}
		foreign = false
	}
	if foreign {
		notes = append(notes, "labctl knows none of these methods: ssh may, and control_path lets labctl use its connection")
	}
	return notes
}

// late reports whether the server has hung up while the user was thinking (LoginGraceTime of sshd_config): what they have
// said is good for another connection.
func (a *attempt) late(err *Error) bool {
	return err.Phase == PhaseAuth && a.answers.asked && hungUp(err)
}
