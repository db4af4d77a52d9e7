package inventory

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// reader turns arguments into Go values and gathers what is wrong with them.
type reader struct {
	ctx   *hcl.EvalContext
	diags hcl.Diagnostics
}

func (r *reader) fault(rng hcl.Range, summary, format string, args ...any) {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
	if rng.Filename != "" {
		d.Subject = rng.Ptr()
	}
	r.diags = append(r.diags, d)
}

func (r *reader) warn(rng hcl.Range, summary, format string, args ...any) {
	r.fault(rng, summary, format, args...)
	r.diags[len(r.diags)-1].Severity = hcl.DiagWarning
}

// value evaluates an argument as a want; ok is false when it is null or at fault.
func (r *reader) value(a *hcl.Attribute, want cty.Type) (v cty.Value, ok bool) {
	v, diags := a.Expr.Value(r.ctx)
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() {
		return v, false
	}
	v, _ = v.UnmarkDeep()
	v, err := convert.Convert(v, want)
	if err != nil {
		r.fault(a.Expr.Range(), "Wrong type", "The argument %q is not as it should be: %s.", a.Name, err)
		return v, false
	}
	return v, !v.IsNull() && v.IsWhollyKnown()
}

func (r *reader) text(a *hcl.Attribute) string {
	if a == nil {
		return ""
	}
	v, ok := r.value(a, cty.String)
	if !ok {
		return ""
	}
	return v.AsString()
}

// texts accepts one string or a list of strings. An empty list comes back empty, not nil.
func (r *reader) texts(a *hcl.Attribute) []string {
	if a == nil {
		return nil
	}
	v, ok := r.value(a, cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	out, diags := Texts(v, a.Name, a.Expr.Range())
	r.diags = append(r.diags, diags...)
	return out
}

// Texts takes the value of the argument called name at rng for one string or a list of strings: not null, wholly known,
// without marks. An empty list comes back empty, not nil.
func Texts(v cty.Value, name string, rng hcl.Range) ([]string, hcl.Diagnostics) {
	if v.Type() == cty.String {
		return []string{v.AsString()}, nil
	}
	var r reader
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil {
		r.fault(rng, "Wrong type", "The argument %q is a string or a list of strings: %s.", name, err)
		return nil, r.diags
	}
	out := []string{}
	for _, e := range list.AsValueSlice() {
		if e.IsNull() {
			r.fault(rng, "Wrong value", "The list %q holds null.", name)
			continue
		}
		out = append(out, e.AsString())
	}
	return out, r.diags
}

func (r *reader) flag(a *hcl.Attribute) bool {
	if a == nil {
		return false
	}
	v, ok := r.value(a, cty.Bool)
	return ok && v.True()
}

// number reads an integer between 1 and most.
func (r *reader) number(a *hcl.Attribute, most int) int {
	if a == nil {
		return 0
	}
	v, ok := r.value(a, cty.Number)
	if !ok {
		return 0
	}
	f := v.AsBigFloat()
	n, _ := f.Int64()
	if !f.IsInt() || n < 1 || n > int64(most) {
		r.fault(a.Expr.Range(), "Wrong value", "The argument %q is a whole number from 1 to %d.", a.Name, most)
		return 0
	}
	return int(n)
}

func (r *reader) oneOf(a *hcl.Attribute, allowed ...string) string {
	s := r.text(a)
	if s != "" && !slices.Contains(allowed, s) {
		r.fault(a.Expr.Range(), "Wrong value", "The argument %q cannot be %q.%s", a.Name, s, DidYouMean(s, allowed))
		return ""
	}
	return s
}

// duration reads "10s", "2m", or a number of seconds.
func (r *reader) duration(a *hcl.Attribute) time.Duration {
	s := r.text(a)
	if s == "" {
		return 0
	}
	d, err := ParseDuration(s)
	if err != nil {
		r.fault(a.Expr.Range(), "Wrong value", "The argument %q: %s.", a.Name, err)
	}
	return d
}

// Values of SSH.Persist that are no times.
const (
	PersistNot     = time.Duration(-1)
	PersistForever = time.Duration(math.MaxInt64)
)

// persist reads a duration, or one of ControlPersist's words (ssh_config(5)), of which 0 means yes.
func (r *reader) persist(a *hcl.Attribute) time.Duration {
	switch r.text(a) {
	case "":
		return 0
	case "false", "no":
		return PersistNot
	case "true", "yes", "0":
		return PersistForever
	}
	return r.duration(a)
}

var errDuration = errors.New(`a duration is a positive number with a unit, such as "10s" or "1m30s"; a bare number means seconds`)

// ParseDuration reads "10s", "1m30s", or a number of seconds. It is longer than zero.
func ParseDuration(s string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 && n < 1e9 {
		return time.Duration(n * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errDuration
	}
	return d, nil
}

// prefixes reads addresses with their prefix length.
func (r *reader) prefixes(a *hcl.Attribute) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range r.texts(a) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			r.fault(a.Expr.Range(), "Wrong address", "%q is not an address with a prefix length, such as \"192.168.50.4/24\".", s)
			continue
		}
		out = append(out, p)
	}
	return out
}

// paths reads file names. Relative ones are relative to the file that holds the argument.
func (r *reader) paths(a *hcl.Attribute) []string {
	out := r.texts(a)
	for i, s := range out {
		if s != "none" && !filepath.IsAbs(s) && !strings.HasPrefix(s, "~") && !strings.HasPrefix(s, "%") {
			out[i] = filepath.Join(filepath.Dir(a.Range.Filename), s)
		}
	}
	return out
}

// vars reads an object of variables. Marks (sensitive) stay on the values.
func (r *reader) vars(a *hcl.Attribute) map[string]cty.Value {
	if a == nil {
		return nil
	}
	v, diags := a.Expr.Value(r.ctx)
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() || v.IsNull() {
		return nil
	}
	v, marks := v.Unmark()
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		r.fault(a.Expr.Range(), "Wrong type", "The argument %q is an object: { name = value, ... }.", a.Name)
		return nil
	}
	out := map[string]cty.Value{}
	for k, e := range v.AsValueMap() {
		out[k] = e.WithMarks(marks)
	}
	return out
}

// layers reads the variables of a block, each with its place where an object is written out.
func (r *reader) layers(a *hcl.Attribute, rng hcl.Range) []Layer {
	vars := r.vars(a)
	if len(vars) == 0 {
		return nil
	}
	l := Layer{Vars: make(map[string]Var, len(vars)), Range: rng, block: true}
	for k, v := range vars {
		l.Vars[k] = Var{v, a.Expr.Range()}
	}
	pairs, diags := hcl.ExprMap(a.Expr)
	if diags.HasErrors() {
		return []Layer{l}
	}
	for _, p := range pairs {
		if v, ok := l.Vars[hcl.ExprAsKeyword(p.Key)]; ok {
			v.Range = hcl.RangeBetween(p.Key.Range(), p.Value.Range())
			l.Vars[hcl.ExprAsKeyword(p.Key)] = v
		}
	}
	return []Layer{l}
}
