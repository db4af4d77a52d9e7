// Package runner plays a site on its hosts: it evaluates each host's tasks ahead, streams them to the agent behind the
// transport, takes in the results, and says everything that happens as events. It prints nothing, and it does not know how
// a kernel is changed or what an event looks like on a terminal.
package runner

import (
	"cmp"
	"time"

	"labctl/modules"
)

// EventVersion is raised when a field or kind of Event changes its meaning. The vocabulary is documented in docs/events.md.
const EventVersion = 1

// Kind is what an event says.
type Kind string

// The kinds of events, in the order in which a run emits them. Events of one host are in order; hosts interleave.
const (
	RunStarted  Kind = "run_started"  // first; Run is set
	PlayStarted Kind = "play_started" // Play, Hosts
	Connecting  Kind = "connecting"   // Host: a session is being opened
	Pushing     Kind = "pushing"      // Host, Push: the agent is on its way to it; every second
	Connected   Kind = "connected"    // Host: the agent has answered; Duration, Message (how)
	TaskSent    Kind = "task_sent"    // Host, Task: on its way; only with verbosity
	TaskDone    Kind = "task_done"    // Host, Task, Status, Diff, Result, Error, Duration, Ignored, Rescued
	TaskRetry   Kind = "task_retry"   // Host, Task, Error, Retries: it will be tried again
	TaskVoid    Kind = "task_void"    // Host, Task: it was sent, and is not run, since a failure before it is rescued; it may be sent again
	Unreachable Kind = "unreachable"  // Host, Error: no session, or it was lost
	HostDone    Kind = "host_done"    // Host: nothing left for it in this play
	PlayDone    Kind = "play_done"    // Play
	Warning     Kind = "warning"      // Message, maybe Host and Task
	Debug       Kind = "debug"        // Message, Level: what -vvv shows
	Recap       Kind = "recap"        // Host, Counts, Cost: once per host, sorted by name
	RunDone     Kind = "run_done"     // last; Interrupted, Duration, Error if the site was at fault
)

// Status is what became of a task on a host.
type Status string

// The statuses of a task.
const (
	OK         Status = "ok"      // as wanted already
	Changed    Status = "changed" // or, planning, would change
	Skipped    Status = "skipped" // when was false
	Failed     Status = "failed"
	NotRun     Status = "not_run"     // dropped behind a failure, or interrupted
	UnknownYet Status = "unknown_yet" // planning: depends on a result that is known after apply only
)

// Event is one thing that happened. Fields that do not belong to its kind are empty.
type Event struct {
	Time     time.Time       `json:"time"`
	Kind     Kind            `json:"kind"`
	Run      *Run            `json:"run,omitempty"`
	Play     string          `json:"play,omitempty"`
	Hosts    []string        `json:"hosts,omitempty"`
	Host     string          `json:"host,omitempty"`
	Peer     string          `json:"peer,omitempty"` // of a task between two hosts the far one, of one that runs on another host that one
	Task     *Task           `json:"task,omitempty"`
	Status   Status          `json:"status,omitempty"`
	Diff     *modules.Diff   `json:"diff,omitempty"`
	Result   *modules.Result `json:"result,omitempty"`
	Error    *Error          `json:"error,omitempty"`
	Duration time.Duration   `json:"duration,omitempty"` // ns
	Message  string          `json:"message,omitempty"`
	Level    int             `json:"level,omitempty"` // of a debug event: 1 to 3, as -v to -vvv
	Counts   *Counts         `json:"counts,omitempty"`
	Cost     *Cost           `json:"cost,omitempty"`
	Push     *Push           `json:"push,omitempty"`
	Call     *modules.Call   `json:"-"` // of a task: for who compares, never for who shows

	Interrupted bool `json:"interrupted,omitempty"`

	Ignored bool `json:"ignored,omitempty"` // of a failed task: the host goes on as if nothing had happened
	Rescued bool `json:"rescued,omitempty"` // of a failed task: a rescue block has its turn
	Retries int  `json:"retries,omitempty"` // of a retry: how many are left
}

