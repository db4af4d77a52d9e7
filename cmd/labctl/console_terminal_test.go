package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// lineHistory is a history as term.Terminal has one.
type lineHistory []string

func (h *lineHistory) Add(line string) { *h = append(*h, line) }
func (h *lineHistory) Len() int        { return len(*h) }
func (h *lineHistory) At(i int) string { return (*h)[len(*h)-1-i] }
func (h *lineHistory) String() string  { return strings.Join(*h, " ") }
func opened() (*lineHistory, *history) { h := &lineHistory{}; return h, openHistory(h) }

// TestConsoleHistory: sessions at the same time lose none of each other's lines, and what is kept does not grow for ever.
func TestConsoleHistory(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	_, a := opened()
	a.Add("1")
	_, b := opened()
	for i, h := range []*history{b, a, a, b} {
		h.Add(fmt.Sprint(i + 2))
	}
	if past, _ := opened(); past.String() != "1 2 3 4 5" {
		t.Errorf("kept %q", past)
	}
	for i := range 3 * historyLines {
		a.Add(fmt.Sprint("x", i))
	}
	past, c := opened()
	if past.Len() != historyLines || past.At(0) != "x299" {
		t.Errorf("%d lines, the last is %q", past.Len(), past.At(0))
	}
	text, err := os.ReadFile(c.path)
	if n := strings.Count(string(text), "\n"); err != nil || n != historyLines {
		t.Errorf("%d lines are kept, %v", n, err)
	}
}
