package transport

import (
	"context"
	"sync"
	"time"
)

// stopwatch ends a context when an attempt has taken too long, and stands
// still while the user is asked something.
type stopwatch struct {
	cancel context.CancelCauseFunc
	cause  error

	mu    sync.Mutex
	timer *time.Timer
	left  time.Duration
	since time.Time
	ended bool
}

func withStopwatch(parent context.Context, limit time.Duration) (context.Context, *stopwatch) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &stopwatch{cancel: cancel, cause: &TimeoutError{After: limit.String()}, left: limit, since: time.Now()}
	w.timer = time.AfterFunc(limit, func() { cancel(w.cause) })
	return ctx, w
}

func (w *stopwatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
	w.cancel(nil)
}

// pause runs f without counting its time.
func (w *stopwatch) pause(f func() error) error {
	w.mu.Lock()
	w.timer.Stop()
	w.left -= time.Since(w.since)
	w.mu.Unlock()
	err := f()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return err
	}
	w.since = time.Now()
	w.timer = time.AfterFunc(max(w.left, time.Second), func() { w.cancel(w.cause) })
	return err
}
