package view

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"labctl/modules"
)

// TestRowsTellAll: from the rows of a difference and the lines that were, the lines that will be can be had. Nothing is
// left out but what the rows say is left out.
func TestRowsTellAll(t *testing.T) {
	line := rapid.StringMatching(`[abc]{1,2}`)
	list := rapid.SliceOfN(line, 0, 30)
	rapid.Check(t, func(t *rapid.T) {
		before, after := list.Draw(t, "before"), list.Draw(t, "after")
		if rapid.Bool().Draw(t, "similar") {
			after = slices.Insert(slices.Clone(before), rapid.IntRange(0, len(before)).Draw(t, "at"), "new")
		}
		if slices.Equal(before, after) {
			return
		}
		var got []string
		next := 0
		for _, r := range textRows(lines(before), lines(after)) {
			var n int
			if _, err := fmt.Sscanf(r.text, "# (%d line", &n); err == nil {
				got = append(got, before[next:next+n]...)
				next += n
				continue
			}
			if r.symbol != "-" {
				got = append(got, r.text)
			}
			if r.symbol != "+" {
				if before[next] != r.text {
					t.Fatalf("line %d was %q, the rows say %q", next, before[next], r.text)
				}
				next++
			}
		}
		if !slices.Equal(got, after) || next != len(before) {
			t.Fatalf("from %q the rows lead to %q, want %q", before, got, after)
		}
	})
}

func lines(xs []string) string {
	if len(xs) == 0 {
		return ""
	}
	return strings.Join(xs, "\n") + "\n"
}

// What was there is not known, yet something was: it is no addition.
func TestUnknownBefore(t *testing.T) {
	d := differ{p: newPrinter(Options{}), sep: " = "}
	for want, c := range map[string]modules.Change{
		`~ address = (known after apply) -> "02:00:00:00:00:01"`: {Path: "address", Unknown: true, After: "02:00:00:00:00:01"},
		`- address = (known after apply) -> null`:                {Path: "address", Unknown: true},
	} {
		if got := strings.Join(d.attribute(c, 0), "\n"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestLiteral(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, `null`},
		{"a\"b\\\n${x} %{y}\x1b", `"a\"b\\\n$${x} %%{y}\x1b"`},
		{float64(1<<32 - 1), `4294967295`},
		{0.5, `0.5`},
		{true, `true`},
		{[]any{"a", 1.0, []any{}}, `["a", 1, []]`},
		{map[string]any{"a": 1.0, "b-c": map[string]any{}, "d.e": "x", "": false}, `{ "" = false, a = 1, b-c = {}, "d.e" = "x" }`},
	} {
		if got := literal(c.value); got != c.want {
			t.Errorf("literal: %s, want %s", got, c.want)
		}
	}
}
