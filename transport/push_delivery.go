package transport

import (
	"errors"
	"slices"
	"sync"
)

// ErrGivenUp says that an agent did not come to its machine because nobody wanted it any more, see Process.GiveUp.
var ErrGivenUp = errors.New("given up before the agent was there")

// delivery is how far an agent's binary is: until the last of its bytes is on its way, it cannot run.
type delivery struct {
	mu    sync.Mutex
	state deliveryState
	there int64 // bytes at the machine, as it said last
}

type deliveryState int

const (
	notBegun  deliveryState = iota // or the agent was there
	notWanted                      // given up in that state
	begun
	complete // all of it is written; but much may wait in buffers on the way, in a jump host's alone 2 MiB
	doubtful // given up in that state
	givenUp
)

// begin reports whether the binary is wanted.
func (d *delivery) begin() bool { return d.become(begun, notBegun) }

// complete reports whether the last of the binary may go.
func (d *delivery) complete() bool {
	return d.become(complete, begun, complete) || d.become(doubtful, doubtful)
}

func (d *delivery) become(next deliveryState, from ...deliveryState) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(from, d.state) {
		return false
	}
	d.state = next
	return true
}

// arrived notes what the machine says each second. It reports whether the rest takes so long that it can still be stopped.
func (d *delivery) arrived(done, total int64) (stop bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inLastSecond := done - d.there
	d.there = done
	if d.state != doubtful || total-done <= inLastSecond {
		return false
	}
	d.state = givenUp
	return true
}

// giveUp implements Process.GiveUp. As long as a machine has not said that it lacks the agent, that may run.
func (s *agentStart) giveUp() {
	if s.sent.become(notWanted, notBegun) || s.sent.become(doubtful, complete) {
		return
	}
	if s.sent.become(givenUp, begun) {
		s.cancel(ErrGivenUp)
	}
}

// arrived takes in how many bytes of the binary are at the machine.
func (s *agentStart) arrived(done, total int64) {
	s.opts.Progress(done, total)
	if s.sent.arrived(done, total) {
		s.cancel(ErrGivenUp)
	}
}
