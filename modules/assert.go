package modules

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Assert]{
		Name: "assert",
		Doc:  "Fails unless everything that is said is true: of variables, facts and results. It looks at nothing, and is made in a plan, too, as far as the values are known there.",
		Example: `assert "the machine is as the lab needs it" {
  that     = [facts.memory_mb >= 2000, contains(["x86_64", "aarch64"], facts.architecture)]
  fail_msg = "two virtual machines of 1 GB each need a PC, or a Raspberry Pi with enough memory"
}
`,
		Complete: (*Assert).complete, Probe: probeAssert, Modelled: true,
	})
}

// Assert is a list of what is expected to be true.
type Assert struct {
	Name    string `json:"name" lab:"key" doc:"What it is that is expected."`
	That    []bool `json:"that,omitempty" doc:"What must be true, each an expression."`
	FailMsg string `json:"fail_msg,omitempty" lab:"option" doc:"What to say when it is not; the label if unset."`
}

func (a *Assert) complete() error {
	if len(a.That) == 0 {
		return argf("that", "nothing is asserted: that = [expression, ...]")
	}
	return nil
}

func probeAssert(_ context.Context, _ host.Host, want *Assert) (*Assert, error) {
	for i, is := range want.That {
		if is {
			continue
		}
		msg := want.FailMsg
		if msg == "" {
			msg = "not true: " + want.Name
		}
		return want, argf(fmt.Sprintf("that[%d]", i), "%s", msg)
	}
	return want, nil
}
