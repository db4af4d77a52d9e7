package playbooks

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"labctl/inventory"
)

// variable is a declared input of the site.
type variable struct {
	name      string
	typ       cty.Type
	defaults  *typeexpr.Defaults
	preset    *hcl.Attribute // default
	sensitive bool
	nullable  bool
	checks    []*hcl.Block
	rng       hcl.Range
	unusable  bool // its declaration is at fault
}

var variableSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "description"}, {Name: "sensitive"}, {Name: "nullable"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

var validationSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "condition", Required: true}, {Name: "error_message", Required: true}},
}

// sensitive is the mark on values that may not be shown.
const sensitive = inventory.Sensitive

func (s *Site) variableBlocks(blocks hcl.Blocks) []*variable {
	var out []*variable
	seen := map[string]hcl.Range{}
	for _, b := range blocks {
		if !s.plainLabels(b) {
			continue
		}
		v := s.variable(b)
		if first, twice := seen[v.name]; twice {
			s.diags.add(fault(b.DefRange, "Duplicate variable", "A variable %q was declared already at %s.", v.name, first))
			continue
		}
		if !hclsyntax.ValidIdentifier(v.name) {
			s.diags.add(fault(b.LabelRanges[0], "Wrong name", "A variable is named by a letter followed by letters, digits, _ or -."))
		}
		seen[v.name] = b.DefRange
		s.static.vars[v.name] = true
		out = append(out, v)
	}
	return out
}

// howToGive says what gives the variable a value. A secret is not for the command line, which others on this computer can see.
func (v *variable) howToGive() string {
	if v.sensitive {
		return fmt.Sprintf("Give it by a file, --var-file FILE, or with LABCTL_VAR_%s.", v.name)
	}
	return fmt.Sprintf("Give it with -e %s=..., --var-file FILE or LABCTL_VAR_%s.", v.name, v.name)
}

func (s *Site) variable(b *hcl.Block) *variable {
	v := &variable{name: b.Labels[0], typ: cty.DynamicPseudoType, nullable: true, rng: b.DefRange}
	c, diags := b.Body.Content(variableSchema)
	if a := c.Attributes["type"]; a != nil {
		typ, defaults, more := typeexpr.TypeConstraintWithDefaults(a.Expr)
		diags = append(diags, typeHabit(a.Expr, more)...)
		v.typ, v.defaults = typ, defaults
		if more.HasErrors() {
			v.typ = cty.DynamicPseudoType
		}
	}
	flag := func(name string, to *bool) {
		if a := c.Attributes[name]; a != nil {
			val, more := a.Expr.Value(nil)
			diags = append(diags, more...)
			val, err := convert.Convert(val, cty.Bool)
			if err != nil || val.IsNull() || !val.IsKnown() {
				diags = append(diags, fault(a.Expr.Range(), "Wrong type", "The argument %q is true or false.", name))
				return
			}
			*to = val.True()
		}
	}
	flag("sensitive", &v.sensitive)
	flag("nullable", &v.nullable)
	v.preset = c.Attributes["default"]
	v.checks = c.Blocks
	v.unusable = diags.HasErrors()
	s.diags.add(diags...)
	return v
}

// given is a value from outside of the site, and where it comes from.
type given struct {
	text  string    // as written, or ""
	value cty.Value // cty.NilVal: parse text by the variable's type
	from  string
	rng   hcl.Range // in a file
	file  bool      // of --var-file, where names may be for other sites
}

// setVariables gives every variable its value: -e, then --var-file, then LABCTL_VAR_name, then the default.
func (s *Site) setVariables(decls []*variable, o Options, needed func(variable string) bool) {
	values := map[string]cty.Value{}
	if s.gather(decls, o); s.unread {
		return
	}
	for _, v := range decls {
		switch said := s.said[v.name]; {
		case len(said) > 0:
			values[v.name] = s.variableValue(v, said[0], true)
		case v.preset == nil && !v.unusable && !needed(v.name):
			values[v.name] = v.unknown()
		default:
			values[v.name] = s.variableValue(v, given{}, false)
		}
	}
	s.scope.Variables["var"] = cty.ObjectVal(values)
	for _, v := range decls {
		s.validate(v)
	}
}

// unknown is the value of a variable that nobody asks for.
func (v *variable) unknown() cty.Value {
	if v.sensitive {
		return cty.UnknownVal(v.typ).Mark(sensitive)
	}
	return cty.UnknownVal(v.typ)
}

