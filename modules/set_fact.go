package modules

import (
	"context"

	"labctl/modules/host"
)

// SetFactName is the module whose value becomes a variable of the host: the evaluation of a play sees to that.
const SetFactName = "set_fact"

func init() {
	Register(Spec[SetFact]{
		Name: SetFactName,
		Doc:  "Makes a value a variable of the host: the tasks behind it, and later plays of the run, refer to it by its name alone. It goes before the variables of plays, hosts and groups, not before -e. Another host does not see it.",
		Example: `command "uname -r" { register = "kernel" }
set_fact "kernel_series" { value = split(".", result.kernel.stdout)[0] }
debug "this is Linux ${kernel_series}" {}
`,
		Run: runSetFact, Modelled: true,
	})
}

// SetFact is a variable that is set during a run.
type SetFact struct {
	Name  string `json:"name" lab:"key" doc:"Name of the variable, as it stands: letters, digits and _."`
	Value any    `json:"value" lab:"required" doc:"Its value, of any kind."`
}

func runSetFact(_ context.Context, _ host.Host, want *SetFact) (*SetFact, bool, error) {
	return want, false, nil
}
