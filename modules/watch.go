package modules

import (
	"context"
	"fmt"
	"io"

	"labctl/modules/host"
)

// Watch is embedded by probes that look on while something happens.
type Watch struct {
	Start   bool      `json:"start,omitempty" lab:"option" doc:"Begin, and go on in later tasks until one of the same name stops. With stop too: check, and go on with what comes from now."`
	Stop    bool      `json:"stop,omitempty" lab:"option" doc:"Check what came since it was started, wait for what is missing until the deadline, and end."`
	Trigger []Trigger `json:"trigger,omitempty" lab:"option" doc:"What to do meanwhile, in order, to make something happen. What becomes of it does not matter."`
	InNetNS
	Deadline
}

func (w *Watch) validate() error {
	if w.Start && !w.Stop && w.Trigger != nil {
		return argf("start", "cannot be together with triggers: those belong to the task that stops, or between the two")
	}
	for i := range w.Trigger {
		if err := w.Trigger[i].validate(fmt.Sprintf("trigger[%d].", i)); err != nil {
			return err
		}
	}
	_, err := duration("deadline", w.Deadline.Deadline, 0)
	return err
}

// watch lets look judge what open has opened, or an earlier task. Without such a task each try is on its own: opened, triggered
// and judged. An error in broken, unlike a verdict, ends it at once, and so does final.
func (w *Watch) watch(ctx context.Context, h host.Host, what string, open func(host.Net) (io.Closer, error), look func(io.Closer) (verdict, broken error), final func() bool) error {
	n, err := w.net(ctx, h)
	if err != nil {
		return err
	}
	kept := n.Probes().Kept()
	var o io.Closer
	switch {
	case w.Start && !w.Stop:
		if o, err = open(n); err != nil {
			return err
		}
		return kept.Put(what, o)
	case w.Stop:
		if o = kept.Take(what); o == nil {
			return fmt.Errorf("stop %s: none of this name has been started in this session (as the same user)", what)
		}
		defer func() {
			if w.Start {
				_ = kept.Put(what, o) // nothing is there that it could take the place of
			} else {
				_ = o.Close()
			}
		}()
	}
	var broken error
	triggers := w.Trigger
	return w.until(ctx, func() (verdict error) {
		o := o
		if o == nil {
			if o, broken = open(n); broken != nil {
				return broken
			}
			defer o.Close()
		}
		for i := range triggers {
			if broken = triggers[i].pull(ctx, h, w.NetNS); broken != nil {
				return broken
			}
		}
		if w.Stop {
			triggers = nil // what they make adds up
		}
		if verdict, broken = look(o); broken != nil {
			return broken
		}
		return verdict
	}, func(error) bool { return broken != nil || w.Stop && final() })
}
