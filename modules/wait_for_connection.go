package modules

import (
	"context"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[WaitForConnection]{
		Name: "wait_for_connection",
		Doc:  "Waits until the host can be reached, through its jump hosts, and labctl's agent runs there: the first task for a machine that is being made. Tasks before it, and facts asked for before it, need the host already.",
		Example: `wait_for_connection "cloud-init" {
  delay   = "30s"
  sleep   = "10s"
  timeout = "10m"
}
`,
		Validate: (*WaitForConnection).validate, Patience: (*WaitForConnection).patience, Probe: probeConnection, Modelled: true,
	})
}

// patient is embedded by what waits for a host.
type patient struct {
	Delay   string   `json:"delay,omitempty" lab:"option" default:"0s" doc:"How long to wait before trying for the first time."`
	Sleep   string   `json:"sleep,omitempty" lab:"option" default:"1s" doc:"Pause between two tries; at least 10s after a login was refused, since sshd bars addresses that fail often."`
	Timeout string   `json:"timeout,omitempty" lab:"option" default:"10m" doc:"How long to wait."`
	Elapsed *float64 `json:"elapsed,omitempty" lab:"computed" doc:"Seconds that it took."`
}

func (p *patient) validate() error {
	for name, s := range map[string]string{"delay": p.Delay, "sleep": p.Sleep, "timeout": p.Timeout} {
		if _, err := duration(name, s, 0); err != nil {
			return err
		}
	}
	return nil
}

// how is p as the runner needs it.
func (p *patient) how(restart bool) Patience {
	out := Patience{Restart: restart}
	out.Delay, _ = duration("delay", p.Delay, 0) // validated
	out.Sleep, _ = duration("sleep", p.Sleep, time.Second)
	out.Timeout, _ = duration("timeout", p.Timeout, 10*time.Minute)
	return out
}

// WaitForConnection waits for a host.
type WaitForConnection struct {
	Name string `json:"name" lab:"key" doc:"What is waited for."`
	patient
}

func (w *WaitForConnection) validate() error    { return w.patient.validate() }
func (w *WaitForConnection) patience() Patience { return w.how(false) }

// probeConnection has nothing to do: it is there.
func probeConnection(_ context.Context, _ host.Host, want *WaitForConnection) (*WaitForConnection, error) {
	return want, nil
}
