package playbooks

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// lack is a variable that some hosts do not have, and others have.
type lack struct {
	name  string
	hosts []string
}

// lacking is how many hosts a message names.
const lacking = 5

func (l *lack) String() string {
	who, give := "The host "+l.hosts[0]+" has", "the host"
	switch n := len(l.hosts); {
	case n > lacking:
		who, give = fmt.Sprintf("The hosts %s and %d others have", strings.Join(l.hosts[:lacking-1], ", "), n-lacking+1), "the hosts"
	case n > 1:
		who, give = fmt.Sprintf("The hosts %s and %s have", strings.Join(l.hosts[:n-1], ", "), l.hosts[n-1]), "the hosts"
	}
	return fmt.Sprintf("%s no variable %q, though others have. Give it in %s, a group or the vars of the play, or use try(%s, ...).", who, l.name, give, l.name)
}

// mergeLacks tells of a variable at one place once, for all hosts that do not have it.
func mergeLacks(diags hcl.Diagnostics) hcl.Diagnostics {
	type place struct {
		name string
		rng  hcl.Range
	}
	first := map[place]*hcl.Diagnostic{}
	var out hcl.Diagnostics
	for _, d := range diags {
		l, ok := d.Extra.(*lack)
		if !ok || d.Subject == nil {
			out = append(out, d)
			continue
		}
		at := place{l.name, *d.Subject}
		if first[at] == nil {
			first[at] = d
			out = append(out, d)
			continue
		}
		all := first[at].Extra.(*lack)
		all.hosts = append(all.hosts, l.hosts...)
		first[at].Detail = all.String()
	}
	return out
}
