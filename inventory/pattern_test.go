package inventory

import (
	"slices"
	"testing"
)

func TestMatchKnown(t *testing.T) {
	inv, diags := Decode(Input{List: []string{"w1", "w2", "b1"}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, c := range []struct {
		pattern        string
		hosts, unknown []string
	}{
		{"w1", []string{"w1"}, nil},
		{"w1,nobody", []string{"w1"}, []string{"nobody"}},
		{"nobody", nil, []string{"nobody"}},
		{"nobody[0]", nil, []string{"nobody"}},
		{"w*:!nobody", []string{"w1", "w2"}, []string{"nobody"}},
		{"w*:&nobody", nil, []string{"nobody"}},
		{"!w1", []string{"w2", "b1"}, nil},
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
