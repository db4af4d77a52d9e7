package modules

import (
	"context"
	"errors"
	"fmt"
	"time"

	"labctl/modules/codec"
	"labctl/modules/host"
)

func init() {
	Register(Spec[AsyncStatus]{
		Name: "async_status",
		Doc:  "Waits for a task that was started with async and poll = \"0s\", on the same host and as the same user, and ends as that does. Its result is kept for a day.",
		Example: `async_status "0123456789abcdef" { wait = "30m" }
`,
		Validate: (*AsyncStatus).validate, Run: runAsyncStatus,
	})
}

// AsyncStatus is a job, and what has come of it.
type AsyncStatus struct {
	Job      string `json:"job" lab:"key" doc:"What the result of the task that has started it has as job."`
	Wait     string `json:"wait,omitempty" lab:"option" doc:"How long to wait for it, then it is a failure; \"0s\": it is only looked at. Unset: until it has ended, which it does when the time in async is over."`
	Finished *bool  `json:"finished,omitempty" lab:"computed" doc:"Whether it has ended."`
	Stdout   string `json:"stdout,omitempty" lab:"computed" doc:"What a command has printed."`
	Stderr   string `json:"stderr,omitempty" lab:"computed" doc:"What a command has printed to standard error."`
	RC       *int   `json:"rc,omitempty" lab:"computed" doc:"Exit status of a command."`
}

func (a *AsyncStatus) validate() error {
	_, err := duration("wait", a.Wait, 0)
	return err
}

// jobPause lies between two looks at a job.
const jobPause = 200 * time.Millisecond

func runAsyncStatus(ctx context.Context, h host.Host, want *AsyncStatus) (*AsyncStatus, bool, error) {
	j, ok := h.(host.Jobber)
	if !ok {
		return want, false, errors.New("this host has no jobs")
	}
	wait, err := duration("wait", want.Wait, 0)
	if err != nil {
		return want, false, err
	}
	for start := time.Now(); ; {
		b, err := j.Jobs().Get(ctx, want.Job)
		switch {
		case errors.Is(err, host.ErrNotExist):
			return want, false, fmt.Errorf("there is no job %s of this user on this host: its result may have been forgotten", want.Job)
		case err != nil:
			return want, false, err
		case b != nil:
			return want.ended(b)
		case want.Wait != "" && wait == 0:
			finished := false
			out := *want
			out.Finished = &finished
			return &out, false, nil
		case wait > 0 && time.Since(start) > wait:
			return want, false, fmt.Errorf("job %s has not ended after %s", want.Job, wait)
		}
		select {
		case <-time.After(jobPause):
		case <-ctx.Done():
			return want, false, context.Cause(ctx)
		}
	}
}

// jobError is a failure of a job, as the agent has it.
type jobError struct {
	Msg string `json:"msg"`
}

// ended tells what a job has left.
func (a *AsyncStatus) ended(left []byte) (*AsyncStatus, bool, error) {
	var rep struct {
		Result *Result   `json:"result"`
		Error  *jobError `json:"error"`
	}
	if err := codec.Unmarshal(left, &rep); err != nil {
		return a, false, fmt.Errorf("read the result of job %s: %w", a.Job, err)
	}
	finished := true
	out := AsyncStatus{Job: a.Job, Wait: a.Wait, Finished: &finished}
	changed := false
	if rep.Result != nil {
		changed = rep.Result.Diff.Action.Changes()
		var c CommandLine
		if codec.Unmarshal(rep.Result.State, &c) == nil {
			out.Stdout, out.Stderr, out.RC = c.Stdout, c.Stderr, c.RC
		}
	}
	if rep.Error != nil {
		return &out, changed, errors.New(rep.Error.Msg)
	}
	return &out, changed, nil
}
