package playbooks

import (
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/modules"
)

// Step is one instance of a task for one host. There are as many as tasks times hosts: what takes space stands in its Work.
type Step struct {
	*Work
	ID       int             // counts from 1 in each HostRun
	Meeting  bool            // the hosts of the play wait for each other; Between has their turn then
	Asks     bool            // a Meeting tells whether the task behind it is to be performed at all
	Chooses  bool            // a Meeting tells one of the hosts to run, for all, the task behind it
	Gathers  bool            // a Meeting tells the others what came of that
	Fatal    bool            // its failure is one of all hosts of the play
	Once     bool            // it is run for all hosts of the play
	Place    Place           // of a Meeting: where it is
	Between  []Step          // of a Meeting: the steps of a task between two hosts, as this one would have them
	Faults   hcl.Diagnostics // why it cannot be evaluated: it has failed, and there is nothing to send
	From, To *inventory.Host // of a step in Between; nil: not known, or skipped

	reg  *registration            // of its outcome, or nil
	asks map[string]*registration // see asks
	at   *frame                   // its place
	last *frame                   // of a Meeting: that of the task before it, or nil
	ctx  *hcl.EvalContext         // in which it was evaluated
}

// Work is what an instance of a task is evaluated to. It is not changed any more once a step has been handed out with it: the
// steps of other hosts may have the same.
type Work struct {
	Task      *Task
	Name      string // for display: "bridge : br0"
	Key       string // for_each key, behind those of the roles and files that it is in, or ""
	Call      modules.Call
	Skip      bool            // when is false: there is nothing to send
	Unknown   bool            // planning, verifying: it depends on results that only a play has; nothing to send
	Unknowns  []string        // the arguments that are not known, or "when", "for_each", "notify"
	Partial   bool            // of an Unknown one, planning: it is sent with what is known; Open is not
	Open      []string        // paths of attributes
	Become    Identity        // whom it runs as
	Timeout   time.Duration   // 0: none
	Notify    []string        // handlers to run if it changed something
	Sensitive bool            // its arguments may not be shown
	Range     hcl.Range       // the head of the task block
	Files     []FileRef       // content that the host may ask for
	Home      string          // file of this machine that it brings home, or ""
	Tolerant  bool            // what is behind it is done even if it fails, or is not handed out before its outcome is known
	Throttle  int             // how many hosts may be at the task at the same time; 0: all
	Async     time.Duration   // how long it may go on by itself; 0: it does not
	Poll      time.Duration   // how often it is asked for then; 0: it is started, and that is all
	Check     Check           // whether it only looks
	On        *inventory.Host // the host that it runs on; nil: the one that it is for

	body   *body
	key    string        // of its own loop
	ignore bool          // its failure
	fact   cty.Value     // what it sets, if it is a set_fact
	tries  int           // at most
	delay  time.Duration // between them
}

// Format writes the name, whatever the verb: fmt shows what a pointer leads to as it is, passwords too.
func (w *Work) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, w.Name) }
