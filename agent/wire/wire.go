// Package wire is the protocol between the runner and an agent: length-prefixed JSON over the agent's standard input and
// output. It knows the modules' calls and results, and nothing of SSH or of how an agent is started.
//
// The agent speaks first: Magic, then a Hello. After that frames travel both ways without waiting. The runner numbers its
// requests; the agent runs them in order and answers each. Every request carries an epoch. When a request fails, the agent
// drops (answers with Dropped) all later requests of that epoch or an earlier one; the runner, having decided how to go on,
// continues with a higher epoch. So a play is one flight out and results streaming back, and nothing that was queued behind
// a failure is ever executed by mistake.
package wire

import (
	"encoding/json"
	"time"

	"labctl/modules"
	"labctl/modules/host"
)

// Magic precedes the first frame, so that the noise of a login script can be told from the agent.
const Magic = "\x00labctl\x01"

// AheadArgument is an argument of the agent: requests are sent without waiting for its introduction. That may travel with the
// first replies then, in one write: sshd on a jump host has Nagle's algorithm on, and would hold back the second of two.
const AheadArgument = "ahead"

// RelayArgument, as the last argument, makes the agent a relay of connections, see the package relay. After Magic it speaks
// another protocol than this one.
const RelayArgument = "relay"

// Version is raised with every change of the frames. Both sides come from one build (the agent is found by its hash), so a
// difference is an error, never negotiated.
const Version = 8

// Frame is one message; exactly one field is set.
type Frame struct {
	Hello   *Hello   `json:"hello,omitempty"`   // agent, first
	Request *Request `json:"request,omitempty"` // runner
	Reply   *Reply   `json:"reply,omitempty"`   // agent
	Need    *Need    `json:"need,omitempty"`    // agent: a content it lacks for the request it is at
	Have    *Have    `json:"have,omitempty"`    // runner: all of the content has been sent, or why not
	Part    *Part    `json:"part,omitempty"`    // agent: a piece of a file for the controller; runner: a piece of what it needs
	Cancel  *Cancel  `json:"cancel,omitempty"`  // runner: stop what is running, drop all that is queued
	Notices *Notices `json:"notices,omitempty"` // runner: which handlers have not run; there is no answer
}

// Hello introduces the agent.
type Hello struct {
	Version int        `json:"version"`
	PID     int        `json:"pid"`
	UID     int        `json:"uid"`
	Facts   host.Facts `json:"facts"`

	Keeps   bool          `json:"keeps,omitempty"`   // the host keeps notices of handlers
	Notices []host.Notice `json:"notices,omitempty"` // those of earlier sessions
}

// Request asks for one thing. Op says what.
type Request struct {
	ID      int           `json:"id"`
	Epoch   int           `json:"epoch"`
	Op      Op            `json:"op"`
	Call    *modules.Call `json:"call,omitempty"`
	Follows bool          `json:"follows,omitempty"` // another request is right behind: wait for it before committing a batch
	Timeout time.Duration `json:"timeout,omitempty"` // ns; 0: none
	Files   []string      `json:"files,omitempty"`   // snapshot: paths to include

	Expect *modules.Diff `json:"expect,omitempty"` // apply: what a plan has shown; anything else is refused

	Tolerant bool   `json:"tolerant,omitempty"` // its failure is no reason to drop what is behind it
	Job      string `json:"job,omitempty"`      // fetch: the ID of the job
	// Notify are handlers that a notice is kept of if the request has changed something, before it is answered.
	Notify []host.NoticeID `json:"notify,omitempty"`

	Look bool `json:"look,omitempty"` // it is planned on a copy that is thrown away, of the host or, with Plan, of its copy
}

// Op is the kind of a request.
type Op string

// The operations. Plan runs the call on a memory copy of the host that lives as long as the session.
const (
	Apply    Op = "apply"
	Plan     Op = "plan"
	Snapshot Op = "snapshot"
	Network  Op = "network" // a snapshot of the network alone

	// The three steps of a probe between two hosts, each with the state that the one before has returned: the far end
	// listens, the near end sends, the far end says what has come. They stand outside of the epochs: the play of the far host goes on
	// whatever comes of them.
	Listen  Op = "listen"
	Knock   Op = "knock"
	Collect Op = "collect"

	// Start begins the call as a job, a process that outlives the agent, and Fetch asks what has come of one. They stand outside of
	// the epochs, too.
	Start Op = "start"
	Fetch Op = "fetch"
)

// Aside reports whether the failure of a request leaves those behind it to be executed.
func (o Op) Aside() bool {
	return o == Listen || o == Knock || o == Collect || o == Start || o == Fetch
}

// Reply answers a request.
type Reply struct {
	ID       int             `json:"id"`
	Result   *modules.Result `json:"result,omitempty"`
	Snapshot *host.Snapshot  `json:"snapshot,omitempty"`
	Error    *Error          `json:"error,omitempty"`
	Dropped  bool            `json:"dropped,omitempty"` // not executed: an earlier request of the epoch failed, or cancelled
	Duration time.Duration   `json:"duration"`          // ns spent on it
	Job      string          `json:"job,omitempty"`     // start, fetch: the ID of the job
	Running  bool            `json:"running,omitempty"` // start, fetch: it has not ended
}

// The kinds of Error.
const (
	KindArgument     = "argument"      // the task's arguments are at fault; Path says which
	KindNotConverged = "not_converged" // applied, but the host still differs
	KindProbe        = "probe"         // what was seen is not what was expected
	KindTimeout      = "timeout"
	KindCancelled    = "cancelled"
	KindHost         = "host"  // the machine refused
	KindMoved        = "moved" // the host is not as the plan has it; nothing was done
)

// Error is a failure as it travels.
type Error struct {
	Kind string `json:"kind"`
	Path string `json:"path,omitempty"`
	Msg  string `json:"msg"`
}

// Need names a content that the runner must send before the request can go on, in Parts with a Have behind them. While it
// does so, whatever the agent says means that it does not wait for the content any more.
type Need struct {
	ID     int    `json:"id"` // of this Need
	SHA256 string `json:"sha256"`
}

// Have is behind the last Part that answers a Need.
type Have struct {
	ID    int    `json:"id"`
	Error string `json:"error,omitempty"`
}

// Part is the next piece of a file, on its way to the controller or from it. It has either data, and then travels as it is,
// in place of JSON, or the sum.
type Part struct {
	ID    int    `json:"id"` // of the request that brings it to the controller, or of the Need
	Data  []byte `json:"-"`
	Whole string `json:"whole,omitempty"` // to the controller, behind the last: the SHA-256 of all
}

// Cancel ends the session's work: the running request is interrupted, all others are dropped.
type Cancel struct{}

// Notices are what the end of a play makes of those that the host keeps.
type Notices struct {
	Keep []host.Notice   `json:"keep,omitempty"` // handlers that have not run
	Drop []host.NoticeID `json:"drop,omitempty"` // those that have, or that nobody wants any more
}

// Raw is a JSON value kept as it is.
type Raw = json.RawMessage
