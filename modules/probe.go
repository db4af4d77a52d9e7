package modules

import (
	"context"
	"fmt"
	"time"
)

// Deadline is embedded by every probe. (A task's timeout ends it and makes it fail, whatever is expected.)
type Deadline struct {
	Deadline string `json:"deadline,omitempty" lab:"option" default:"10s" doc:"How long to try again until what is expected is seen: networks converge. 0s tries once."`
}

// defaultDeadline leaves time for ARP, for a bridge port to learn, and for IPv6 duplicate address detection.
const defaultDeadline = 10 * time.Second

// duration parses the argument name, which may be unset.
func duration(name, s string, unset time.Duration) (time.Duration, error) {
	if s == "" {
		return unset, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, argf(name, "%q is not a duration such as \"10s\" or \"500ms\"", s)
	}
	return d, nil
}

// until calls try until it returns nil or the deadline is over, and returns its last error. A try that is running is not
// cut short; an error that more tries cannot mend, one for which final returns true, ends it.
func (d Deadline) until(ctx context.Context, try func() error, final func(error) bool) error {
	total, err := duration("deadline", d.Deadline, defaultDeadline)
	if err != nil {
		return err
	}
	start, pause := time.Now(), 50*time.Millisecond
	for n := 1; ; n++ {
		err := try()
		if err == nil || final(err) || ctx.Err() != nil {
			return err
		}
		if time.Since(start)+pause > total {
			if n > 1 {
				return fmt.Errorf("%w (tried %d times in %s)", err, n, time.Since(start).Round(100*time.Millisecond))
			}
			return err
		}
		if sleep(ctx, pause); ctx.Err() != nil {
			return err
		}
		pause = min(2*pause, time.Second)
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
