package modules

import (
	"context"
	"fmt"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Line]{
		Name: "line",
		Doc:  "Keeps one line in a text file, or with ensure = \"absent\" out of it.",
		Example: `line "/etc/ssh/sshd_config" {
  line  = "PermitRootLogin no"
  match = "^#?\\s*PermitRootLogin\\b"
}
line "/etc/hosts" {
  line          = "192.168.50.4 boxA"
  insert_before = "^::1"
}
`,
		Validate: (*Line).validate, Complete: (*Line).complete, Read: readLine, Apply: applyLine,
	})
}

// Line is one line of a file. The patterns are regular expressions as in RE2, matched anywhere in a line.
type Line struct {
	Path         string `json:"path" lab:"key" doc:"Absolute path of the file."`
	Line         string `json:"line,omitempty" doc:"The line, without its end. Absent: every line equal to it is removed."`
	Match        string `json:"match,omitempty" lab:"option" doc:"Regular expression: the last line that it matches is replaced. Absent: all that it matches are removed."`
	InsertAfter  string `json:"insert_after,omitempty" lab:"option" default:"EOF" doc:"Where the line goes if it is not there and nothing is replaced: after the last line that this regular expression matches, or EOF. Without such a line: at the end."`
	InsertBefore string `json:"insert_before,omitempty" lab:"option" doc:"The same, before the last line that matches, or BOF."`
	FirstMatch   bool   `json:"first_match,omitempty" lab:"option" doc:"Let match, insert_after and insert_before take the first line that matches, not the last."`
	Create       bool   `json:"create,omitempty" lab:"option" doc:"Make the file if it is missing."`
	Backup       bool   `json:"backup,omitempty" lab:"option" doc:"Keep the file as it was beside it, as NAME.YYYYMMDD-HHMMSS~."`
	fileAttrs

	match, after, before *pattern
	given                string // of what Read returns: the line as it was asked for
}

func (l *Line) validate() error {
	if err := absolute("path", l.Path); err != nil {
		return err
	}
	if strings.ContainsAny(l.Line, "\r\n") {
		return argf("line", "one line only; use one task for each, or copy for a whole file")
	}
	if l.Line == "" && l.Match == "" {
		return argf("line", "required argument is missing")
	}
	if l.InsertAfter != "" && l.InsertBefore != "" {
		return argf("insert_before", "cannot be together with insert_after")
	}
	for _, e := range []struct {
		name, expr, special string
		to                  **pattern
	}{
		{"match", l.Match, "", &l.match},
		{"insert_after", l.InsertAfter, "EOF", &l.after},
		{"insert_before", l.InsertBefore, "BOF", &l.before},
	} {
		if e.expr == "" || e.expr == e.special {
			continue
		}
		p, err := compilePattern(e.expr)
		if err != nil {
			return argf(e.name, "%v", err)
		}
		*e.to = p
	}
	return l.fileAttrs.validate()
}

func (l *Line) complete() error {
	if l.Line == "" {
		return argf("line", "required argument is missing")
	}
	return nil
}

// readLine returns the line that is there: the one wanted, the one that it would replace, or nil. When removing, it is one of
// those that would go.
func readLine(ctx context.Context, h host.Host, want *Line) (*Line, error) {
	f, err := readLines(ctx, h, want.Path)
	if f == nil || err != nil {
		return nil, err
	}
	i := want.find(f.lines)
	if i < 0 {
		return nil, nil
	}
	have := *want
	have.given, have.Line = want.Line, text(f.lines[i])
	have.fileAttrs = fileAttrs{} // the line comes and goes, the file stays
	now := want.read(f.st)
	if want.Mode != nil {
		have.Mode = now.Mode
	}
	if want.Owner != nil {
		have.Owner = now.Owner
	}
	if want.Group != nil {
		have.Group = now.Group
	}
	return &have, nil
}

// find returns the index of the line that match selects or, when there is none, of the one that is equal; -1: none. Where
// match does not select the wanted line itself ("^#PermitRootLogin"), an equal line goes first: else a second run would go
// on replacing.
func (l *Line) find(lines []string) int {
	matching, equal := last(lines, l.FirstMatch, l.match), -1
	for i, s := range lines {
		if l.Line != "" && text(s) == l.Line {
			equal = i
		}
	}
	if matching < 0 || equal >= 0 && !l.match.match(l.Line) {
		return equal
	}
	return matching
}

