package adopt

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"labctl/modules"
	"labctl/modules/schema"
	"labctl/playbooks/syntax"
)

// String names a task in comments.
func (t task) String() string {
	ns, _ := t.args["netns"].(string)
	return t.module + " " + quoted(t.label) + where(ns)
}

func (w *writer) hcl() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# What %s is, as labctl import has found it. The plan of this play is empty there.\n", w.Name)
	w.comments(&b)
	fmt.Fprintf(&b, "\nplay %s {\n", literal(cty.StringVal(w.Name+" as it is")))
	fmt.Fprintf(&b, "hosts = %s\nbecome = true\n", literal(cty.StringVal(w.Name)))
	module, long := "", true
	for _, t := range w.tasks {
		var body strings.Builder
		m, _ := modules.Default.Lookup(t.module)
		block(&body, m.Schema(), t.args, t.first)
		several := strings.Count(body.String(), "\n") > 1
		if t.module != module || several || long {
			b.WriteString("\n")
		}
		module, long = t.module, several
		fmt.Fprintf(&b, "%s %s %s", t.module, literal(cty.StringVal(t.label)), body.String())
	}
	b.WriteString("}\n")
	out, _ := syntax.Format("import", []byte(b.String())) // of what is written here nothing is broken
	return out
}

// comments says what is left out, and why.
func (w *writer) comments(b *strings.Builder) {
	if !w.All {
		b.WriteString("#\n# MAC addresses and other values that the kernel makes up are left out: --all has them.\n")
	}
	for _, why := range w.reason {
		fmt.Fprintf(b, "#\n# Left out, because %s:\n", oneLine(why))
		for _, what := range w.left[why] {
			fmt.Fprintf(b, "#   %s\n", oneLine(fmt.Sprint(what)))
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// block writes arguments, those of first first, the others in the order of the schema, repeated blocks last.
func block(b *strings.Builder, s *schema.Block, args map[string]any, first []string) {
	var plain, blocks []string
	for _, name := range first {
		if _, ok := args[name]; ok && !slices.Contains(plain, name) && s.Find(name).Kind != schema.Object {
			plain = append(plain, name)
		}
	}
	for i := range s.Attributes {
		a := &s.Attributes[i]
		if _, ok := args[a.Name]; !ok || slices.Contains(plain, a.Name) {
			continue
		}
		if a.Kind == schema.Object {
			blocks = append(blocks, a.Name)
		} else {
			plain = append(plain, a.Name)
		}
	}
	if len(plain)+len(blocks) == 0 {
		b.WriteString("{}\n")
		return
	}
	if line := oneLiner(plain, blocks, args); line != "" {
		b.WriteString(line)
		return
	}
	b.WriteString("{\n")
	for _, name := range plain {
		fmt.Fprintf(b, "%s = %s\n", name, expression(args[name]))
	}
	for _, name := range blocks {
		each, ok := args[name].([]any)
		if !ok {
			each = []any{args[name]}
		}
		for _, one := range each {
			fields, _ := one.(map[string]any)
			b.WriteString(name + " ")
			block(b, s.Find(name).Fields, fields, nil)
		}
	}
	b.WriteString("}\n")
}

// oneLiner is a short block on one line, "" for others.
func oneLiner(plain, blocks []string, args map[string]any) string {
	if len(blocks) > 0 || len(plain) > 4 {
		return ""
	}
	var words []string
	for _, name := range plain {
		words = append(words, name+" = "+expression(args[name]))
	}
	line := "{ " + strings.Join(words, "  ") + " }\n"
	if len(line) > 90 || strings.Count(line, "\n") > 1 {
		return ""
	}
	return line
}

// expression writes a value. A text of several lines is a heredoc, if it can be one.
func expression(v any) string {
	if s, ok := v.(string); ok && strings.Count(s, "\n") > 1 && strings.HasSuffix(s, "\n") && !strings.Contains(s, "EOT") {
		return "<<EOT\n" + strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s) + "EOT"
	}
	if list, ok := v.([]string); ok && len(strings.Join(list, `", "`)) > 100 {
		var b strings.Builder
		b.WriteString("[\n")
		for _, s := range list {
			b.WriteString(literal(cty.StringVal(s)) + ",\n")
		}
		return b.String() + "]"
	}
	return literal(value(v))
}

func literal(v cty.Value) string { return string(hclwrite.TokensForValue(v).Bytes()) }

// value makes of what JSON or a task holds a value of HCL.
func value(v any) cty.Value {
	switch v := v.(type) {
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	case int:
		return cty.NumberIntVal(int64(v))
	case float64:
		if v == math.Trunc(v) {
			return cty.NumberIntVal(int64(v))
		}
		return cty.NumberFloatVal(v)
	case []string:
		out := []cty.Value{}
		for _, s := range v {
			out = append(out, cty.StringVal(s))
		}
		return cty.TupleVal(out)
	case []any:
		out := []cty.Value{}
		for _, e := range v {
			out = append(out, value(e))
		}
		return cty.TupleVal(out)
	case map[string]any:
		out := map[string]cty.Value{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[k] = value(v[k])
		}
		return cty.ObjectVal(out)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}
