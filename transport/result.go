package transport

import "sync"

// Result is how a command ended. It is set once: by the end of the command, or
// by cutting it off.
type Result struct {
	once   sync.Once
	done   chan struct{}
	status int
	err    error
}

// NewResult returns a Result that is not set.
func NewResult() *Result { return &Result{done: make(chan struct{})} }

// Finish sets the result, and reports whether nobody had before.
func (r *Result) Finish(status int, err error) (first bool) {
	r.once.Do(func() {
		r.status, r.err, first = status, err, true
		close(r.done)
	})
	return first
}

// Wait returns the result once it is set.
func (r *Result) Wait() (int, error) {
	<-r.done
	return r.status, r.err
}

// Err returns the error of a result that is set, and nil of one that is not.
func (r *Result) Err() error {
	if !isDone(r.done) {
		return nil
	}
	return r.err
}
