package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"labctl/agent/wire"
	"labctl/modules/host"
	"labctl/playbooks"
)

// Pending says what becomes of handlers that a host has kept, since plays before have notified them and not run them.
type Pending string

// Its values. The empty one is PendingRun.
const (
	PendingRun  Pending = "run"  // they have their turn, as if a task had notified them now
	PendingKeep Pending = "keep" // they are kept for a later run
	PendingDrop Pending = "drop" // they are forgotten
)

// pending is what a hostPlay knows of the handlers that hosts keep for its play.
type pending struct {
	heard map[*session]bool
	at    []place                                 // where sessions have been
	kept  map[place]map[host.NoticeID]host.Notice // by whom, as they were told
	noted map[host.NoticeID]bool                  // of these, what this play has notified
	keeps bool                                    // some host of them keeps notices
	cause string                                  // the task at which the play has failed
}

// hear takes in what the current session has told of handlers that have not run.
func (x *hostPlay) hear() {
	if x.cur == nil || x.eval == nil || x.pending.heard[x.cur] {
		return
	}
	hello := x.cur.hello.Load()
	if hello == nil {
		return
	}
	p := &x.pending
	if p.heard == nil {
		p.heard, p.kept, p.noted = map[*session]bool{}, map[place]map[host.NoticeID]host.Notice{}, map[host.NoticeID]bool{}
	}
	p.heard[x.cur], p.keeps = true, p.keeps || hello.Keeps
	if p.kept[x.at] == nil {
		p.kept[x.at] = map[host.NoticeID]host.Notice{}
		p.at = append(p.at, x.at)
	}
	for _, n := range hello.Notices {
		if n.Site == x.r.o.Project && n.Host == x.host.Name {
			p.kept[x.at][n.NoticeID] = n
		}
	}
}

// ofPlay are the notices for this play, the oldest first.
func (x *hostPlay) ofPlay() (out []host.Notice) {
	title := x.play.Title()
	for _, at := range x.pending.at {
		for _, n := range x.pending.kept[at] {
			if n.Play == title && !x.pending.noted[n.NoticeID] && !slices.ContainsFunc(out, func(o host.Notice) bool { return o.NoticeID == n.NoticeID }) {
				out = append(out, n)
			}
		}
	}
	slices.SortFunc(out, func(a, b host.Notice) int { return int(a.Since - b.Since) })
	return out
}

// offering reports whether kept handlers have their turn in this run.
func (r *Runner) offering() bool {
	return (r.o.Pending == "" || r.o.Pending == PendingRun) && r.o.Mode != Verify && r.o.Targets == nil
}

// offer tells the evaluation of handlers that have not run. It reports false while a session that is on its way to be asked, or
// to be opened, may still tell of some; that costs nothing, since its introduction comes with its first answer at the latest.
func (x *hostPlay) offer() bool {
	x.hear()
	if x.cur != nil && x.cur.hello.Load() == nil {
		return false
	}
	for _, st := range x.waiting {
		if !x.stays(st) && !st.Meeting && st.Faults == nil && !slices.Contains(x.pending.at, x.place(st)) {
			return false
		}
	}
	var ids []host.NoticeID
	for _, n := range x.ofPlay() {
		ids = append(ids, n.NoticeID)
	}
	x.eval.Offer(ids)
	return true
}

// accepted says of the handlers that have their turn because an earlier play has left them out, why.
func (x *hostPlay) accepted() {
	for _, id := range x.eval.Accepted() {
		for _, n := range x.ofPlay() {
			if n.NoticeID == id {
				what := "runs now"
				if x.r.o.Mode.planning() {
					what = "would run"
				}
				x.warn("handler %q is %s: it %s", id.Handler, overdue(n), what)
			}
		}
	}
}

func overdue(n host.Notice) string {
	s := "pending since " + time.Unix(n.Since, 0).Format("2006-01-02 15:04:05")
	if n.Failed == "" {
		return s + ", that run did not come to its end"
	}
	return s + ", that run failed at " + n.Failed
}

func (x *hostPlay) warn(format string, args ...any) {
	x.r.sink.event(Event{Kind: Warning, Play: x.play.Display(), Host: x.host.Name, Message: fmt.Sprintf(format, args...)})
}

// notify are the handlers that the host is to keep if a request changes something.
func (x *hostPlay) notify(st playbooks.Step) []host.NoticeID {
	if x.eval == nil || x.r.o.Mode != Play {
		return nil
	}
	return x.eval.Notices(&st)
}

