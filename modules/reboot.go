package modules

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Reboot]{
		Name: "reboot",
		Doc:  "Restarts the machine, and waits until it has booted anew (its boot ID is another one), can be reached through its jump hosts, and labctl's agent runs there. It restarts each time: give it a condition, or put it into a handler.",
		Example: `reboot "new kernel" {
  when    = result.kernel.changed
  timeout = "5m"
}
`,
		Validate: (*Reboot).validate, Patience: (*Reboot).patience, Run: runReboot,
	})
}

// Reboot restarts a machine.
type Reboot struct {
	Name    string `json:"name" lab:"key" doc:"What it is for."`
	Command string `json:"command,omitempty" lab:"option" default:"shutdown -r now || reboot" doc:"Script for /bin/sh that restarts the machine."`
	patient
}

func (r *Reboot) validate() error    { return r.patient.validate() }
func (r *Reboot) patience() Patience { return r.how(true) }

// runReboot returns before the machine goes down, or never: nobody may be there any more to take the answer.
func runReboot(ctx context.Context, h host.Host, want *Reboot) (*Reboot, bool, error) {
	script := want.Command
	if script == "" {
		script = "shutdown -r now || reboot"
	}
	res, err := h.Commands().Run(ctx, host.Exec{Argv: []string{"/bin/sh", "-c", script}})
	if err == nil && res.Status != 0 {
		out := CommandLine{Stdout: printed(res.Stdout), Stderr: printed(res.Stderr), RC: &res.Status}
		err = fmt.Errorf("restart the machine: %w", exitError(&out))
	}
	return want, true, err
}
