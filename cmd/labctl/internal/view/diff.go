package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"labctl/modules"
	"labctl/runner"
)

// mostLines is how much of one attribute's difference is shown unless -v is given.
const mostLines = 500

// differ writes differences line by line. Play and plan differ in how a name and its value are joined, and in long texts.
type differ struct {
	p     *printer
	sep   string // between name and value
	align bool   // pad names to one column
	full  bool   // no limit
	nest  string // indentation of the attributes
}

// changes is the --diff of a play: each attribute that differs, long texts as a patch.
func (d differ) changes(diff modules.Diff, t runner.Task) []string {
	var out []string
	for _, c := range diff.Changes {
		if isText(c) && !c.Sensitive {
			out = append(out, d.patch(c, t)...)
			continue
		}
		out = append(out, d.attribute(c, 0)...)
	}
	return out
}

// attributes is the body of a block in a plan.
func (d differ) attributes(changes []modules.Change) []string {
	pad := 0
	for _, c := range changes {
		pad = max(pad, textWidth(c.Path))
	}
	var out []string
	for _, c := range changes {
		out = append(out, d.attribute(c, pad)...)
	}
	return out
}

// attribute writes one change. A value of more than one line goes on below, two levels in.
func (d differ) attribute(c modules.Change, pad int) []string {
	symbol := symbolOf(c)
	head := clean(c.Path)
	if d.align {
		head += strings.Repeat(" ", max(pad-textWidth(head), 0))
	}
	first, rest, last := d.value(c, textWidth(d.nest+head)+4)
	if c.Replace {
		first += d.p.paint(red, " # forces replacement")
	}
	out := []string{d.row(row{symbol, head + d.sep + first}, d.nest)}
	for _, r := range d.limit(rest) {
		out = append(out, d.row(r, d.nest+"    "))
	}
	if last != "" {
		out = append(out, d.nest+"  "+last)
	}
	return out
}

// knownAfter stands for a value that a plan cannot know.
const knownAfter = "(known after apply)"

func symbolOf(c modules.Change) string {
	switch {
	case c.UnknownAfter && c.Before == nil && !c.Unknown:
		return "+"
	case c.UnknownAfter:
		return "~"
	case c.Unknown && c.After == nil:
		return "-"
	case c.Unknown:
		return "~"
	case c.Before == nil:
		return "+"
	case c.After == nil:
		return "-"
	}
	return "~"
}

// value writes before and after: what stands on the attribute's own line, the lines below it, and what closes them.
func (d differ) value(c modules.Change, used int) (first string, rest []row, last string) {
	arrow := d.p.paint(yellow, "->")
	before, listBefore := c.Before.([]any)
	after, listAfter := c.After.([]any)
	mapBefore, isMapBefore := c.Before.(map[string]any)
	mapAfter, isMapAfter := c.After.(map[string]any)
	switch {
	case c.Sensitive:
		return hidden, nil, ""
	case c.UnknownAfter && c.Before == nil:
		return knownAfter, nil, ""
	case c.UnknownAfter && isText(c):
		return fmt.Sprintf("(%d bytes) ", len(text(c.Before))) + arrow + " " + knownAfter, nil, ""
	case c.UnknownAfter:
		return literal(c.Before) + " " + arrow + " " + knownAfter, nil, ""
	case c.Unknown:
		return knownAfter + " " + arrow + " " + literal(c.After), nil, ""
	case isText(c):
		return "<<EOT", textRows(text(c.Before), text(c.After)), "EOT"
	case (listBefore || c.Before == nil) && (listAfter || c.After == nil) && d.spread(c, used):
		return "[", elementRows(before, after), "]"
	case (isMapBefore || c.Before == nil) && (isMapAfter || c.After == nil) && d.spread(c, used):
		return "{", entryRows(mapBefore, mapAfter), "}"
	case c.Before == nil:
		return literal(c.After), nil, ""
	case c.After == nil:
		return literal(c.Before) + " " + arrow + " null", nil, ""
	}
	return literal(c.Before) + " " + arrow + " " + literal(c.After), nil, ""
}

// spread reports whether a list or map needs a line for each element: always when it changes, and when it is too long or
// too deep for the line it begins on.
func (d differ) spread(c modules.Change, used int) bool {
	v := c.After
	if c.Before != nil {
		if v != nil {
			return true
		}
		v = c.Before
	}
	flat := func(x any) bool {
		switch x.(type) {
		case []any, map[string]any:
			return false
		}
		return true
	}
	switch v := v.(type) {
	case []any:
		return !all(slices.Values(v), flat) || used+textWidth(literal(v)) > d.p.width-10
	case map[string]any:
		return !all(maps.Values(v), flat) || used+textWidth(literal(v)) > d.p.width-10
	}
	return false
}

func all(seq func(func(any) bool), ok func(any) bool) bool {
	for v := range seq {
		if !ok(v) {
			return false
		}
	}
	return true
}

// patch writes a long text as Ansible's --diff does: a patch that says where the text is.
func (d differ) patch(c modules.Change, t runner.Task) []string {
	where := clean(fmt.Sprintf("%s (%s)", t.Label, c.Path))
	out := []string{
		d.p.paint(red, "--- before: "+where),
		d.p.paint(green, "+++ after: "+where),
	}
	var rows []row
	for line := range strings.Lines(unified("a", text(c.Before), "b", text(c.After))) {
		line = clean(strings.TrimSuffix(line, "\n"))
		symbol := ""
		if line != "" {
			symbol = line[:1]
		}
		rows = append(rows, row{symbol, line})
	}
	for _, r := range d.limit(rows) {
		out = append(out, d.p.paint(symbolColor(r.symbol), r.text))
	}
	return out
}

// limit cuts what nobody would read to the end.
func (d differ) limit(rows []row) []row {
	if d.full || len(rows) <= mostLines {
		return rows
	}
	more := row{"", fmt.Sprintf("# (%d more lines, shown with -v)", len(rows)-mostLines)}
	return append(slices.Clone(rows[:mostLines]), more)
}

// row puts the symbol, coloured, in its two columns.
func (d differ) row(r row, nest string) string {
	if r.symbol == "" {
		return nest + "  " + r.text
	}
	return nest + d.p.paint(symbolColor(r.symbol), r.symbol) + " " + r.text
}

func symbolColor(symbol string) color {
	switch symbol {
	case "+":
		return green
	case "-", "-/+":
		return red
	case "~", "!":
		return yellow
	case "@", "<=", "?":
		return cyan
	}
	return ""
}

// isText reports whether c is long text, to be compared line by line.
func isText(c modules.Change) bool {
	for _, v := range []any{c.Before, c.After} {
		if s, ok := v.(string); ok {
			if c.Text || strings.Contains(s, "\n") {
				return true
			}
		} else if v != nil {
			return false
		}
	}
	return false
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
