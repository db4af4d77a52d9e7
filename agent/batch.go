package agent

import (
	"context"
	"time"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/host/memory"
)

// batch applies consecutive requests to a copy of the host and commits what they changed at once, so that many firewall
// rules are one iptables-restore, many ports of Open vSwitch one transaction. When the commit is refused, nothing has changed: the requests are then run one by one, and
// the one at fault answers for itself.
func (s *session) batch(ctx context.Context, reqs []*wire.Request) error {
	start := time.Now()
	tx := memory.New(s.host)
	s.prepare(ctx, tx, reqs)
	replies, failed := s.applyAll(ctx, tx, reqs)
	if tx.Writes() > 0 {
		if err := tx.Commit(ctx); err != nil {
			return s.oneByOne(ctx, reqs)
		}
	}
	took := time.Since(start) / time.Duration(len(reqs))
	for i, rep := range replies {
		rep.Duration = took
		s.notices.note(context.WithoutCancel(ctx), reqs[i], rep)
		if err := s.reply(rep); err != nil {
			return err
		}
	}
	if failed != nil {
		s.failed = max(s.failed, failed.Epoch)
	}
	return nil
}

// prepare lets each module ask the host once for all its calls. What goes wrong here shows again, at its place, in apply.
func (s *session) prepare(ctx context.Context, tx *memory.Host, reqs []*wire.Request) {
	for _, name := range names(reqs) {
		var calls []modules.Call
		for _, r := range reqs {
			if r.Call.Module == name {
				calls = append(calls, *r.Call)
			}
		}
		_ = s.reg[name].Prepare(ctx, tx, calls)
	}
}

// applyAll applies the requests to tx until one fails; that one is returned, and those behind it are dropped.
func (s *session) applyAll(ctx context.Context, tx *memory.Host, reqs []*wire.Request) (replies []*wire.Reply, failed *wire.Request) {
	for _, r := range reqs {
		rep := &wire.Reply{ID: r.ID}
		replies = append(replies, rep)
		if failed != nil {
			rep.Dropped = true
			continue
		}
		m := s.reg[r.Call.Module]
		err := expected(ctx, tx, m, r)
		if err == nil {
			var res modules.Result
			res, err = m.Apply(ctx, tx, *r.Call)
			rep.Result = &res
		}
		if err != nil {
			rep.Error = s.wireError(ctx, r, err)
			if !r.Tolerant {
				failed = r
			}
		}
	}
	return replies, failed
}

func (s *session) oneByOne(ctx context.Context, reqs []*wire.Request) error {
	for _, r := range reqs {
		rep := &wire.Reply{ID: r.ID, Dropped: true}
		if r.Epoch > s.failed && ctx.Err() == nil {
			rep = s.one(ctx, r)
		}
		if err := s.reply(rep); err != nil {
			return err
		}
	}
	return nil
}
