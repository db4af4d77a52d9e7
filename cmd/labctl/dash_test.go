package main

import (
	"slices"
	"testing"
)

func TestLongFlagsWithOneDash(t *testing.T) {
	root := (&app{}).root()
	for _, c := range []struct{ in, want []string }{
		{[]string{"plan", "-detailed-exitcode", "site.hcl"}, []string{"plan", "--detailed-exitcode", "site.hcl"}},
		{[]string{"play", "-limit=boxA", "-vv", "-lboxB"}, []string{"play", "--limit=boxA", "-vv", "-lboxB"}},
		{[]string{"play", "--", "-limit"}, []string{"play", "--", "-limit"}},
		{[]string{"play", "--json", "-"}, []string{"play", "--json", "-"}},
	} {
		if got := longFlags(root, c.in); !slices.Equal(got, c.want) {
			t.Errorf("%q becomes %q, want %q", c.in, got, c.want)
		}
	}
}
