package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/runner"
)

// playView shows a play or a check the way ansible-playbook does (lib/ansible/plugins/callback/default.py).
type playView struct {
	*common
	timeline *timeline
	play     map[string]bool // hosts of the present play: still in it
	work     map[string]*work
	hosts    []string // in order of appearance, for the account of an interrupted run
	recap    bool     // its banner is printed
}

// work is what a host has done, for the account of an interrupted run.
type work struct {
	begun         bool // there was something to do, and a session was asked for
	done, changed int
	last          string
	interrupted   string // the task it was at
	notRun        []string
}

func newPlay(o Options, p *printer) *playView {
	v := &playView{common: newCommon(o, p), work: map[string]*work{}}
	v.timeline = newTimeline(v.header, p.line)
	return v
}

func (v *playView) event(e runner.Event) {
	v.timeline.tick(e.Time)
	v.clock.event(e)
	switch e.Kind {
	case runner.PlayStarted:
		v.playStarted(e)
	case runner.Connecting:
		if w := v.work[e.Host]; w != nil { // not one that only lends a hand
			w.begun = true
		}
		v.common.event(e)
	case runner.TaskDone:
		v.task(e)
	case runner.TaskRetry:
		v.retry(e)
	case runner.Unreachable:
		v.timeline.note(e.Host, v.p.paint(brightRed, "fatal: ["+clean(hostOf(e))+"]: UNREACHABLE! => "+unreachableText(e.Error)))
		v.inPlay(e.Host, false)
		v.timeline.leave(e.Host)
	case runner.HostDone:
		v.timeline.leave(e.Host)
	case runner.PlayDone:
		v.playDone()
	case runner.Recap:
		v.recapLine(e)
	case runner.RunDone:
		v.runDone(e)
	default:
		v.common.event(e)
	}
}

func (v *playView) tick(now time.Time) { v.timeline.tick(now) }
func (v *playView) finish()            { v.timeline.flush() }

func (v *playView) playStarted(e runner.Event) {
	v.timeline.start(e.Hosts)
	title := "PLAY"
	if e.Play != "" {
		title = "PLAY [" + e.Play + "]"
	}
	v.p.banner(title)
	if len(e.Hosts) == 0 {
		v.p.line(v.p.paint(cyan, "skipping: no hosts matched"))
	}
	v.play = map[string]bool{}
	for _, h := range e.Hosts {
		v.play[h] = true
		v.host(h)
	}
}

func (v *playView) playDone() {
	v.timeline.start(nil)
	if len(v.play) > 0 && !anyOf(v.play) {
		v.p.banner("NO MORE HOSTS LEFT")
	}
	v.play = nil
}

// inPlay notes whether host is still in the play.
func (v *playView) inPlay(host string, yes bool) {
	if _, known := v.play[host]; known {
		v.play[host] = yes
	}
}

func (v *playView) host(name string) *work {
	w := v.work[name]
	if w == nil {
		w = &work{}
		v.work[name] = w
		v.hosts = append(v.hosts, name)
	}
	return w
}

func (v *playView) header(t runner.Task) {
	title := "TASK"
	if t.Handler {
		title = "RUNNING HANDLER"
	}
	name := t.Name
	if v.varies(t) {
		name = t.Heading
	}
	v.p.banner(title + " [" + name + "]")
	if v.o.Verbosity >= 2 && t.File != "" {
		v.p.line(v.p.paint(darkGray, clean(fmt.Sprintf("task path: %s:%d", t.File, t.Line))))
	}
}

// varies reports whether the name of a task may differ under its one heading, which then is the name as written.
func (v *playView) varies(t runner.Task) bool {
	return t.Heading != "" && (t.Key != "" || len(v.play) > 1)
}

func (v *playView) task(e runner.Event) {
	if e.Task == nil {
		return
	}
	v.account(e)
	v.resultWarnings(e)
	text := v.status(e)
	if v.o.Diff && e.Diff != nil && e.Status == runner.Changed {
		d := differ{p: v.p, sep: ": ", full: v.o.Verbosity >= 1}
		if lines := d.changes(*e.Diff, *e.Task); len(lines) > 0 {
			text = strings.Join(lines, "\n") + "\n" + text
		}
	}
	v.timeline.add(e.Host, *e.Task, text)
}

func (v *playView) account(e runner.Event) {
	w := v.host(e.Host)
	w.begun = true
	switch {
	case e.Status == runner.NotRun:
		w.notRun = append(w.notRun, taskName(*e.Task))
		return
	case e.Status == runner.Failed && !e.Ignored && !e.Rescued:
		v.inPlay(e.Host, false)
	default: // a rescue, or an ignored failure: the host went on
		v.inPlay(e.Host, true)
	}
	if e.Error != nil && (e.Error.Kind == wire.KindCancelled || e.Error.Kind == runner.KindInterrupted) {
		w.interrupted = taskName(*e.Task)
		return
	}
	if e.Status == runner.Changed {
		w.changed++
	}
	w.done++
	w.last = taskName(*e.Task)
}

