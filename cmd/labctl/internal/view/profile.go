package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"labctl/runner"
)

// mostProfiled is how many tasks a profile lists, as many as Ansible's profile_tasks does.
const mostProfiled = 20

// profile adds to a view, at the end, which tasks took longest (--profile).
type profile struct {
	fold
	p     *printer
	tasks map[string]*spent
	cases int
	sum   time.Duration
}

// spent is the time that one task of the playbook took, on all hosts and for all items.
type spent struct {
	name, place string
	count       int
	total, most time.Duration
	host        string // which took the most
}

func newProfile(p *printer, f fold) *profile {
	return &profile{fold: f, p: p, tasks: map[string]*spent{}}
}

func (v *profile) event(e runner.Event) {
	v.fold.event(e)
	switch e.Kind {
	case runner.TaskDone:
		v.add(e)
	case runner.RunDone:
		v.show(e.Duration)
	}
}

func (v *profile) add(e runner.Event) {
	if e.Task == nil || e.Duration <= 0 {
		return
	}
	place := ""
	if e.Task.File != "" {
		place = fmt.Sprintf("%s:%d", e.Task.File, e.Task.Line)
	}
	key := cmp.Or(place, e.Task.Name)
	s := v.tasks[key]
	if s == nil {
		s = &spent{name: cmp.Or(e.Task.Heading, e.Task.Name), place: place}
		v.tasks[key] = s
	}
	s.count++
	s.total += e.Duration
	if e.Duration > s.most {
		s.most, s.host = e.Duration, e.Host
	}
	v.cases++
	v.sum += e.Duration
}

// show lists the tasks, those that took longest in all first.
func (v *profile) show(run time.Duration) {
	v.p.banner("SLOWEST TASKS")
	var list []*spent
	host := len("slowest on")
	for _, s := range v.tasks {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *spent) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.place, b.place), cmp.Compare(a.name, b.name))
	})
	list = list[:min(len(list), mostProfiled)]
	for _, s := range list {
		host = max(host, textWidth(clean(s.host)))
	}
	if len(list) > 0 {
		v.p.line(fmt.Sprintf("%9s %9s %6s  %s  %s", "total", "longest", "count", padded("slowest on", host), "task"))
	}
	for _, s := range list {
		name := clean(s.name)
		if s.place != "" {
			name += " (" + clean(s.place) + ")"
		}
		v.p.line(fmt.Sprintf("%9s %9s %6d  %s  %s", seconds(s.total), seconds(s.most), s.count, padded(clean(s.host), host), name))
	}
	if more := len(v.tasks) - len(list); more > 0 {
		v.p.line(fmt.Sprintf("and %s", plural(more, "more task")))
	}
	v.p.line(fmt.Sprintf("%s in modules, %s; the run took %s.", seconds(v.sum), plural(v.cases, "result"), seconds(run)))
}

// seconds writes d with as many digits as are worth comparing in a column.
func seconds(d time.Duration) string { return fmt.Sprintf("%.3fs", d.Seconds()) }

// padded fills s up to n cells.
func padded(s string, n int) string { return s + strings.Repeat(" ", max(n-textWidth(s), 0)) }
