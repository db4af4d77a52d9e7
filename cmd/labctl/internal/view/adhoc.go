package view

import (
	"encoding/json"
	"fmt"
	"strings"

	"labctl/runner"
)

// output is what a command has printed, as ansible shows it of a task without a playbook
// (lib/ansible/plugins/callback/minimal.py). It is "" where there is none to show.
func (v *playView) output(e runner.Event) string {
	if !v.o.AdHoc || e.Status != runner.Changed || e.Result == nil || e.Task.Sensitive {
		return ""
	}
	var state struct {
		Stdout string `json:"stdout"`
		Stderr string `json:"stderr"`
		RC     *int   `json:"rc"`
	}
	if json.Unmarshal(e.Result.State, &state) != nil || state.RC == nil {
		return ""
	}
	lines := []string{fmt.Sprintf("%s | CHANGED | rc=%d >>", clean(e.Host), *state.RC)}
	for _, s := range []string{state.Stdout, state.Stderr} {
		if s != "" {
			lines = append(lines, clean(s))
		}
	}
	return v.p.paint(yellow, strings.Join(lines, "\n"))
}
