package view

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// row is one line of a difference: a symbol, or none, and what follows it.
type row struct {
	symbol string
	text   string
}

// elementRows writes a list element by element: what goes, what comes, and a little of what stays.
func elementRows(before, after []any) []row {
	lines := func(xs []any) string {
		var b strings.Builder
		for _, x := range xs {
			b.WriteString(literal(x) + ",\n")
		}
		return b.String()
	}
	return hunks(lines(before), lines(after), "element")
}

// entryRows writes a map key by key.
func entryRows(before, after map[string]any) []row {
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	var out []row
	same := 0
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		b, a := literal(before[k]), literal(after[k])
		_, had := before[k]
		_, has := after[k]
		switch {
		case !had:
			out = append(out, row{"+", mapKey(k) + " = " + a})
		case !has:
			out = append(out, row{"-", mapKey(k) + " = " + b})
		case a != b:
			out = append(out, row{"~", mapKey(k) + " = " + b + " -> " + a})
		default:
			same++
		}
	}
	if same > 0 {
		out = append(out, unchanged(same, "element"))
	}
	return out
}

// textRows writes the difference of two texts.
func textRows(before, after string) []row {
	return hunks(before, after, "line")
}

// unchanged stands for n nouns that are left out.
func unchanged(n int, noun string) row {
	return row{"", "# (" + plural(n, noun) + " unchanged hidden)"}
}

// hunks compares line by line. Where unchanged lines are left out, it says how many, calling each by noun.
func hunks(before, after, noun string) []row {
	var out []row
	next := 1 // first line of before that has not been dealt with
	for line := range strings.Lines(unified("a", before, "b", after)) {
		line = strings.TrimSuffix(line, "\n")
		var start, count int
		if n, _ := fmt.Sscanf(line, "@@ -%d,%d", &start, &count); n == 2 {
			if start > next && count > 0 {
				out = append(out, unchanged(start-next, noun))
			}
			next = max(next, start+count)
			continue
		}
		if line == "" || line[0] == '\\' {
			continue
		}
		symbol := string(line[0])
		if symbol == " " {
			symbol = ""
		}
		out = append(out, row{symbol, clean(line[1:])})
	}
	if total := strings.Count(before, "\n"); total >= next && len(out) > 0 {
		out = append(out, unchanged(total-next+1, noun))
	}
	return out
}

// unified is the difference as hunks, without the lines that name the files.
func unified(oldName, before, newName, after string) string {
	out := diff.Diff(oldName, []byte(before), newName, []byte(after))
	for range 3 {
		if i := bytes.IndexByte(out, '\n'); i >= 0 {
			out = out[i+1:]
		}
	}
	return string(out)
}
