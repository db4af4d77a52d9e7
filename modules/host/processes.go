package host

import "context"

// Process is a process that lives on when the agent has gone: as it was started, and whether it runs.
type Process struct {
	Name    string            `json:"name"`
	Argv    []string          `json:"argv,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // beside the agent's
	Dir     string            `json:"dir,omitempty"` // "": /
	User    string            `json:"user,omitempty"`
	Stdout  string            `json:"stdout,omitempty"`   // file that both outputs are appended to; "": nowhere
	PIDFile string            `json:"pid_file,omitempty"` // beside the host's own record
	// NetNS is as Host.Net takes it. A process stays in its namespace when that name goes away or comes to mean another; it is
	// MovedNetNS then.
	NetNS string `json:"netns,omitempty"`
	// Responder, in place of Argv: the agent itself answers HTTP requests.
	Responder *Responder `json:"responder,omitempty"`

	PID int `json:"pid,omitempty"` // 0: a plan
}

// MovedNetNS is the namespace of a process that the name it was started with does not lead to any more.
const MovedNetNS = "(another by that name)"

// RespondArgument, as the last argument of an agent, makes it a Responder, which its environment describes.
const RespondArgument = "respond"

// Responder is a web server that gives one answer.
type Responder struct {
	Address string `json:"address,omitempty"` // "": all
	Port    int    `json:"port"`
	Status  int    `json:"status"`
	Body    string `json:"body"`
}

// Processes starts and ends processes by names of ours. One that does not run is not there.
type Processes interface {
	List(ctx context.Context) ([]Process, error)
	Get(ctx context.Context, name string) (Process, error) // ErrNotExist
	// Start returns when the process has been running for a moment; an error tells how it ended, and the last that it said.
	Start(ctx context.Context, p Process) error
	// Stop ends the process and its group with SIGTERM, and with SIGKILL what has not ended when the process has, or ten seconds
	// later: ErrNotExist.
	Stop(ctx context.Context, name string) error
}
