package playbooks

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"labctl/inventory"
	"labctl/playbooks/syntax"
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
type markType string

const sensitive = markType("sensitive")

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

func (s *Site) variable(b *hcl.Block) *variable {
	v := &variable{name: b.Labels[0], typ: cty.DynamicPseudoType, nullable: true, rng: b.DefRange}
	c, diags := b.Body.Content(variableSchema)
	if a := c.Attributes["type"]; a != nil {
		typ, defaults, more := typeexpr.TypeConstraintWithDefaults(a.Expr)
		diags = append(diags, more...)
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
}

// setVariables gives every variable its value: -e, then LABCTL_VAR_name, then the default.
func (s *Site) setVariables(decls []*variable, extraVars []string) {
	values := map[string]cty.Value{}
	extra := s.extraVars(extraVars)
	for _, v := range decls {
		g, ok := extra[v.name]
		delete(extra, v.name)
		if env, set := s.environ["LABCTL_VAR_"+v.name]; !ok && set {
			g, ok = given{text: env, from: "the environment variable LABCTL_VAR_" + v.name}, true
		}
		values[v.name] = s.variableValue(v, g, ok)
	}
	s.extra = map[string]cty.Value{}
	for name, g := range extra {
		if g.value == cty.NilVal {
			g.value = cty.StringVal(g.text)
		}
		s.extra[name] = g.value
	}
	s.scope.Variables["var"] = cty.ObjectVal(values)
	for _, v := range decls {
		s.validate(v)
	}
}

func (s *Site) variableValue(v *variable, g given, ok bool) cty.Value {
	val, from, rng := cty.NilVal, g.from, v.rng
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
		s.diags.add(diags...)
		if diags.HasErrors() {
			return cty.DynamicVal
		}
		from, rng = "the default", v.preset.Expr.Range()
	default:
		s.diags.add(fault(v.rng, "Missing value", "The variable %q has no default. Give it with -e %s=... or LABCTL_VAR_%s.", v.name, v.name, v.name))
		return cty.UnknownVal(v.typ)
	}
	if val == cty.NilVal {
		return cty.UnknownVal(v.typ)
	}
	return s.convertVariable(v, val, from, rng)
}

func (s *Site) convertVariable(v *variable, val cty.Value, from string, rng hcl.Range) cty.Value {
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.typ)
	if err != nil {
		s.diags.add(fault(rng, "Wrong value for a variable", "The value of %q from %s is not a %s: %s.", v.name, from, v.typ.FriendlyNameForConstraint(), err))
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

// extraVars reads the -e options, the last of which wins.
func (s *Site) extraVars(options []string) map[string]given {
	out := map[string]given{}
	for _, o := range options {
		switch {
		case strings.HasPrefix(o, "@"):
			s.varsFile(o[1:], out)
		case strings.HasPrefix(strings.TrimSpace(o), "{"):
			s.varsJSON([]byte(o), "-e", out)
		default:
			s.varsWords(o, out)
		}
	}
	return out
}

func (s *Site) badVars(from, format string, args ...any) {
	s.diags.add(fault(nowhere, "Wrong variables", "%s: %s", from, fmt.Sprintf(format, args...)))
}

// varsWords reads k=v k2="v 2", as a shell would split it.
func (s *Site) varsWords(o string, out map[string]given) {
	for _, w := range words(o) {
		k, v, ok := strings.Cut(w, "=")
		if !ok || !hclsyntax.ValidIdentifier(k) {
			s.badVars("-e", "%q is not name=value. A JSON object or @FILE is possible too.", w)
			continue
		}
		out[k] = given{text: v, from: "-e"}
	}
}

// words splits at white space outside of quotes. One name=value with spaces in it needs no quotes when it is the only one.
func words(s string) []string {
	var out []string
	var cur strings.Builder
	quote, in := rune(0), false
	for _, c := range s {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, in = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if in {
				out = append(out, cur.String())
				cur.Reset()
				in = false
			}
		default:
			cur.WriteRune(c)
			in = true
		}
	}
	if in {
		out = append(out, cur.String())
	}
	return out
}

func (s *Site) varsJSON(b []byte, from string, out map[string]given) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		s.badVars(from, "This is not a JSON object: %s.", err)
		return
	}
	for k, raw := range m {
		ty, err := ctyjson.ImpliedType(raw)
		if err != nil {
			s.badVars(from, "The value of %q: %s.", k, err)
			continue
		}
		v, err := ctyjson.Unmarshal(raw, ty)
		if err != nil {
			s.badVars(from, "The value of %q: %s.", k, err)
			continue
		}
		out[k] = given{value: v, from: from}
	}
}

func (s *Site) varsFile(name string, out map[string]given) {
	b, err := readFile(name)
	if err != nil {
		s.diags.fileFault(name, err)
		return
	}
	if !utf8.Valid(b) {
		s.badVars(name, "The file is not UTF-8.")
		return
	}
	switch filepath.Ext(name) {
	case ".hcl", ".tfvars":
		f, diags := syntax.Parse(name, b)
		s.files[name] = f
		attrs, more := f.Body.JustAttributes()
		diags = append(diags, more...)
		for k, a := range attrs {
			v, more := a.Expr.Value(nil)
			diags = append(diags, more...)
			out[k] = given{value: v, from: name}
		}
		s.diags.add(diags...)
	case ".yaml", ".yml":
		ty, err := ctyyaml.ImpliedType(b)
		if err != nil || !ty.IsObjectType() {
			s.badVars(name, "The file is not a YAML mapping.")
			return
		}
		v, err := ctyyaml.Unmarshal(b, ty)
		if err != nil {
			s.badVars(name, "%s.", err)
			return
		}
		for k, e := range v.AsValueMap() {
			out[k] = given{value: e, from: name}
		}
	default:
		s.varsJSON(b, name, out)
	}
}

// checkExtra reports the -e names that nothing in the site knows: most likely they are misspelt.
func (s *Site) checkExtra() {
	names := append(sortedKeys(s.static.vars), sortedKeys(s.bare)...)
	for _, n := range sortedKeys(s.extra) {
		if !s.bare[n] {
			s.diags.add(fault(nowhere, "Unknown variable", "No variable %q is declared, and no host, group or play has one of that name.%s", n, inventory.DidYouMean(n, names)))
		}
	}
}
