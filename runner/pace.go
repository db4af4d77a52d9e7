package runner

import (
	"runtime"
	"sync"
	"time"

	"labctl/playbooks"
)

// pace has the hosts of a play start by their rank. A thousand that log in and send their tasks at once are all done at the same
// time, late, and the first has to wait for its processor like the last. So there are a few that start, each until its agent has
// introduced itself, or for as long as processors take for the tasks of so many hosts, here and on a way there that is as busy:
// where it is the way that takes long, or a host does not answer, the others are held up by no more than they would be anyway.
type pace struct {
	starting chan struct{}
	limit    time.Duration // how long a host may hold up the next
}

const (
	startsAtOnce = 4
	taskTime     = 100 * time.Microsecond // of one processor for a task on a host: twice what it is here (BenchmarkSlopes, CPU-us/item)
)

func newPace(p *playbooks.Play) *pace {
	return &pace{starting: make(chan struct{}, startsAtOnce),
		limit: time.Duration(p.Size()) * taskTime * startsAtOnce / time.Duration(runtime.GOMAXPROCS(0))}
}

// next waits for a place among those that start, and returns what gives it back.
func (p *pace) next() (started func()) {
	p.starting <- struct{}{}
	started = sync.OnceFunc(func() { <-p.starting })
	time.AfterFunc(p.limit, started)
	return started
}

// begun says that the host has started.
func (x *hostPlay) begun() {
	if x.started != nil {
		x.started()
	}
}
