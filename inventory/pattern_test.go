package inventory

import (
	"slices"
	"testing"
)

func TestMatchKnown(t *testing.T) {
	inv, diags := Decode(Input{List: []string{"a1", "a2", "b1"}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, c := range []struct {
		pattern        string
		hosts, unknown []string
	}{
		{"a1", []string{"a1"}, nil},
		{"a1,nobody", []string{"a1"}, []string{"nobody"}},
		{"nobody", nil, []string{"nobody"}},
		{"nobody[0]", nil, []string{"nobody"}},
		{"a*:!nobody", []string{"a1", "a2"}, []string{"nobody"}},
		{"a*:&nobody", nil, []string{"nobody"}},
		{"!a1", []string{"a2", "b1"}, nil},
		{"c*", nil, nil},
	} {
		hosts, unknown, err := inv.MatchKnown(c.pattern)
		var names []string
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		if err != nil || !slices.Equal(names, c.hosts) || !slices.Equal(unknown, c.unknown) {
			t.Errorf("%s: %q, unknown %q, %v; want %q and %q", c.pattern, names, unknown, err, c.hosts, c.unknown)
		}
	}
	if _, _, err := inv.MatchKnown("~("); err == nil {
		t.Error("a pattern that cannot be read is taken")
	}
}
