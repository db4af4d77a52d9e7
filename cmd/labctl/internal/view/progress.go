package view

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"labctl/runner"
)

// progress folds events into the live region: what each host that is under way is doing, and for how long.
type progress struct {
	hosts map[string]*doing
	now   time.Time
}

// doing is what a host is at.
type doing struct {
	what  string
	since time.Time
	sent  []string // on their way, oldest first

	connecting bool // tasks may be on their way behind the connection
}

func newProgress() *progress { return &progress{hosts: map[string]*doing{}} }

func (p *progress) event(e runner.Event) {
	p.now = e.Time
	switch e.Kind {
	case runner.Connecting:
		d := p.at(e, "connecting")
		d.connecting = true
	case runner.Pushing:
		if d := p.hosts[e.Host]; d != nil && d.connecting && e.Push != nil {
			d.what = pushText(e.Push)
		}
	case runner.Connected:
		p.connected(e)
	case runner.TaskSent:
		p.sent(e)
	case runner.TaskDone:
		p.taskDone(e)
	case runner.TaskVoid:
		p.voided(e)
	case runner.HostDone, runner.Unreachable:
		delete(p.hosts, e.Host)
	case runner.PlayDone, runner.RunDone:
		clear(p.hosts)
	}
}

// connected moves on to what was sent behind the connection.
func (p *progress) connected(e runner.Event) {
	d := p.at(e, "connected")
	d.connecting = false
	if len(d.sent) > 0 {
		d.what = d.sent[0]
	}
}

func (p *progress) at(e runner.Event, what string) *doing {
	d := p.hosts[e.Host]
	if d == nil {
		d = &doing{}
		p.hosts[e.Host] = d
	}
	d.what, d.since = what, e.Time
	return d
}

func (p *progress) sent(e runner.Event) {
	if e.Task == nil {
		return
	}
	d := p.hosts[e.Host]
	name := taskName(*e.Task)
	if d == nil || len(d.sent) == 0 && !d.connecting {
		d = p.at(e, name)
	}
	d.sent = append(d.sent, name)
}

// taskDone moves on to the next task on its way; if none is known, what was done last has to do.
func (p *progress) taskDone(e runner.Event) {
	if e.Task == nil {
		return
	}
	d := p.hosts[e.Host]
	if d == nil || e.Status != runner.NotRun {
		d = p.at(e, "after "+taskName(*e.Task))
	}
	if len(d.sent) > 0 {
		d.sent = d.sent[1:]
	}
	if len(d.sent) > 0 {
		d.what = d.sent[0]
	}
}

// voided takes the oldest task off its way.
func (p *progress) voided(e runner.Event) {
	if d := p.hosts[e.Host]; d != nil && len(d.sent) > 0 {
		d.sent = d.sent[1:]
	}
}

// lines returns the region at the given time: at most n lines of at most width cells, longest wait first, then by name.
func (p *progress) lines(now time.Time, n, width int) []string {
	names := make([]string, 0, len(p.hosts))
	pad := 0
	for h := range p.hosts {
		names = append(names, h)
	}
	slices.SortFunc(names, func(a, b string) int {
		if c := p.hosts[a].since.Compare(p.hosts[b].since); c != 0 && len(names) > n {
			return c
		}
		return cmp.Compare(a, b)
	})
	more := 0
	if len(names) > n {
		more = len(names) - n + 1
		names = names[:max(n-1, 0)]
	}
	for _, h := range names {
		pad = max(pad, textWidth(h))
	}
	var out []string
	for _, h := range names {
		d := p.hosts[h]
		line := fmt.Sprintf("  %-*s  %s  %s", pad, clean(h), clean(d.what), elapsed(now.Sub(d.since)))
		out = append(out, truncate(line, width))
	}
	if more > 0 && n > 0 {
		out = append(out, truncate(fmt.Sprintf("  … and %s more", plural(more, "host")), width))
	}
	return out
}

// elapsed is shown in tenths of a second, which is how often the region is drawn.
func elapsed(d time.Duration) string {
	return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
}
