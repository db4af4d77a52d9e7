package policy

import (
	"slices"
	"strings"
)

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

func sortLines(s string) string {
	l := lines(s)
	slices.Sort(l)
	return strings.Join(l, "\n") + "\n"
}

// lineDiff compares two sorted lists.
func lineDiff(was, is string) string {
	var out strings.Builder
	for _, l := range lines(was) {
		if !slices.Contains(lines(is), l) {
			out.WriteString("- " + l + "\n")
		}
	}
	for _, l := range lines(is) {
		if !slices.Contains(lines(was), l) {
			out.WriteString("+ " + l + "\n")
		}
	}
	return out.String()
}
