package runner

import (
	"slices"
	"sync"

	"labctl/playbooks"
)

// How many steps are evaluated ahead of their outcomes. Each host may have a few, which hide the way to it and back; beyond that
// all hosts together have a stock that is as good as endless for some dozens of them, so that a host is sent its whole play in one
// flight. A thousand hosts would fill the memory with what waits for the wire and with answers that wait to be taken in.
const (
	aheadEach  = 64
	aheadAll   = 32 << 10
	aheadChunk = 512 // borrowed at a time: hosts that go on step by step would wait for a turn with each
)

// ahead is what is left of the stock.
type ahead struct {
	mu   sync.Mutex
	free int
}

func newAhead() *ahead { return &ahead{free: aheadAll} }

// has reports whether there is a chunk left.
func (a *ahead) has() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.free >= aheadChunk
}

// add puts back what was borrowed, or takes it where n is less than 0; it reports whether there was enough.
func (a *ahead) add(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.free+n < 0 {
		return false
	}
	a.free += n
	return true
}

// under is how many steps of the host are evaluated and have no outcome.
func (x *hostPlay) under() int { return len(x.sent) + len(x.waiting) + len(x.again) }

// beyond is how many of these are not among the few that each host may have.
func (x *hostPlay) beyond() int { return max(x.under()-aheadEach, 0) }

// room is how many steps more may be evaluated.
func (x *hostPlay) room() int { return aheadEach + x.borrowed - x.under() }

// roomy reports whether there is room enough to take a turn for.
func (x *hostPlay) roomy() bool { return x.room() >= aheadEach/2 || x.r.ahead.has() }

// borrow sees that there is some room, out of the stock if it has any.
func (x *hostPlay) borrow() bool {
	for x.r.ahead.add(-aheadChunk) {
		if x.borrowed += aheadChunk; x.room() > 0 {
			return true
		}
	}
	return x.room() > 0
}

// repay gives back all that is borrowed but so much.
func (x *hostPlay) repay(but int) {
	if more := x.borrowed - but; more > 0 {
		x.borrowed = but
		x.r.ahead.add(more)
	}
}

// heavyCall is how large the arguments of one task may be to be sent before its agent has introduced itself, in bytes. Of what is
// sent until then transport.StartAgent takes so much and no more; an agent that is to wait for its first request would wait for ever.
const heavyCall = 1 << 20

// heavy reports whether a step that waits is larger.
func (x *hostPlay) heavy() bool {
	return slices.ContainsFunc(x.waiting, func(st playbooks.Step) bool { return len(st.Call.Params) > heavyCall })
}
