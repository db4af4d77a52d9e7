package view

import (
	"time"

	"labctl/runner"
)

// clock measures how long each host was at work: from its first event in a play to the last, over all plays.
type clock struct {
	since map[string]time.Time
	total map[string]time.Duration
}

func newClock() *clock {
	return &clock{since: map[string]time.Time{}, total: map[string]time.Duration{}}
}

func (c *clock) event(e runner.Event) {
	switch e.Kind {
	case runner.Connecting, runner.Connected, runner.TaskSent, runner.TaskDone:
		if _, ok := c.since[e.Host]; !ok && e.Host != "" {
			c.since[e.Host] = e.Time
		}
	case runner.HostDone, runner.Unreachable:
		if since, ok := c.since[e.Host]; ok {
			c.total[e.Host] += e.Time.Sub(since)
			delete(c.since, e.Host)
		}
	}
}