func (s *Site) variableValue(v *variable, g given, ok bool) cty.Value {
	var val cty.Value
	from, rng := g.from, v.rng
	switch {
	case v.unusable:
		return cty.DynamicVal
	case ok && g.value != cty.NilVal:
		val = g.value
	case ok:
		val = s.parseGiven(v, g)
	case v.preset != nil:
		var diags hcl.Diagnostics
		val, diags = v.preset.Expr.Value(&hcl.EvalContext{Functions: s.scope.Functions})
		for _, d := range diags {
			if d.Summary == "Variables not allowed" {
				d.Detail = "A default refers to no other value. What is computed of others is a local: locals { NAME = ... }."
			}
		}
		s.diags.add(diags...)
		if diags.HasErrors() {
			return cty.DynamicVal
		}
		from, rng = "the default", v.preset.Expr.Range()
	default:
		s.diags.add(fault(v.rng, "Missing value", "The variable %q has no default. %s", v.name, v.howToGive()))
		return cty.UnknownVal(v.typ)
	}
	if val == cty.NilVal {
		return cty.UnknownVal(v.typ)
	}
	if ok && val.IsNull() && !v.nullable && v.preset != nil { // as Terraform does
		return s.variableValue(v, given{}, false)
	}
	return s.convertVariable(v, val, from, rng)
}

func (s *Site) convertVariable(v *variable, val cty.Value, from string, rng hcl.Range) cty.Value {
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.typ)
	if err != nil {
		hint := ""
		if from == "-e" && (v.typ.IsListType() || v.typ.IsSetType()) && val.Type().IsPrimitiveType() {
			hint = fmt.Sprintf(` Write -e '{%q: [...]}'.`, v.name)
		}
		s.diags.add(fault(rng, "Wrong value for a variable", "The value of %q from %s is not %s: %s.%s", v.name, from, typeName(v), err, hint))
		return cty.UnknownVal(v.typ)
	}
	if out.IsNull() && !v.nullable {
		s.diags.add(fault(rng, "Wrong value for a variable", "The variable %q cannot be null.", v.name))
		return cty.UnknownVal(v.typ)
	}
	if v.sensitive {
		out = out.Mark(sensitive)
	}
	return out
}

// parseGiven reads text as the variable's type asks: as it is for a string, as an HCL expression for a list.
func (s *Site) parseGiven(v *variable, g given) cty.Value {
	if v.typ == cty.DynamicPseudoType || v.typ.IsPrimitiveType() {
		return cty.StringVal(g.text)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(g.text), g.from, hcl.InitialPos)
	if !diags.HasErrors() {
		var val cty.Value
		if val, diags = expr.Value(nil); !diags.HasErrors() {
			return val
		}
	}
	s.diags.add(fault(v.rng, "Wrong value for a variable", "The value of %q from %s is no %s in HCL.", v.name, g.from, v.typ.FriendlyNameForConstraint()))
	return cty.NilVal
}

// validate evaluates the conditions that a variable must meet.
func (s *Site) validate(v *variable) {
	for _, b := range v.checks {
		c, diags := b.Body.Content(validationSchema)
		cond, msg := c.Attributes["condition"], c.Attributes["error_message"]
		if cond == nil || msg == nil {
			s.diags.add(diags...)
			continue
		}
		scope := staticScope{names: names{vars: s.static.vars}, where: "a validation"}
		diags = append(diags, s.checkRefs([]hcl.Expression{cond.Expr, msg.Expr}, scope)...)
		if diags.HasErrors() {
			s.diags.add(diags...)
			continue
		}
		ok, diags := cond.Expr.Value(s.scope)
		text, more := msg.Expr.Value(s.scope)
		s.diags.add(redact(append(diags, more...))...)
		if diags.HasErrors() || more.HasErrors() {
			continue
		}
		ok, _ = ok.UnmarkDeep()
		text, marks := text.UnmarkDeep()
		ok, err := convert.Convert(ok, cty.Bool)
		if err != nil || ok.IsNull() {
			s.diags.add(fault(cond.Expr.Range(), "Wrong condition", "A condition is true or false."))
			continue
		}
		if ok.IsKnown() && ok.False() {
			s.refuseValue(v, cond, text, len(marks) > 0)
		}
	}
}

func (s *Site) refuseValue(v *variable, cond *hcl.Attribute, text cty.Value, hidden bool) {
	detail := "The value does not meet the condition."
	if str, err := convert.Convert(text, cty.String); err == nil && !str.IsNull() && str.IsKnown() && !hidden {
		detail = str.AsString()
	}
	s.diags.add(fault(cond.Expr.Range(), fmt.Sprintf("Invalid value for variable %q", v.name), "%s", detail))
}
