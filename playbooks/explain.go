package playbooks

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// explain makes HCL's messages about names say more: what there is in place of what was asked for, which host lacks a
// variable.
func (s *Site) explain(diags hcl.Diagnostics, h *inventory.Host) hcl.Diagnostics {
	for _, d := range diags {
		if d.Expression == nil || d.EvalContext == nil || d.Subject == nil {
			continue
		}
		for _, t := range d.Expression.Variables() {
			if within(*d.Subject, t.SourceRange()) && s.explainName(d, t, h) {
				break
			}
		}
	}
	return diags
}

// within reports whether the fault lies in the traversal.
func within(fault, t hcl.Range) bool {
	return fault.Filename == t.Filename && fault.Start.Byte >= t.Start.Byte && fault.End.Byte <= t.End.Byte
}

// explainName follows the traversal up to the step that leads nowhere.
func (s *Site) explainName(d *hcl.Diagnostic, t hcl.Traversal, h *inventory.Host) bool {
	v, diags := t[:1].TraverseAbs(d.EvalContext)
	if diags.HasErrors() {
		if h != nil && !s.bare[t.RootName()] {
			known := inScope(d.EvalContext)
			d.Summary, d.Detail = "Unknown name", fmt.Sprintf("Nothing is called %q here.%s", t.RootName(), inventory.DidYouMean(t.RootName(), known))
		} else if h != nil {
			d.Summary, d.Extra = "Unknown variable", &lack{name: t.RootName(), hosts: []string{h.Name}}
			d.Detail = d.Extra.(*lack).String()
		}
		return true
	}
	for i := 1; i < len(t); i++ {
		name := stepName(t[i])
		ty := v.Type()
		if name != "" && ty.IsObjectType() && !ty.HasAttribute(name) {
			d.Summary, d.Detail = missing(t[:i], name, sortedKeys(ty.AttributeTypes()))
			return true
		}
		if v, diags = t[i].TraversalStep(v); diags.HasErrors() {
			return false
		}
	}
	return false
}

// inScope lists the names that an expression may use.
func inScope(ctx *hcl.EvalContext) []string {
	names := map[string]bool{}
	for ; ctx != nil; ctx = ctx.Parent() {
		for n := range ctx.Variables {
			names[n] = true
		}
	}
	return sortedKeys(names)
}

// missing words what is not there, in the terms of the inventory if it is part of that.
func missing(path hcl.Traversal, name string, known []string) (summary, detail string) {
	hint := inventory.DidYouMean(name, known)
	last := path.RootName()
	if len(path) > 1 {
		last = stepName(path[len(path)-1])
	}
	switch last {
	case "hosts":
		return "Unknown host", fmt.Sprintf("No host %q is declared.%s", name, hint)
	case "groups":
		return "Unknown group", fmt.Sprintf("No group %q is declared.%s", name, hint)
	case "nic":
		return "Unknown nic", fmt.Sprintf("The inventory knows no nic %q of this host.%s", name, hint)
	}
	return "Unknown attribute", fmt.Sprintf("There is no attribute %q here.%s", name, hint)
}

func stepName(step hcl.Traverser) string {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString()
		}
	}
	return ""
}
