package agent

import (
	"sync"

	"labctl/agent/wire"
)

// queue holds the requests that have come but not been run. It is unbounded: the runner's first flight is a whole play.
type queue struct {
	mu        sync.Mutex
	wake      *sync.Cond
	items     []*wire.Request
	cancelled bool
	err       error // why no more will come
}

func newQueue() *queue {
	q := &queue{}
	q.wake = sync.NewCond(&q.mu)
	return q
}

func (q *queue) push(r *wire.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, r)
	q.wake.Signal()
}

// close says that nothing more will come; what has come but not been run is forgotten, since nobody is there to answer to.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.items = nil
	q.wake.Broadcast()
}

// cancel lets a batch that waits for more go on without.
func (q *queue) cancel() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cancelled = true
	q.wake.Broadcast()
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0
}

// pop waits for the next request. It returns the error of close when none will come.
func (q *queue) pop() (*wire.Request, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		if q.err != nil {
			return nil, q.err
		}
		q.wake.Wait()
	}
	return q.shiftLocked(), nil
}

func (q *queue) shiftLocked() *wire.Request {
	r := q.items[0]
	q.items = q.items[1:]
	return r
}

// run returns the requests directly behind r that want allows, waiting for those the runner has announced with Follows.
func (q *queue) run(r *wire.Request, want func(*wire.Request) bool) []*wire.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*wire.Request
	for len(out) < maxBatch {
		for len(q.items) == 0 && r.Follows && q.err == nil && !q.cancelled {
			q.wake.Wait()
		}
		if len(q.items) == 0 || !want(q.items[0]) || q.items[0].Epoch != r.Epoch {
			break
		}
		r = q.shiftLocked()
		out = append(out, r)
	}
	return out
}
