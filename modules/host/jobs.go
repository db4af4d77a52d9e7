package host

import "context"

// JobArgument, as the last argument of an agent, makes it carry out a job, whose directory its environment names.
const JobArgument = "job"

// Jobs are calls that are carried out by a process of their own, which outlives the agent that has started it. What they are asked
// for and what they leave is opaque here.
type Jobs interface {
	// Start begins a job, and returns its ID.
	Start(ctx context.Context, request []byte) (id string, err error)
	// Get returns what a job has left; nil while it runs. ErrNotExist when there is none.
	Get(ctx context.Context, id string) ([]byte, error)
	// Forget removes what a job has left.
	Forget(ctx context.Context, id string) error
}

// Jobber is implemented by hosts on which there can be jobs.
type Jobber interface {
	Jobs() Jobs
	// Job runs the job that this process is for: do makes of the request what the job leaves.
	Job(do func(request []byte) []byte) error
}
