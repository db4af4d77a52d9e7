package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"labctl/agent/wire"
	"labctl/modules/host"
)

// notices are those that this session knows the host to keep. Requests and the runner's word come on different goroutines.
type notices struct {
	kept host.Notices // nil: the host keeps none
	mu   sync.Mutex
	all  map[host.NoticeID]host.Notice
}

// open reads what is kept, for the introduction. A host on which that cannot be done keeps nothing.
func (n *notices) open(ctx context.Context, h host.Host) []host.Notice {
	nh, ok := h.(host.Noticer)
	if !ok {
		return nil
	}
	list, err := nh.Notices().List(ctx)
	if err != nil {
		return nil
	}
	n.kept, n.all = nh.Notices(), map[host.NoticeID]host.Notice{}
	for _, one := range list {
		n.all[one.NoticeID] = one
	}
	return list
}

// note writes down, before the reply is on its way, the handlers that a request that has changed something notifies: the
// runner may never hear of it. What is written down already is not written again.
func (n *notices) note(ctx context.Context, r *wire.Request, rep *wire.Reply) {
	if n.kept == nil || r.Look || rep.Error != nil || rep.Result == nil || !rep.Result.Diff.Action.Changes() {
		return
	}
	for _, id := range r.Notify {
		n.mu.Lock()
		_, known := n.all[id]
		n.mu.Unlock()
		if known {
			continue
		}
		if err := n.keep(ctx, host.Notice{NoticeID: id}); err != nil {
			rep.Result.Warnings = append(rep.Result.Warnings, fmt.Sprintf("handler %q is lost if the play fails before it has run: %v", id.Handler, err))
		}
	}
}

func (n *notices) keep(ctx context.Context, one host.Notice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if one.Since == 0 {
		one.Since = n.all[one.NoticeID].Since
	}
	if one.Since == 0 {
		one.Since = time.Now().Unix()
	}
	if err := n.kept.Keep(ctx, one); err != nil {
		return err
	}
	n.all[one.NoticeID] = one
	return nil
}

// take does what the runner says at the end of a play. Nobody waits for it; what goes wrong shows in the next run, which is told
// of what is still there.
func (n *notices) take(ctx context.Context, w *wire.Notices) {
	if n.kept == nil {
		return
	}
	for _, one := range w.Keep {
		_ = n.keep(ctx, one)
	}
	for _, id := range w.Drop {
		n.mu.Lock()
		if n.kept.Drop(ctx, id) == nil {
			delete(n.all, id)
		}
		n.mu.Unlock()
	}
}
