package runner

import (
	"sort"
	"sync"
	"time"
)

// sink passes events on one at a time, and counts what the recap needs.
type sink struct {
	mu     sync.Mutex
	emit   func(Event)
	counts map[string]*Counts
	agent  map[string]time.Duration // time spent in modules, by host
}

func newSink(emit func(Event)) *sink {
	return &sink{emit: emit, counts: map[string]*Counts{}, agent: map[string]time.Duration{}}
}

func (s *sink) event(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	switch e.Kind {
	case Connecting, Pushing, Connected, Debug: // it may only lend a hand
	default:
		if e.Host != "" {
			s.countLocked(e)
		}
	}
	s.emit(e)
}

func (s *sink) countLocked(e Event) {
	c := s.counts[e.Host]
	if c == nil {
		c = &Counts{}
		s.counts[e.Host] = c
	}
	switch e.Kind {
	case Unreachable:
		c.Unreachable++
	case TaskDone:
		s.agent[e.Host] += e.Duration
		c.add(e)
	}
}

func (c *Counts) add(e Event) {
	switch e.Status {
	case OK:
		c.OK++
	case Changed, UnknownYet:
		c.OK++
		c.Changed++
	case Skipped:
		c.Skipped++
	case Failed:
		c.fail(e)
	case NotRun:
		c.NotRun++
	}
}

// fail counts a failure as Ansible does: one that is ignored as ok, too.
func (c *Counts) fail(e Event) {
	switch {
	case e.Ignored:
		c.OK++
		c.Ignored++
	case e.Rescued:
		c.Rescued++
	default:
		c.Failed++
	}
}

// recap emits one event for each host that took part, sorted by name.
func (s *sink) recap(cost func(host string) *Cost) {
	s.mu.Lock()
	names := make([]string, 0, len(s.counts))
	for n := range s.counts {
		names = append(names, n)
	}
	s.mu.Unlock()
	sort.Strings(names)
	for _, n := range names {
		c := cost(n)
		s.mu.Lock()
		counts := *s.counts[n]
		if c != nil {
			c.Agent = s.agent[n]
		}
		s.mu.Unlock()
		s.event(Event{Kind: Recap, Host: n, Counts: &counts, Cost: c})
	}
}