// last returns the index of the last line, or the first, that p matches.
func last(lines []string, first bool, p *pattern) int {
	found := -1
	for i, s := range lines {
		if p != nil && p.match(text(s)) {
			found = i
			if first {
				break
			}
		}
	}
	return found
}

func applyLine(ctx context.Context, h host.Host, have, want *Line, d Diff) error {
	l := want
	if want == nil {
		l = have
	}
	f, err := readLines(ctx, h, l.Path)
	switch {
	case err != nil:
		return err
	case f == nil && !l.Create:
		return fmt.Errorf("%s does not exist: set create = true to have it made", l.Path)
	case f == nil:
		f = &lines{}
	}
	if want == nil {
		return f.write(ctx, h, l, removed(f.lines, have))
	}
	return f.write(ctx, h, l, want.placed(f.lines))
}

// placed returns lines with l in its place.
func (l *Line) placed(lines []string) []string {
	if i := l.find(lines); i >= 0 {
		if text(lines[i]) == l.Line {
			return lines
		}
		out := append([]string(nil), lines...)
		out[i] = l.Line + end(lines[i])
		return out
	}
	at := len(lines)
	if i := last(lines, l.FirstMatch, l.after); i >= 0 {
		at = i + 1
	}
	if i := last(lines, l.FirstMatch, l.before); i >= 0 {
		at = i
	}
	if l.InsertBefore == "BOF" {
		at = 0
	}
	eol := "\n"
	if len(lines) > 0 && strings.HasSuffix(lines[0], "\r\n") {
		eol = "\r\n"
	}
	out := append([]string(nil), lines[:at]...)
	if at > 0 && end(out[at-1]) == "" { // the last line of the file lacks its end
		out[at-1] += eol
	}
	return append(append(out, l.Line+eol), lines[at:]...)
}

// removed returns lines without those that l, as Read returned it, selects.
func removed(lines []string, l *Line) []string {
	var out []string
	for _, s := range lines {
		if t := text(s); (l.given == "" || t != l.given) && (l.match == nil || !l.match.match(t)) {
			out = append(out, s)
		}
	}
	return out
}

// lines is a text file.
type lines struct {
	st    host.File
	lines []string // each with its end
}

// maxEdited bounds the size in bytes of a file that is edited line by line.
const maxEdited = 16 << 20

// readLines reads the file at p; nil: there is none.
func readLines(ctx context.Context, h host.Host, p string) (*lines, error) {
	st, err := stat(ctx, h, p, false)
	switch {
	case err != nil || st == nil || st.Type == host.SymbolicLink:
		return nil, err
	case st.Type != host.RegularFile:
		return nil, fmt.Errorf("%s is a %s, not a file", p, st.Type)
	}
	b, err := h.Files().Read(ctx, p, maxEdited)
	if err != nil {
		return nil, err
	}
	f := &lines{st: *st}
	for s := range strings.Lines(string(b)) {
		f.lines = append(f.lines, s)
	}
	return f, nil
}

// write puts the file in place with other lines, or only sets its attributes when they are the same.
func (f *lines) write(ctx context.Context, h host.Host, l *Line, changed []string) error {
	old, now := strings.Join(f.lines, ""), strings.Join(changed, "")
	if now == old && f.st.Path != "" {
		return h.Files().SetAttrs(ctx, f.st.Path, l.set())
	}
	if l.Backup && f.st.Path != "" {
		if err := backUp(ctx, h, l.Path); err != nil {
			return err
		}
	}
	c := host.Content{Inline: []byte(now), SHA256: sumOf([]byte(now)), Size: int64(len(now))}
	return inMissingDirectory(h.Files().Write(ctx, l.Path, c, l.set()))
}

// text returns a line without its end.
func text(line string) string { return strings.TrimRight(line, "\r\n") }

// end returns the end of a line.
func end(line string) string { return line[len(text(line)):] }
