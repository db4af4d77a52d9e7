package runner

import (
	"bytes"
	"context"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"labctl/modules"
	"labctl/playbooks"
)

// task identifies a step in events.
func (x *hostPlay) task(st playbooks.Step) *Task {
	t := &Task{
		Name: st.Name, Heading: x.play.Heading(st.Task), Module: st.Task.Module.Name(), Label: st.Label(), Key: st.Key, Absent: st.Call.Absent,
		Become: st.Become.User, Method: st.Become.Method, Handler: st.Task.Handler != "", File: st.Range.Filename, Line: st.Range.Start.Line, Sensitive: st.Sensitive,
	}
	t.Address = st.Address()
	if st.Check != playbooks.AsTheRun {
		looks := st.Check == playbooks.Looks
		t.Check = &looks
	}
	return t
}

// withhold takes out of an event whatever could show the values of a sensitive task.
func withhold(e *Event) {
	if e.Diff != nil {
		e.Diff = &modules.Diff{Action: e.Diff.Action}
	}
	e.Result = nil
	if e.Error != nil {
		e.Error.Source, e.Error.Path = "", ""
	}
}

func join(names []string) string { return strings.Join(names, ", ") }

// source renders the lines of the playbook that a diagnostic points at.
func (r *Runner) source(d *hcl.Diagnostic) string {
	var b bytes.Buffer
	snippet := *d
	snippet.Detail = ""
	if err := hcl.NewDiagnosticTextWriter(&b, r.site.Files(), 0, false).WriteDiagnostic(&snippet); err != nil {
		return ""
	}
	_, lines, _ := strings.Cut(b.String(), "\n\n") // without the summary
	return strings.TrimRight(lines, "\n ")
}

// download brings a content from elsewhere, within the time that the task has.
func (x *hostPlay) download(ctx context.Context, st playbooks.Step, ref playbooks.FileRef) (playbooks.FileRef, error) {
	if st.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, st.Timeout)
		defer cancel()
	}
	return x.r.downloads.get(ctx, ref)
}
