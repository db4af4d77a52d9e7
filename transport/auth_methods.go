package transport

import (
	"slices"

	"golang.org/x/crypto/ssh"
)

// authentications are the methods that are done here, in the order of OpenSSH
// (PreferredAuthentications).
var authentications = []string{"publickey", "keyboard-interactive", "password"}

// authentications are the methods that t permits, in its order.
func (t *Target) authentications() []string {
	if len(t.Authentications) == 0 {
		return authentications
	}
	return slices.DeleteFunc(slices.Clone(t.Authentications), func(m string) bool { return !slices.Contains(authentications, m) })
}

// methods are what a hop is offered, in the order to try. A server that wants
// two of them says so after the first (RFC 4252, section 5.1).
func (a *answers) methods(ids *identities) []ssh.AuthMethod {
	var out []ssh.AuthMethod
	for _, m := range a.target.authentications() {
		switch {
		case m == "publickey":
			if len(ids.keys) > 0 {
				out = append(out, ids.method())
			}
		case !a.possible():
		case m == "password":
			out = append(out, ssh.RetryableAuthMethod(ssh.PasswordCallback(a.password), a.tries()))
		case m == "keyboard-interactive":
			out = append(out, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(a.challenge), a.tries()))
		}
	}
	return out
}

// course is how far a login has come, for messages.
type course struct {
	accepts, passed, tried []string // methods that the server goes on with, was content with, and was not
	ids                    *identities
}

// follow notes it; the next method is chosen by the order of methods, but that keys behind one that could not sign come
// before other methods.
func (c *course) follow(now *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	tried := slices.DeleteFunc(now.TriedMethods, func(m string) bool { return m == "none" }) // which asks what there is
	*c = course{accepts: now.AllowedMethods, passed: now.PartialSuccessMethods, tried: slices.Compact(tried), ids: c.ids}
	if next := c.ids.afterBroken(); next != nil {
		return next, nil
	}
	return nil, nil
}