// hostOf names the host of an event, and the other one that is involved, as Ansible shows delegation.
func hostOf(e runner.Event) string {
	if e.Peer == "" {
		return e.Host
	}
	return e.Host + " -> " + e.Peer
}

// status is the line (or, for a failure, the lines) that say what became of a task on a host.
func (v *playView) status(e runner.Event) string {
	host := "[" + clean(hostOf(e)) + "]"
	if text := v.output(e); text != "" {
		return text
	}
	switch e.Status {
	case runner.OK:
		return v.p.paint(green, "ok: "+host+v.details(e))
	case runner.Changed:
		return v.p.paint(yellow, "changed: "+host+v.details(e))
	case runner.Skipped:
		return v.p.paint(cyan, "skipping: "+host+v.details(e))
	case runner.UnknownYet:
		return v.p.paint(cyan, "unknown: "+host+v.item(*e.Task)+" => known after apply")
	case runner.NotRun:
		if v.o.Verbosity == 0 {
			return ""
		}
		return v.p.paint(cyan, "not run: "+host+v.item(*e.Task))
	}
	return v.failure(e, host)
}

// failure prints a failure to be read: the message, then the source at fault. Ansible's words before "=>" are kept for grep.
func (v *playView) failure(e runner.Event, host string) string {
	text := "fatal: " + host + ": FAILED! => "
	if e.Task.Key != "" {
		text = "failed: " + host + strings.TrimPrefix(v.item(*e.Task), " =>") + " => "
	}
	text = v.p.paint(red, text+indentRest(errorText(e.Error)))
	if e.Error != nil && e.Error.Source != "" {
		text += "\n" + indent(source(e.Error), "  ")
	} else if e.Task.File != "" {
		text += "\n" + clean(fmt.Sprintf("    on %s line %d, in %s", e.Task.File, e.Task.Line, e.Task.Address))
	}
	if v.o.Verbosity >= 1 && e.Result != nil {
		text += "\n    " + resultJSON(e)
	}
	if e.Ignored {
		text += "\n" + v.p.paint(cyan, "...ignoring")
	}
	return text
}

// retry says that a task will be tried again, in Ansible's words, and why.
func (v *playView) retry(e runner.Event) {
	if e.Task == nil {
		return
	}
	text := fmt.Sprintf("FAILED - RETRYING: [%s]: %s (%d retries left).", clean(hostOf(e)), clean(taskName(*e.Task)), e.Retries)
	if e.Error != nil && v.o.Verbosity >= 1 {
		text += " " + indentRest(errorText(e.Error))
	}
	v.timeline.again(e.Host, *e.Task, v.p.paint(darkGray, text))
}

func (v *playView) details(e runner.Event) string {
	out := v.item(*e.Task)
	if text := said(e); text != "" {
		return out + " => " + text
	}
	if v.o.Verbosity >= 1 {
		out += " => " + resultJSON(e)
	}
	return out
}

// item tells the lines under one heading apart: by the item, and by the name where the heading has it as written only.
func (v *playView) item(t runner.Task) string {
	var parts []string
	if t.Key != "" {
		parts = append(parts, "item="+t.Key)
	}
	if name := strings.TrimPrefix(t.Name, t.Module+" : "); v.varies(t) && t.Name != t.Heading && name != t.Key {
		parts = append(parts, name)
	}
	if len(parts) == 0 {
		return ""
	}
	return " => (" + clean(strings.Join(parts, ", ")) + ")"
}

// taskName is the name of a task where it stands alone.
func taskName(t runner.Task) string {
	if t.Key == "" || strings.Contains(t.Name, t.Key) {
		return t.Name
	}
	return t.Name + " (item=" + t.Key + ")"
}

// errorText is an error's message, with the argument it is about.
func errorText(err *runner.Error) string {
	if err == nil {
		return "no reason was given"
	}
	msg := err.Message
	if err.Path != "" && !strings.HasPrefix(msg, err.Path+":") {
		msg = err.Path + ": " + msg
	}
	return clean(strings.TrimSpace(msg))
}

func unreachableText(err *runner.Error) string {
	text := errorText(err)
	if err != nil && err.Hop != "" && !strings.Contains(text, err.Hop) {
		text = clean(err.Hop) + ": " + text
	}
	return indentRest(text)
}

// indentRest sets off all lines but the first.
func indentRest(text string) string {
	first, rest, more := strings.Cut(text, "\n")
	if !more {
		return first
	}
	return first + "\n" + indent(rest, "    ")
}

// resultJSON is what -v adds to a status line.
func resultJSON(e runner.Event) string {
	out := struct {
		Changed  bool            `json:"changed"`
		Action   modules.Action  `json:"action,omitempty"`
		State    json.RawMessage `json:"state,omitempty"`
		Duration string          `json:"duration,omitempty"`
	}{Changed: e.Status == runner.Changed}
	if e.Diff != nil {
		out.Action = e.Diff.Action
	}
	if e.Result != nil {
		out.State = e.Result.State
	}
	if e.Duration > 0 {
		out.Duration = round(e.Duration).String()
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return "{}"
	}
	return clean(strings.TrimSpace(buf.String()))
}
