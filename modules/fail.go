package modules

import (
	"context"
	"errors"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Fail]{
		Name: "fail",
		Doc:  "Fails, for a reason that when gives, and says why. It looks at nothing, and fails in a plan, too.",
		Example: `fail "a leaf needs at least two uplinks" {
  when = length(facts.interfaces) < 3
}
`,
		Probe: probeFail, Modelled: true,
	})
}

// Fail is a failure that somebody wants.
type Fail struct {
	Name string `json:"name" lab:"key" doc:"What is wrong, and what to do about it."`
	Msg  string `json:"msg,omitempty" doc:"What to say in place of the label."`
}

func probeFail(_ context.Context, _ host.Host, want *Fail) (*Fail, error) {
	if want.Msg != "" {
		return want, errors.New(want.Msg)
	}
	return want, errors.New(want.Name)
}
