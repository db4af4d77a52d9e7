package playbooks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/modules/host"
)

// Console evaluates single expressions in the scope of a site and, if there is one, of a host.
type Console struct {
	site  *Site
	host  *inventory.Host // or nil
	ctx   *hcl.EvalContext
	scope staticScope
	facts bool // are known
}

// consoleName is what messages call an expression.
const consoleName = "<console>"

// Console returns a console for a host; nil: for none.
func (s *Site) Console(h *inventory.Host) *Console {
	bare := *s
	bare.set = map[string]map[string]cty.Value{} // no task has run
	s = &bare
	c := &Console{site: s, host: h, ctx: s.scope.NewChild()}
	c.ctx.Variables = map[string]cty.Value{"hosts": s.hostsValue(nil)}
	c.scope = staticScope{names: s.static, groups: true, hosts: true, where: "a console without a host", hint: " Name one: labctl console HOST."}
	if h != nil {
		c.scope.host, c.scope.facts, c.scope.bare, c.scope.where, c.scope.hint = true, true, map[string]bool{}, "the console", ""
		for name, v := range h.Vars {
			if !slices.Contains(scopeRoots, name) {
				c.ctx.Variables[name], c.scope.bare[name] = v, true
			}
		}
		c.ctx.Variables["host"] = s.hostValue(h, nil)
	}
	for name, v := range s.extra {
		c.ctx.Variables[name] = v
		c.scope = c.scope.with(name)
	}
	return c
}

// NeedsFacts reports whether the expression is about facts, and they are not there yet.
func (c *Console) NeedsFacts(expr hcl.Expression) bool {
	return c.host != nil && !c.facts && slices.ContainsFunc(expr.Variables(), func(t hcl.Traversal) bool { return t.RootName() == "facts" })
}

// SetFacts makes facts known.
func (c *Console) SetFacts(f host.Facts) error {
	v, err := factsValue(f)
	if err != nil {
		return fmt.Errorf("read the facts of %s: %w", c.host.Name, err)
	}
	c.ctx.Variables["facts"], c.facts = v, true
	return nil
}

// Unfinished reports whether a text goes on: a bracket is open, or a heredoc.
func (c *Console) Unfinished(text string) bool {
	toks, _ := hclsyntax.LexExpression([]byte(text+"\n"), consoleName, hcl.InitialPos) // which a heredoc begins, and ends, with
	var open []hclsyntax.TokenType
	for _, t := range toks {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open = append(open, t.Type)
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
			hclsyntax.TokenTemplateSeqEnd:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	return len(open) > 0 && open[len(open)-1] != hclsyntax.TokenOQuote // a quoted text ends on its line
}

// Parse reads an expression, and finds the names in it that nothing has.
func (c *Console) Parse(text string) (hcl.Expression, hcl.Diagnostics) {
	expr, diags := hclsyntax.ParseExpression([]byte(text), consoleName, hcl.InitialPos)
	if diags.HasErrors() { // a heredoc ends with its line
		if whole, more := hclsyntax.ParseExpression([]byte(text+"\n"), consoleName, hcl.InitialPos); !more.HasErrors() {
			expr, diags = whole, nil
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return expr, c.site.checkRefs([]hcl.Expression{expr}, c.scope)
}

// Eval evaluates an expression.
func (c *Console) Eval(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	v, diags := expr.Value(c.ctx)
	return v, c.site.Mask(redact(c.site.explain(diags, c.host)))
}

// Files returns the text for messages about it.
func (c *Console) Files(text string) map[string]*hcl.File {
	files := maps.Clone(c.site.Files())
	if files == nil {
		files = map[string]*hcl.File{}
	}
	files[consoleName] = &hcl.File{Bytes: []byte(text)}
	return files
}

// Names lists what expressions can begin with.
func (c *Console) Names() (names, functions []string) {
	return c.scope.inScope(), sortedKeys(c.site.scope.Functions)
}

// Literal writes a value as HCL has it, on more lines than one where it is long. What is sensitive, or not known, is not shown.
func Literal(v cty.Value) string { return literal(v, "") }

// lineWidth is how long a list or an object on one line may be.
const lineWidth = 72

func literal(v cty.Value, indent string) string {
	ty := v.Type()
	switch {
	case v.IsMarked():
		return withheld
	case !v.IsKnown():
		return "(not known)"
	case v.IsNull():
		return "null"
	case ty.IsObjectType() || ty.IsMapType():
		return bracketed("{", "}", ",", entries(v, indent+"  "), indent)
	case ty.IsTupleType() || ty.IsListType() || ty.IsSetType():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			parts = append(parts, literal(e, indent+"  "))
		}
		return bracketed("[", "]", ",", parts, indent)
	case ty.IsPrimitiveType():
		return string(hclwrite.TokensForValue(v).Bytes())
	}
	return "(" + ty.FriendlyName() + ")"
}

func entries(v cty.Value, indent string) []string {
	var parts []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		key := k.AsString()
		if !hclsyntax.ValidIdentifier(key) {
			key = string(hclwrite.TokensForValue(k).Bytes())
		}
		parts = append(parts, key+" = "+literal(e, indent))
	}
	return parts
}

func bracketed(open, end, comma string, parts []string, indent string) string {
	if len(parts) == 0 {
		return open + end
	}
	line := strings.Join(parts, comma+" ")
	if len(line)+len(indent) <= lineWidth && !strings.Contains(line, "\n") {
		if open == "{" {
			return open + " " + line + " " + end
		}
		return open + line + end
	}
	if open == "{" {
		comma = ""
	}
	return open + "\n" + indent + "  " + strings.Join(parts, comma+"\n"+indent+"  ") + comma + "\n" + indent + end
}
