package view

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"labctl/runner"
)

// github adds to a view what the log of GitHub Actions understands: a group for each play, which can be folded, and an
// annotation for each failure, which is shown at the line of the playbook. docs.github.com, "Workflow commands for GitHub
// Actions", has the forms; actions/toolkit, packages/core/src/command.ts, the escapes.
type github struct {
	fold
	o    Options
	p    *printer
	open bool
}

func newGitHub(o Options, p *printer, f fold) *github { return &github{fold: f, o: o, p: p} }

func (v *github) event(e runner.Event) {
	if e.Kind == runner.PlayStarted {
		v.endGroup()
		v.p.command(annotation{level: "group", message: "PLAY [" + e.Play + "]"}.String())
		v.open = true
	}
	v.fold.event(e)
	switch e.Kind {
	case runner.TaskDone:
		v.failed(e)
	case runner.Unreachable:
		v.p.command(annotation{level: "error", title: e.Host + " is unreachable", message: unreachableText(e.Error)}.String())
	case runner.PlayDone:
		v.endGroup()
	}
}

func (v *github) finish() {
	v.fold.finish()
	v.endGroup()
}

func (v *github) endGroup() {
	if v.open {
		v.p.command("::endgroup::")
	}
	v.open = false
}

func (v *github) failed(e runner.Event) {
	if e.Status != runner.Failed || e.Ignored || e.Rescued || e.Task == nil {
		return
	}
	a := annotation{level: "error", title: fmt.Sprintf("%s failed on %s", taskName(*e.Task), e.Host), message: errorText(e.Error)}
	if e.Task.File != "" {
		a.file, a.line = inWorkspace(v.o.Workspace, e.Task.File), e.Task.Line
	}
	v.p.command(a.String())
}

// annotate writes what is wrong with a site, or odd about it, as annotations.
func annotate(o Options, d *hcl.Diagnostic) string {
	a := annotation{level: "warning", title: d.Summary, message: d.Detail}
	if d.Severity == hcl.DiagError {
		a.level = "error"
	}
	if d.Subject != nil {
		a.file, a.line, a.col = inWorkspace(o.Workspace, d.Subject.Filename), d.Subject.Start.Line, d.Subject.Start.Column
	}
	return a.String()
}

// annotation is one workflow command.
type annotation struct {
	level, file    string
	line, col      int
	title, message string
}

func (a annotation) String() string {
	var params []string
	add := func(name, value string) { params = append(params, name+"="+escapeProperty(clean(value))) }
	if a.file != "" {
		add("file", a.file)
	}
	if a.line > 0 {
		add("line", fmt.Sprint(a.line))
	}
	if a.col > 0 {
		add("col", fmt.Sprint(a.col))
	}
	if a.title != "" {
		add("title", a.title)
	}
	head := "::" + a.level
	if len(params) > 0 {
		head += " " + strings.Join(params, ",")
	}
	return head + "::" + escapeData(clean(a.message))
}

var (
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace
)

// inWorkspace is a file's name as GitHub knows it: from the top of what was checked out.
func inWorkspace(workspace, file string) string {
	whole, err := filepath.Abs(file)
	if err != nil || workspace == "" {
		return file
	}
	rel, err := filepath.Rel(workspace, whole)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return file
	}
	return filepath.ToSlash(rel)
}

// defused is text that no line of can be taken for a workflow command (actions/runner, ActionCommand.cs): what hosts say must
// not set variables or hide words.
func defused(text string) string {
	text = strings.ReplaceAll(text, "##[", "# #[")
	if !strings.Contains(text, "::") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if rest := strings.TrimLeft(l, " \t"); strings.HasPrefix(rest, "::") {
			lines[i] = l[:len(l)-len(rest)] + ": :" + rest[2:]
		}
	}
	return strings.Join(lines, "\n")
}
