package view

import (
	"fmt"

	"labctl/runner"
)

// common is what all human views do alike: warnings, debug messages, the greeting of -v.
type common struct {
	o      Options
	p      *printer
	warned map[string]bool
	pushed map[string]int // quarters that were told of
	clock  *clock
}

func newCommon(o Options, p *printer) *common {
	return &common{o: o, p: p, warned: map[string]bool{}, pushed: map[string]int{}, clock: newClock()}
}

// event handles the kinds that look the same in every view and ignores the others.
func (c *common) event(e runner.Event) {
	switch e.Kind {
	case runner.RunStarted:
		c.greet(e)
	case runner.Warning:
		c.warn(e.Host, e.Message)
	case runner.Debug:
		c.debug(e.Level, e.Host, e.Message)
	case runner.Connecting:
		c.debug(2, e.Host, "connecting")
	case runner.Pushing:
		c.pushing(e)
	case runner.Connected:
		text := fmt.Sprintf("connected in %v", round(e.Duration))
		if e.Message != "" {
			text += ": " + e.Message
		}
		c.debug(2, e.Host, text)
	case runner.TaskSent:
		if e.Task != nil {
			c.debug(3, e.Host, "sent "+e.Task.Address)
		}
	}
}

func (c *common) greet(e runner.Event) {
	if c.o.Verbosity < 1 || e.Run == nil {
		return
	}
	text := fmt.Sprintf("labctl %s, %s of %s", c.o.Version, e.Run.Mode, e.Run.Site)
	if e.Run.Sandbox != "" {
		text += ", in sandbox " + e.Run.Sandbox
	}
	c.p.line(c.p.paint(blue, clean(text)))
}

// warn prints a warning to Err, each once.
func (c *common) warn(host, message string) {
	if host != "" {
		message = host + ": " + message
	}
	if message == "" || c.warned[message] {
		return
	}
	c.warned[message] = true
	c.p.errLine(c.p.paint(brightPurple, wrap("[WARNING]: "+clean(message), c.p.width-1)))
}

// pushing tells of a push that takes its time, by quarters. On a terminal the region does, and once it is over nobody cares.
func (c *common) pushing(e runner.Event) {
	if c.o.TTY || c.o.Past || e.Push == nil || e.Push.Total <= 0 {
		return
	}
	quarter := 1 + int(4*e.Push.Done/e.Push.Total)
	if quarter > c.pushed[e.Host] {
		c.pushed[e.Host] = quarter
		c.p.errLine(clean(e.Host) + ": " + pushText(e.Push))
	}
}

// pushText says how far a push is.
func pushText(p *runner.Push) string {
	return fmt.Sprintf("pushing the agent, %d%% of %.1f MB", 100*p.Done/max(p.Total, 1), float64(p.Total)/1e6)
}

// resultWarnings prints what the module wants the user to know.
func (c *common) resultWarnings(e runner.Event) {
	if e.Result == nil {
		return
	}
	for _, w := range e.Result.Warnings {
		c.warn(e.Host, w)
	}
}

func (c *common) debug(level int, host, message string) {
	if level > c.o.Verbosity {
		return
	}
	if host != "" {
		message = "<" + host + "> " + message
	}
	c.p.line(c.p.paint(blue, clean(message)))
}