// noted takes in that the host has kept them.
func (x *hostPlay) noted(st playbooks.Step, rep *wire.Reply) {
	if rep == nil || rep.Error != nil || rep.Result == nil || !rep.Result.Diff.Action.Changes() {
		return
	}
	x.hear()
	if hello := x.cur.hello.Load(); hello == nil || !hello.Keeps {
		return
	}
	for _, id := range x.notify(st) {
		if _, known := x.pending.kept[x.at][id]; !known {
			x.pending.kept[x.at][id] = host.Notice{NoticeID: id}
			x.pending.noted[id] = true
		}
	}
}

// blame notes the task at which the play has failed on this host: there is none where hosts only wait for each other.
func (x *hostPlay) blame(st playbooks.Step) {
	if x.pending.cause == "" && st.Task != nil {
		x.pending.cause = x.task(st).Address
	}
}

// unheard is the end of a play: it has the host keep the handlers that were notified and have not run, and forget those that
// have. The next play finds nothing to change, and does not notify them again. Nothing is waited for.
func (x *hostPlay) unheard() {
	if x.r.o.Mode == Verify {
		return
	}
	x.hear()
	owed := map[host.NoticeID]bool{}
	if x.failed && x.r.o.Mode == Play {
		for _, o := range x.eval.Owed() {
			owed[o.ID] = true
			x.warnOwed(o)
		}
	}
	left := x.leftover(owed)
	if x.r.o.Mode != Play {
		return
	}
	for i, at := range x.pending.at {
		x.close(at, i == 0, owed, left)
	}
}

func (x *hostPlay) warnOwed(o playbooks.Owed) {
	has := "was notified on " + x.host.Name + " and has not run"
	if o.Failed {
		has = "has failed on " + x.host.Name
	}
	switch {
	case x.pending.keeps:
		x.warn("handler %q %s: it is kept there for the next play", o.ID.Handler, has)
	case !o.Failed:
		x.warn("handler %q %s", o.ID.Handler, has)
	}
}

// leftover are the notices that no turn of a handler has come of in this play, and that stay.
func (x *hostPlay) leftover(owed map[host.NoticeID]bool) map[host.NoticeID]bool {
	left := map[host.NoticeID]bool{}
	gone := "it is forgotten"
	if x.r.o.Mode.planning() {
		gone = "it would be forgotten"
	}
	for _, n := range x.ofPlay() {
		switch {
		case owed[n.NoticeID], x.eval.Took(n.NoticeID):
		case x.r.o.Pending == PendingDrop:
			x.warn("handler %q is %s: %s", n.Handler, overdue(n), gone)
		case !x.r.site.Knows(n.NoticeID):
			x.warn("handler %q is %s: the play has no such handler any more, and %s", n.Handler, overdue(n), gone)
		default:
			left[n.NoticeID] = true
			if !x.failed {
				x.warn("handler %q is %s: it is kept", n.Handler, overdue(n))
			}
		}
	}
	return left
}

// close tells one of the agents what is to be kept, and what not. What none has kept yet, such as by a changed_when, the first does.
func (x *hostPlay) close(at place, first bool, owed, left map[host.NoticeID]bool) {
	w := &wire.Notices{}
	for id := range x.pending.kept[at] {
		switch {
		case owed[id] && x.pending.noted[id]:
			w.Keep = append(w.Keep, host.Notice{NoticeID: id, Failed: x.pending.cause})
		case owed[id], left[id], id.Play != x.play.Title() && (x.r.o.Pending != PendingDrop || x.r.site.HasPlay(id.Play)):
		default:
			w.Drop = append(w.Drop, id)
		}
	}
	if first && x.pending.keeps {
		for id := range owed {
			if !x.keptSomewhere(id) {
				w.Keep = append(w.Keep, host.Notice{NoticeID: id, Failed: x.pending.cause})
			}
		}
	}
	if len(w.Keep)+len(w.Drop) == 0 {
		return
	}
	x.say(at, w)
}

func (x *hostPlay) keptSomewhere(id host.NoticeID) bool {
	return slices.ContainsFunc(x.pending.at, func(at place) bool { _, kept := x.pending.kept[at][id]; return kept })
}

// say sends an agent what it need not answer. One that has had to make room for another user's is started again.
func (x *hostPlay) say(at place, w *wire.Notices) {
	s := x.r.present(at)
	if !x.failed {
		s, _ = x.r.session(context.Background(), at, true)
	}
	if s == nil || s.lost() != nil {
		return
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.send(&wire.Frame{Notices: w}) == nil && x.failed {
		_ = s.flush() // else it goes with what is sent next, or with the end of the session
	}
}
