package policy

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"testing"

	"labctl/runner/agentbin"
)

// agentSize is what a packed agent's header says of its contents.
func agentSize(t *testing.T, gz []byte) int64 {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		t.Fatal(err)
	}
	h, err := agentbin.ParseHeader(r.Comment)
	if err != nil {
		t.Fatal(err)
	}
	return h.Size
}

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
