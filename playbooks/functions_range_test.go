package playbooks

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestRange(t *testing.T) {
	numbers := func(ns ...int64) []cty.Value {
		var out []cty.Value
		for _, n := range ns {
			out = append(out, cty.NumberIntVal(n))
		}
		return out
	}
	for _, c := range []struct{ args, want []int64 }{
		{[]int64{3}, []int64{0, 1, 2}},
		{[]int64{-2}, []int64{0, -1}},
		{[]int64{1, 4}, []int64{1, 2, 3}},
		{[]int64{4, 1, -2}, []int64{4, 2}},
		{[]int64{4, 4}, nil},
	} {
		want := cty.ListValEmpty(cty.Number)
		if c.want != nil {
			want = cty.ListVal(numbers(c.want...))
		}
		if got, err := rangeFunc.Call(numbers(c.args...)); err != nil || !got.RawEquals(want) {
			t.Errorf("range(%v): %#v, %v", c.args, got, err)
		}
	}
	if got, err := rangeFunc.Call(numbers(mostOfRange)); err != nil || got.LengthInt() != mostOfRange {
		t.Errorf("range(%d): %v", mostOfRange, err)
	}
	for _, bad := range [][]int64{{}, {1, 2, 3, 4}, {1, 2, 0}, {1, 2, -1}, {2, 1, 1}, {mostOfRange + 1}} {
		if _, err := rangeFunc.Call(numbers(bad...)); err == nil {
			t.Errorf("range(%v): no error", bad)
		}
	}
}
