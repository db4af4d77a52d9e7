package playbooks

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
	"labctl/playbooks/syntax"
)

var topSchema = &hcl.BodySchema{Blocks: append([]hcl.BlockHeaderSchema{
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"},
	{Type: "play", LabelNames: []string{"name"}},
	{Type: "handler", LabelNames: []string{"name"}},
	{Type: "role", LabelNames: []string{"name"}},
}, inventory.BlockTypes...)}

// topBlocks returns the top-level blocks of a file.
func (s *Site) topBlocks(f *syntax.File) hcl.Blocks {
	body := f.Body.(*hclsyntax.Body)
	kept := *body
	kept.Blocks = nil
	var sources hcl.Blocks // which may have a name or none
	for _, b := range body.Blocks {
		switch {
		case b.Type == "import": // it has been followed
		case b.Type == "source":
			h, fault := inventory.SourceHeader(b)
			if fault != nil {
				s.diags.add(fault)
				continue
			}
			sources = append(sources, h)
		case s.registry[b.Type] != nil && !slices.Contains(topNames(), b.Type): // group is both
			s.diags.add(fault(b.TypeRange, "Task outside of a play", "Tasks belong into a play: play \"name\" { hosts = ...  %s ... }.", b.Type))
		default:
			kept.Blocks = append(kept.Blocks, b)
		}
	}
	kept.Blocks = slices.DeleteFunc(kept.Blocks, s.unknownTop)
	for _, a := range sortedAttributes(kept.Attributes) {
		s.diags.add(fault(a.NameRange, "Argument outside of a block", "%q stands in no block. A site is made of blocks: %s. (A file of variables, for --var-file, is called .tfvars, or lies in another directory than the site.)", a.Name, strings.Join(topNames(), ", ")))
	}
	kept.Attributes = nil
	content, diags := kept.Content(topSchema)
	s.diags.add(diags...)
	return append(content.Blocks, sources...)
}

func topNames() []string {
	var out []string
	for _, b := range topSchema.Blocks {
		out = append(out, b.Type)
	}
	return append(out, "import")
}

// unknownTop reports a block that no site has.
func (s *Site) unknownTop(b *hclsyntax.Block) bool {
	known := topNames()
	if slices.Contains(known, b.Type) {
		return false
	}
	hint := " " + moduleHabits[b.Type]
	if hint == " " {
		hint = inventory.DidYouMean(b.Type, append(known, s.registry.Names()...))
	}
	if strings.HasPrefix(hint, " Known: ") || hint == "" {
		hint = " Known: " + strings.Join(known, ", ") + "."
	}
	s.diags.add(fault(b.TypeRange, "Unsupported block type", "A site has no block %q.%s", b.Type, hint))
	return true
}
