package runner

import (
	"context"
	"sync"

	"labctl/playbooks"
)

// throttles bound how many hosts are at a task at the same time.
type throttles struct {
	mu    sync.Mutex
	slots map[*playbooks.Task]chan struct{}
}

func (t *throttles) of(st playbooks.Step) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == nil {
		t.slots = map[*playbooks.Task]chan struct{}{}
	}
	if t.slots[st.Task] == nil {
		t.slots[st.Task] = make(chan struct{}, st.Throttle)
	}
	return t.slots[st.Task]
}

// admitted waits until the host may be at a step. It reports false when the run is interrupted before.
func (x *hostPlay) admitted(ctx context.Context, st playbooks.Step) bool {
	if st.Throttle == 0 || x.r.o.Mode.planning() || x.admission != nil {
		return true
	}
	slots := x.r.throttles.of(st)
	select {
	case slots <- struct{}{}:
		x.admission = slots
		return true
	case <-ctx.Done():
		return false
	}
}

// admit lets the next host have its turn.
func (x *hostPlay) admit() {
	if x.admission != nil {
		<-x.admission
		x.admission = nil
	}
}
