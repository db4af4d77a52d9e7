package runner

import (
	"container/heap"
	"runtime"
	"sync"
)

// turns has half as many hosts evaluate their tasks at a time as there are processors, those that stand first in the play before
// the others. All of a thousand hosts at once would be done at the same time, late, and what they have evaluated would wait for the
// wire in memory; the other processors log in, send, and take in what comes back from the first of them.
type turns struct {
	mu    sync.Mutex
	free  int
	queue waiters
}

// waiter is a host that wants to evaluate.
type waiter struct {
	rank int // of the host in the play
	turn chan struct{}
}

func newTurns() *turns { return &turns{free: max(runtime.GOMAXPROCS(0)/2, 1)} }

// take waits for a turn, and returns what ends it.
func (t *turns) take(rank int) (end func()) {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return t.end
	}
	w := waiter{rank, make(chan struct{})}
	heap.Push(&t.queue, w)
	t.mu.Unlock()
	<-w.turn
	return t.end
}

func (t *turns) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.free++
		return
	}
	close(heap.Pop(&t.queue).(waiter).turn)
}

// waiters is a heap.Interface.
type waiters []waiter

func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].rank < w[j].rank }
func (w waiters) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *waiters) Push(x any)        { *w = append(*w, x.(waiter)) }
func (w *waiters) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}
