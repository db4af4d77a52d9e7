package playbooks

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// mostOfRange is how many numbers range makes at most: enough for a lab of any size, too few to fill a machine by mistake.
// (That of the cty standard library makes 1024.)
const mostOfRange = 100_000

// rangeFunc is range(end), range(start, end) and range(start, end, step): a list of numbers without end itself.
var rangeFunc = function.New(&function.Spec{
	Description: "Numbers from start, 0 if unset, up to end, which is not one of them.",
	VarParam:    &function.Parameter{Name: "limits", Type: cty.Number},
	Type:        function.StaticReturnType(cty.List(cty.Number)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		start, end, step, err := rangeLimits(args)
		if err != nil {
			return cty.NilVal, err
		}
		up := step.GreaterThan(cty.Zero).True()
		var out []cty.Value
		for v := start; up && v.LessThan(end).True() || !up && v.GreaterThan(end).True(); v = v.Add(step) {
			if len(out) == mostOfRange {
				return cty.NilVal, function.NewArgErrorf(0, "more than %d numbers", mostOfRange)
			}
			out = append(out, v)
		}
		if len(out) == 0 {
			return cty.ListValEmpty(cty.Number), nil
		}
		return cty.ListVal(out), nil
	},
})

func rangeLimits(args []cty.Value) (start, end, step cty.Value, err error) {
	one := cty.NumberIntVal(1)
	switch len(args) {
	case 1:
		start, end = cty.Zero, args[0]
	case 2, 3:
		start, end = args[0], args[1]
	default:
		return start, end, step, function.NewArgErrorf(0, "one to three numbers are needed: end, or start and end, or start, end and step")
	}
	down := end.LessThan(start).True()
	if step = one; down {
		step = one.Negate()
	}
	if len(args) < 3 {
		return start, end, step, nil
	}
	step = args[2]
	switch {
	case step.RawEquals(cty.Zero):
		err = function.NewArgErrorf(2, "the step must not be zero")
	case down && step.GreaterThan(cty.Zero).True():
		err = function.NewArgErrorf(2, "the step must be negative where end is less than start")
	case !down && step.LessThan(cty.Zero).True():
		err = function.NewArgErrorf(2, "the step must be positive where end is not less than start")
	}
	return start, end, step, err
}
