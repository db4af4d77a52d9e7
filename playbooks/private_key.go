package playbooks

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// isPrivateKey reports whether a text holds a private key in PEM (RFC 7468), as OpenSSH's are too.
func isPrivateKey(text string) bool { return strings.Contains(text, "PRIVATE KEY-----") }

// holdsPrivateKey looks through arguments.
func holdsPrivateKey(v any) bool {
	switch v := v.(type) {
	case string:
		return isPrivateKey(v)
	case []any:
		for _, x := range v {
			if holdsPrivateKey(x) {
				return true
			}
		}
	case map[string]any:
		for _, x := range v {
			if holdsPrivateKey(x) {
				return true
			}
		}
	}
	return false
}

// warnOfKey warns of a task that puts a private key on a host through which others are reached: whoever gets hold of a jump
// host should find nothing there that opens the hosts behind it.
func (e *evaluation) warnOfKey(t *Task, b *body, files []FileRef) {
	found := holdsPrivateKey(b.params)
	for _, f := range files {
		found = found || f.secret
	}
	if !found || e.host == nil {
		return
	}
	behind := e.site.Inventory.Behind(e.host)
	if len(behind) == 0 {
		return
	}
	names := strings.Join(behind[:min(len(behind), 3)], ", ")
	if more := len(behind) - 3; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	e.diags = append(e.diags, &hcl.Diagnostic{
		Severity: hcl.DiagWarning, Summary: "Private key on a jump host", Subject: t.Range.Ptr(),
		Detail: fmt.Sprintf("%s puts a private key on %s, through which labctl reaches %s. It needs none there: the login to a host behind a jump host "+
			"is from here, with the keys and the agent of this computer. So is that of ssh, with ProxyJump (see labctl ssh-config).",
			t.title(), e.host.Name, names),
	})
}
