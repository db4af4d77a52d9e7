package view

import (
	"fmt"
	"strings"
	"time"

	"labctl/runner"
)

// recapLine prints a host's line of the recap, byte for byte as Ansible does: pipelines grep it.
func (v *playView) recapLine(e runner.Event) {
	v.timeline.flush()
	if !v.recap {
		v.recap = true
		v.p.banner("PLAY RECAP")
	}
	c := e.Counts
	if c == nil {
		c = &runner.Counts{}
	}
	v.p.line(v.recapHost(e.Host, c) + " : " + strings.Join([]string{
		v.count("ok", c.OK, green),
		v.count("changed", c.Changed, yellow),
		v.count("unreachable", c.Unreachable, brightRed),
		v.count("failed", c.Failed, red),
		v.count("skipped", c.Skipped, cyan),
		v.count("rescued", c.Rescued, green),
		v.count("ignored", c.Ignored, brightPurple),
	}, " "))
	if v.o.Verbosity >= 1 {
		v.cost(e)
	}
}

// recapHost pads after colouring, as Ansible does: 26 columns are 37 bytes with one SGR pair.
func (v *playView) recapHost(host string, c *runner.Counts) string {
	host = clean(host)
	paint, pad := green, 26
	switch {
	case c.Failed != 0 || c.Unreachable != 0:
		paint = red
	case c.Changed != 0:
		paint = yellow
	}
	if v.p.color {
		pad = 37
	}
	return fmt.Sprintf("%-*s", pad, v.p.paint(paint, host))
}

func (v *playView) count(name string, n int, c color) string {
	s := fmt.Sprintf("%s=%-4d", name, n)
	if n == 0 {
		return s
	}
	return v.p.paint(c, s)
}

// runDone ends the recap and, if the run was interrupted, says what was done and what was not.
func (v *playView) runDone(e runner.Event) {
	v.timeline.flush()
	if v.recap {
		v.p.line("")
	}
	if !e.Interrupted {
		return
	}
	v.p.line(v.p.paint(red, "Interrupted"+after(e.Duration)+"."))
	for _, h := range v.hosts {
		v.p.line("  " + clean(h) + ": " + v.work[h].String())
	}
}

func after(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return " after " + round(d).String()
}

// String says what was done and what was not, as the account of an interrupted run does.
func (w *work) String() string {
	if !w.begun {
		return "not begun"
	}
	out := "nothing was done"
	if w.done > 0 {
		out = fmt.Sprintf("%s done, %d changed, the last was [%s]", plural(w.done, "task"), w.changed, clean(w.last))
	}
	if w.interrupted != "" {
		out += "; interrupted: [" + clean(w.interrupted) + "]"
	}
	if len(w.notRun) == 0 {
		return out
	}
	const most = 5
	names := w.notRun[:min(most, len(w.notRun))]
	out += "; not run: [" + clean(strings.Join(names, "], [")) + "]"
	if more := len(w.notRun) - most; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// cost prints how long the host was at work, what its session cost, and what the connection to its jump host did, which all
// behind it share.
func (c *common) cost(e runner.Event) {
	var parts []string
	if spent := c.clock.total[e.Host]; spent > 0 {
		parts = append(parts, "time "+round(spent).String())
	}
	if e.Cost != nil {
		parts = append(parts, costText(*e.Cost))
	}
	if len(parts) > 0 {
		c.p.line("    " + strings.Join(parts, ", "))
	}
	if e.Cost == nil {
		return
	}
	for via := e.Cost.Via; via != nil; via = via.Via {
		c.p.line("    shared jump connection: " + costText(*via))
	}
}

func costText(c runner.Cost) string {
	parts := []string{
		fmt.Sprintf("round trips %d", c.RoundTrips),
		byteText(c.BytesOut) + " out",
		byteText(c.BytesIn) + " in",
		"handshake " + round(c.Handshake).String(),
	}
	if c.Agent > 0 {
		parts = append(parts, "agent "+round(c.Agent).String())
	}
	if c.Pushed {
		parts = append(parts, "agent pushed")
	}
	return strings.Join(parts, ", ")
}

func byteText(n int64) string {
	const kib = 1 << 10
	switch {
	case n < kib:
		return fmt.Sprintf("%d B", n)
	case n < kib*kib:
		return fmt.Sprintf("%.1f KiB", float64(n)/kib)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(kib*kib))
}

// round keeps the digits of d that a reader cares for: three at most.
func round(d time.Duration) time.Duration {
	for unit := time.Duration(1); unit < time.Hour; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Second)
}
