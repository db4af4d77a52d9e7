package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Debug]{
		Name: "debug",
		Doc:  "Shows a text or a value in the output, by default the label. It changes nothing.",
		Example: `debug "this is ${facts.hostname}, with ${length(facts.interfaces)} interfaces" {}
debug "default route" { var = facts.default_ipv4 }
`,
		Validate: (*Debug).validate, Run: runDebug, Modelled: true,
	})
}

// Debug is something to show.
type Debug struct {
	Name string  `json:"name" lab:"key" doc:"The text to show, or the name of the value."`
	Msg  *string `json:"msg,omitempty" doc:"The text to show; the label if unset."`
	Var  any     `json:"var,omitempty" doc:"A value of any kind to show in place of a text."`
}

func (d *Debug) validate() error {
	switch {
	case d.Msg != nil && d.Var != nil:
		return argf("var", "cannot be together with msg")
	case d.Msg == nil && d.Var == nil:
		d.Msg = &d.Name
	}
	return nil
}

func runDebug(_ context.Context, _ host.Host, want *Debug) (*Debug, bool, error) {
	return want, false, nil
}
