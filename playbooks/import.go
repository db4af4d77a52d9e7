package playbooks

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
	"labctl/playbooks/syntax"
)

// importing is what an import says for the plays of the file.
type importing struct {
	vars *hclsyntax.Attribute
	tags *hclsyntax.Attribute
	when *hclsyntax.Attribute
	up   *importing // that of the file in which it stands, or nil
}

var importArguments = []string{"vars", "tags", "when"}

// imports reads the files that a site imports, in the place of the imports.
type imports struct {
	site   *Site
	read   []string // files of the site itself
	once   map[string]bool
	broken bool
}

// followed returns the blocks of the files of the site, and of those that they import. broken: one of these cannot be read.
func (s *Site) followed(files []*syntax.File) (blocks hcl.Blocks, broken bool) {
	s.imported = map[*hcl.Block]*importing{}
	m := &imports{site: s, once: map[string]bool{}}
	for _, f := range files {
		m.read = append(m.read, filepath.Clean(f.Name))
	}
	for _, f := range files {
		blocks = append(blocks, m.file(f, nil, []string{filepath.Clean(f.Name)})...)
	}
	return blocks, m.broken
}

// file returns the blocks of a file, with those of the files that it imports in the place of the imports. path are the files that
// have led to it.
func (m *imports) file(f *syntax.File, in *importing, path []string) hcl.Blocks {
	body := f.Body.(*hclsyntax.Body)
	var found []*hclsyntax.Block
	at := map[*hclsyntax.Block]hcl.Blocks{}
	for _, b := range body.Blocks {
		if b.Type == "import" {
			found = append(found, b)
			at[b] = m.block(b, in, path)
		}
	}
	blocks := m.mark(m.site.topBlocks(f), in)
	var out hcl.Blocks
	for _, b := range found {
		i := slices.IndexFunc(blocks, func(o *hcl.Block) bool { return o.TypeRange.Start.Byte > b.TypeRange.Start.Byte })
		if i < 0 {
			i = len(blocks)
		}
		out, blocks = slices.Concat(out, blocks[:i], at[b]), blocks[i:]
	}
	return append(out, blocks...)
}

// mark notes what imports say for plays.
func (m *imports) mark(blocks hcl.Blocks, in *importing) hcl.Blocks {
	if in != nil {
		for _, b := range blocks.OfType("play") {
			m.site.imported[b] = in
		}
	}
	return blocks
}

// block reads the file that an import names. What it declares beside plays is of the whole site, so that it counts once.
func (m *imports) block(b *hclsyntax.Block, up *importing, path []string) hcl.Blocks {
	in, name := m.header(b, up)
	if name == "" {
		return nil
	}
	s := m.site
	if i := slices.Index(path, name); i >= 0 {
		s.diags.add(fault(b.LabelRanges[0], "Import in itself", "It would lead into itself without end: %s.", strings.Join(append(slices.Clone(path[i:]), name), " -> ")))
		return nil
	}
	if slices.Contains(m.read, name) {
		s.diags.add(fault(b.LabelRanges[0], "Imported twice", "%s belongs to the site as it is, since it lies in its directory: all *.hcl files of a directory are read. Play one file, or put what is imported into another directory.", name))
		return nil
	}
	if !regular(name) {
		s.diags.add(fault(b.LabelRanges[0], "No such file", "There is no file %s.%s", name, neighbours(name)))
		m.broken = true
		return nil
	}
	sources := s.diags.read([]string{name})
	if len(sources) == 0 {
		m.broken = true
		return nil
	}
	f, diags := syntax.Parse(name, sources[0].Text)
	s.files[name] = f
	s.diags.add(diags...)
	if diags.HasErrors() {
		m.broken = true
		return nil
	}
	blocks := m.file(f, in, append(slices.Clone(path), name))
	if m.once[name] {
		return blocks.OfType("play")
	}
	m.once[name] = true
	return blocks
}

// header reads the head of an import, and its arguments.
func (m *imports) header(b *hclsyntax.Block, up *importing) (in *importing, name string) {
	s := m.site
	for _, a := range sortedAttributes(b.Body.Attributes) {
		if !slices.Contains(importArguments, a.Name) {
			s.diags.add(fault(a.NameRange, "Unsupported argument", "An import has no argument %q.%s", a.Name, inventory.DidYouMean(a.Name, importArguments)))
		}
	}
	for _, k := range b.Body.Blocks {
		s.diags.add(fault(k.TypeRange, "Unsupported block", "The plays of an import stand in the file that it names."))
	}
	if len(b.Labels) != 1 || s.file(b.DefRange()).IsTemplate(b.Labels[0]) {
		s.diags.add(fault(b.DefRange(), "Wrong import", "It is labelled with a file, by its fixed name: import \"other.hcl\" {}."))
		return nil, ""
	}
	name = b.Labels[0]
	if filepath.IsAbs(name) || strings.HasPrefix(name, "~/") {
		name = s.path(name)
	} else {
		name = filepath.Join(filepath.Dir(b.DefRange().Filename), name)
	}
	attrs := b.Body.Attributes
	return &importing{vars: attrs["vars"], tags: attrs["tags"], when: attrs["when"], up: up}, name
}

// takeOver has a play take what its imports say: the outer ones count before the inner ones, and all of them before the play itself.
func (s *Site) takeOver(p *Play, in *importing) {
	if in == nil {
		return
	}
	for ; in != nil; in = in.up {
		if in.tags != nil {
			p.tags = append(p.tags, s.constStrings(in.tags)...)
		}
		if in.when != nil {
			p.when = append([]hcl.Expression{in.when.Expr}, p.when...)
		}
		p.vars = replaced(p.vars, s.playVars(in.vars))
	}
	p.vars = s.sorted(p.vars)
}

// replaced are the definitions of a and b; b counts.
func replaced(a, b []definition) []definition {
	a = slices.DeleteFunc(slices.Clone(a), func(d definition) bool {
		return slices.ContainsFunc(b, func(o definition) bool { return o.name == d.name })
	})
	return append(a, b...)
}

// sorted puts variables of several places into the order in which they can be evaluated.
func (s *Site) sorted(vars []definition) []definition {
	defs := map[string]definition{}
	for _, d := range vars {
		d.late = false
		defs[d.name] = d
	}
	out, diags := order(defs, "variables", func(t hcl.Traversal) string { return t.RootName() })
	s.diags.add(diags...)
	return lateOnes(out)
}
