package main

import (
	"fmt"
	"strings"

	"labctl/cmd/labctl/internal/planfile"
	"labctl/runner"
)

// wayTo returns what tells how a host of a site is reached, "" where that is not known: of those that are added during a run, of
// snapshots, and in a sandbox, which is the same wherever it listens.
func wayTo(s *site, o *runner.Options) func(host string) string {
	c, _ := o.Opener.(*runner.Connector)
	return func(name string) string {
		h := s.Inventory.Host(name)
		if c == nil || o.Sandbox != "" || h == nil {
			return ""
		}
		t, err := c.Target(h)
		if err != nil {
			return "" // which connecting tells
		}
		return t.Way()
	}
}

// ways are those to hosts, as far as they are known.
func (k *keeping) ways(hosts []string) map[string]string {
	out := map[string]string{}
	for _, h := range hosts {
		if way := k.way(h); way != "" {
			out[h] = way
		}
	}
	return out
}

// movedError says that a saved plan does not hold any more.
type movedError struct {
	moved       []planfile.Moved
	unreachable bool
}

// mostMoved is how many differences are listed.
const mostMoved = 20

func (e *movedError) Error() string {
	if planfile.AllDone(e.moved) {
		return "the plan has been played already, or somebody else has done the same: all that it would change is as it says, and nothing was done now.\nPlan again to see what is left to do."
	}
	var b strings.Builder
	b.WriteString("the plan does not hold any more, and nothing was changed:\n")
	for i, m := range e.moved {
		if i == mostMoved {
			fmt.Fprintf(&b, "  and %d more\n", len(e.moved)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(m.String(), "\n", "\n    "))
	}
	b.WriteString("Plan again.")
	return b.String()
}
