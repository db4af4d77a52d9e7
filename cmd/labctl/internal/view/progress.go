package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"labctl/runner"
)

// progress folds events into the live region: how far the play is, what each host that is under way is doing, and for how long.
type progress struct {
	hosts  map[string]*doing
	begun  time.Time // the run
	all    int       // hosts of the play
	done   int       // tasks, in the whole run
	failed map[string]bool
}

// doing is what a host is at.
type doing struct {
	what  string
	since time.Time
	sent  []string // on their way, oldest first

	connecting bool // tasks may be on their way behind the connection
}

func newProgress() *progress { return &progress{hosts: map[string]*doing{}, failed: map[string]bool{}} }

func (p *progress) event(e runner.Event) {
	if p.begun.IsZero() {
		p.begun = e.Time
	}
	switch e.Kind {
	case runner.PlayStarted:
		p.all = len(e.Hosts)
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
	case runner.TaskRetry:
		p.retry(e)
	case runner.Unreachable:
		p.failed[e.Host] = true
		delete(p.hosts, e.Host)
	case runner.HostDone:
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
	if e.Status != runner.NotRun {
		p.done++
	}
	if e.Status == runner.Failed && !e.Ignored && !e.Rescued {
		p.failed[e.Host] = true
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

// retry waits for a task to be sent again.
func (p *progress) retry(e runner.Event) {
	if e.Task == nil {
		return
	}
	p.voided(e)
	p.at(e, fmt.Sprintf("%s, again (%d left)", taskName(*e.Task), e.Retries))
}

// voided takes the oldest task off its way.
func (p *progress) voided(e runner.Event) {
	if d := p.hosts[e.Host]; d != nil && len(d.sent) > 0 {
		d.sent = d.sent[1:]
	}
}

// lines returns the region at the given time: at most n lines of at most width cells. The first says how far the play is; then
// come the hosts, by name, or, where there are too many, those that wait longest.
func (p *progress) lines(now time.Time, n, width int) []string {
	if len(p.hosts) == 0 || n <= 0 {
		return nil
	}
	out := []string{truncate(p.summary(now), width)}
	n--
	names := p.shown(n)
	more := len(p.hosts) - len(names)
	pad := 0
	for _, h := range names {
		pad = max(pad, textWidth(clean(h)))
	}
	for _, h := range names {
		d := p.hosts[h]
		line := "  " + padded(clean(h), min(pad, width/2)) + "  " + clean(d.what)
		took := "  " + elapsed(now.Sub(d.since))
		out = append(out, truncate(truncate(line, width-textWidth(took))+took, width))
	}
	if more > 0 && n > 0 {
		out = append(out, truncate(fmt.Sprintf("  … and %d more", more), width))
	}
	return out
}

// shown are the hosts that have a line of their own if there are n lines for all of them. It is asked ten times a second, so it
// does not sort what it will not show.
func (p *progress) shown(n int) []string {
	if len(p.hosts) > n {
		n = max(n-1, 0) // one says how many more there are
	}
	longest := func(a, b string) int {
		return cmp.Or(p.hosts[a].since.Compare(p.hosts[b].since), cmp.Compare(a, b))
	}
	names := make([]string, 0, n+1)
	for h := range p.hosts {
		if len(names) < n || n > 0 && longest(h, names[n-1]) < 0 {
			i, _ := slices.BinarySearchFunc(names, h, longest)
			names = slices.Insert(names, i, h)
			names = names[:min(len(names), n)]
		}
	}
	slices.Sort(names)
	return names
}

func (p *progress) summary(now time.Time) string {
	parts := []string{elapsed(now.Sub(p.begun)), fmt.Sprintf("%d of %s at work", len(p.hosts), plural(max(p.all, len(p.hosts)), "host"))}
	if len(p.failed) > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", len(p.failed)))
	}
	return strings.Join(append(parts, plural(p.done, "task")+" done"), ", ")
}

// elapsed is shown in tenths of a second, which is how often the region is drawn, as long as they matter.
func elapsed(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
