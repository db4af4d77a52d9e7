package persist

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"labctl/transport"
)

// run is one process of labctl.
type run struct {
	pool *transport.Pool
	c    *channel

	mu    sync.Mutex
	asked map[int]chan line
	last  int
	gone  context.Context
}

// run lives as long as its process.
func (s *Server) run(c *channel, q *request) error {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{c: c, asked: map[int]chan line{}, gone: ctx}
	o := transport.Options{Keep: s.keep, Agents: s.agents, Logf: func(f string, args ...any) {
		if ctx.Err() == nil {
			_ = c.send(line{Log: fmt.Sprintf(f, args...)})
		}
	}}
	if q.Ask {
		o.Ask = r.ask
	}
	r.pool = transport.NewPool(o)
	name := rand.Text()
	s.mu.Lock()
	s.runs[name], s.served = r, true
	s.mu.Unlock()
	defer func() {
		cancel()
		s.mu.Lock()
		delete(s.runs, name)
		s.mu.Unlock()
		r.pool.Retire()
	}()
	if err := c.send(line{Name: name}); err != nil {
		return nil
	}
	for {
		var l line
		if err := c.receive(&l); err != nil {
			return nil
		}
		r.mu.Lock()
		to := r.asked[l.ID]
		delete(r.asked, l.ID)
		r.mu.Unlock()
		if to != nil {
			to <- l
		}
	}
}

// ask has the run's own process ask the user.
func (r *run) ask(ctx context.Context, q transport.Question) ([]string, error) {
	r.mu.Lock()
	r.last++
	id, answer := r.last, make(chan line, 1)
	r.asked[id] = answer
	r.mu.Unlock()
	if err := r.c.send(line{ID: id, Question: &q}); err != nil {
		return nil, err
	}
	select {
	case l := <-answer:
		return l.Answers, l.Err.decode()
	case <-ctx.Done():
		_ = r.c.send(line{ID: id, Over: true})
		return nil, context.Cause(ctx)
	case <-r.gone.Done():
		return nil, errors.New("nobody is there to ask any more")
	}
}
