package playbooks

import (
	"fmt"
	"strings"
	"testing"
)

// Variables of Ansible that say whether and whom to become go before plays and tasks, as they do there.
func TestBecomeVariables(t *testing.T) {
	for _, c := range []struct{ vars, play, task, want string }{
		{``, ``, ``, ""},
		{`ansible_become = true`, ``, ``, "root"},
		{`ansible_become = "yes", ansible_become_user = "oracle"`, ``, ``, "oracle"},
		{`ansible_become_user = "oracle"`, ``, ``, ""},
		{`ansible_become_user = "oracle"`, `become = true`, ``, "oracle"},
		{`ansible_become_user = "oracle"`, `become = true`, `become_user = "other"`, "oracle"},
		{`ansible_become = false`, `become = true`, `become = true`, ""},
		{`ansible_become = true`, `become_user = "app"`, `become = false`, "app"},
	} {
		run := start(t, `host "h" { vars = { `+c.vars+` } }
play "p" {
  hosts = "h"
  `+c.play+`
  bridge "b" { `+c.task+` }
}`, Env{})
		steps, _, diags := run.Next()
		if diags.HasErrors() || len(steps) != 1 || steps[0].Become.User != c.want {
			t.Errorf("%+v: %v %+v", c, diags, steps)
		}
		if _, got := run.play.Becomes(run.host, true); got != (c.want != "") {
			t.Errorf("%+v: Becomes %t", c, got)
		}
	}
}

// However a step is printed, it does not show the password.
func TestIdentityShowsNoPassword(t *testing.T) {
	s := Step{Work: &Work{Become: Identity{User: "app", Method: "su", Password: "open sesame"}}}
	for _, verb := range []string{"%v", "%+v", "%s", "%q", "%d"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, "open sesame") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}