// Run describes the whole run.
type Run struct {
	Version int    `json:"version"` // EventVersion
	Mode    Mode   `json:"mode"`
	Site    string `json:"site"`
	Sandbox string `json:"sandbox,omitempty"` // name of the sandbox the hosts are in
}

// Mode says whether a run changes anything.
type Mode string

// The modes of a run.
const (
	Play  Mode = "play"
	Plan  Mode = "plan"
	Check Mode = "check" // plan, shown as a play

	Verify Mode = "verify" // the probes of a play alone
)

// planning reports whether nothing is done on the hosts themselves.
func (m Mode) planning() bool { return m == Plan || m == Check }

// Task identifies a task, or one iteration of it.
type Task struct {
	Name      string `json:"name"`              // the name meta-argument, or "TYPE : LABEL"
	Heading   string `json:"heading,omitempty"` // the name as written, if it may differ from host to host or item to item
	Module    string `json:"module"`
	Label     string `json:"label"`
	Key       string `json:"key,omitempty"`           // each.key
	Address   string `json:"address"`                 // TYPE.LABEL or TYPE.LABEL["key"], as plans write it
	Absent    bool   `json:"absent,omitempty"`        // ensure = "absent"
	Become    string `json:"become,omitempty"`        // the user that it runs as, if that is not the login user
	Method    string `json:"become_method,omitempty"` // by which it becomes that user, if a play, a task or the inventory says it
	Handler   bool   `json:"handler,omitempty"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Check     *bool  `json:"check,omitempty"`     // its own check: true, it only looks; false, it is done in a plan, too
	Sensitive bool   `json:"sensitive,omitempty"` // Diff and Result have been withheld
}

// Error says what went wrong and where.
type Error struct {
	Kind    string `json:"kind"` // a wire error kind, or "unreachable", "evaluation", "lost", "controller"
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Source  string `json:"source,omitempty"` // the lines of the playbook at fault, as HCL diagnostics show them
	Hop     string `json:"hop,omitempty"`    // unreachable: the inventory name of the hop that refused
}

// KindNotPlanned is the kind of the error of a task that Options.Approve has refused.
const KindNotPlanned = "not_planned"

// KindInterrupted is the kind of the error of a task that was under way when the run was interrupted, and has not been heard
// of since: it may or may not be done.
const KindInterrupted = "interrupted"

// Counts are the numbers of Ansible's recap line for one host.
type Counts struct {
	OK          int `json:"ok"` // ok and changed
	Changed     int `json:"changed"`
	Unreachable int `json:"unreachable"`
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Rescued     int `json:"rescued"`
	Ignored     int `json:"ignored"`
	NotRun      int `json:"not_run"`
}

// Cost is what a host's session cost.
type Cost struct {
	RoundTrips int           `json:"round_trips"`
	RTT        time.Duration `json:"rtt"` // ns, the shortest turn seen
	BytesIn    int64         `json:"bytes_in"`
	BytesOut   int64         `json:"bytes_out"`
	Handshake  time.Duration `json:"handshake"`
	Agent      time.Duration `json:"agent"` // spent in modules
	Pushed     bool          `json:"pushed,omitempty"`
	Via        *Cost         `json:"via,omitempty"` // the jump host's connection, shared by all behind it
}

// Push is how much of an agent is at a host.
type Push struct {
	Done  int64 `json:"done"`  // bytes
	Total int64 `json:"total"` // bytes
}

// plus is what a host has cost when it was connected to again. The connection to the jump host is still the same.
func (c *Cost) plus(more *Cost) *Cost {
	if c == nil || more == nil {
		return cmp.Or(c, more)
	}
	sum := *more
	sum.RoundTrips += c.RoundTrips
	sum.BytesIn += c.BytesIn
	sum.BytesOut += c.BytesOut
	sum.Handshake += c.Handshake
	sum.RTT = min(sum.RTT, c.RTT)
	sum.Pushed = sum.Pushed || c.Pushed
	return &sum
}
