package persist

import (
	"context"
	"sync"

	"labctl/transport"
)

// questions are those of the server that the user has in front of them.
type questions struct {
	mu    sync.Mutex
	open  map[int]context.CancelFunc
	ended bool
	wg    sync.WaitGroup
}

// put asks the user, and sends the server what they say.
func (s *questions) put(c *channel, l line, ask transport.Ask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if s.open == nil {
		s.open = map[int]context.CancelFunc{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.open[l.ID] = cancel
	s.wg.Go(func() {
		defer s.take(l.ID)
		answers, err := ask(ctx, *l.Question)
		_ = c.send(line{ID: l.ID, Answers: answers, Err: encode(err)})
	})
}

// take gives a question up.
func (s *questions) take(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.open[id]; cancel != nil {
		cancel()
		delete(s.open, id)
	}
}

// end gives all up, and returns once the terminal is as it was before.
func (s *questions) end() {
	s.mu.Lock()
	s.ended = true
	for _, cancel := range s.open {
		cancel()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
