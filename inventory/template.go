package inventory

import (
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// reference in a template of Jinja that names a variable and does nothing with it: the only kind that is evaluated.
var jinjaName = regexp.MustCompile(`\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*-?\}\}`)

// resolve evaluates the templates among the variables of h that only name other variables. The others keep their mark.
func (h *Host) resolve() {
	for name, v := range h.Vars {
		if v.HasMark(Template) {
			h.Vars[name] = h.resolved(v, 0)
		}
	}
}

func (h *Host) resolved(v cty.Value, depth int) cty.Value {
	plain, marks := v.Unmark()
	if depth > 20 || plain.Type() != cty.String || plain.IsNull() {
		return v
	}
	s := plain.AsString()
	delete(marks, Template)
	whole := jinjaName.FindStringSubmatch(s)
	out := jinjaName.ReplaceAllStringFunc(s, func(ref string) string {
		val, ok := h.named(jinjaName.FindStringSubmatch(ref)[1], depth)
		if !ok {
			return ref
		}
		val, more := val.Unmark()
		for m := range more {
			marks[m] = struct{}{}
		}
		text, err := convert.Convert(val, cty.String)
		if err != nil || text.IsNull() || !text.IsKnown() {
			return ref
		}
		return text.AsString()
	})
	if strings.Contains(out, "{{") || strings.Contains(out, "{%") || strings.Contains(out, "{#") {
		return v
	}
	if whole != nil && whole[0] == strings.TrimSpace(s) { // the value as it is, of its own type
		val, _ := h.named(whole[1], depth)
		return val.WithMarks(marks)
	}
	return cty.StringVal(out).WithMarks(marks)
}

// named is the value that a template knows by a name.
func (h *Host) named(name string, depth int) (cty.Value, bool) {
	if name == "inventory_hostname" {
		return cty.StringVal(h.Name), true
	}
	v, ok := h.Vars[name]
	if ok && v.HasMark(Template) {
		v = h.resolved(v, depth+1)
		ok = !v.HasMark(Template)
	}
	return v, ok && UnopenedIn(v.Marks()) == ""
}
