// Package moddoc writes the manual of the modules from their schemas: a page each, and the table of the README. It knows
// nothing of any single module.
package moddoc

import (
	"fmt"
	"strings"

	"labctl/modules"
	"labctl/modules/schema"
)

// Page is the manual of one module in Markdown.
func Page(m modules.Module) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", m.Name(), m.Doc())
	if ex := strings.TrimSpace(m.Example()); ex != "" {
		fmt.Fprintf(&b, "```hcl\n%s\n```\n\n", ex)
	}
	if key := m.Schema().Key(); key != nil {
		fmt.Fprintf(&b, "The label of the block is `%s`: %s\n\n", key.Name, key.Doc)
	}
	b.WriteString("| argument | type | what it is |\n|---|---|---|\n")
	rows(&b, m.Schema(), "")
	if results := computed(m.Schema()); len(results) > 0 {
		b.WriteString("\n| result | type | what it is |\n|---|---|---|\n")
		for _, a := range results {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, kind(a), cell(a.Doc))
		}
	}
	return b.String()
}

func rows(b *strings.Builder, s *schema.Block, prefix string) {
	for i := range s.Attributes {
		a := &s.Attributes[i]
		if a.Computed || a.Filled {
			continue
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", prefix, a.Name, kind(a), cell(a.Doc)+notes(a))
		if a.Kind == schema.Object {
			rows(b, a.Fields, prefix+a.Name+".")
		}
	}
}

func computed(s *schema.Block) (out []*schema.Attribute) {
	for i := range s.Attributes {
		if s.Attributes[i].Computed {
			out = append(out, &s.Attributes[i])
		}
	}
	return out
}

func kind(a *schema.Attribute) string {
	switch {
	case a.Kind == schema.Object && a.Repeated:
		return "blocks, in order"
	case a.Kind == schema.Object:
		return "block"
	case a.Kind == schema.List && a.Set:
		return "set of " + string(a.Elem)
	case a.Elem != "":
		return string(a.Kind) + " of " + string(a.Elem)
	}
	return string(a.Kind)
}

// notes says in words what the options of an argument mean to its user.
func notes(a *schema.Attribute) string {
	var out []string
	if a.Required {
		out = append(out, "Required.")
	}
	if a.Enum != nil {
		out = append(out, "One of `"+strings.Join(a.Enum, "`, `")+"`.")
	}
	if a.Default != "" {
		out = append(out, "Default `"+a.Default+"`.")
	}
	if a.Immutable {
		out = append(out, "A change replaces the object.")
	}
	if a.Sensitive {
		out = append(out, "Never shown.")
	}
	if len(out) == 0 {
		return ""
	}
	return " " + strings.Join(out, " ")
}

func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\n", " "), "|", "\\|")
}

// Table lists all modules of a registry with the first sentence of their doc.
func Table(r modules.Registry) string {
	var b strings.Builder
	b.WriteString("| module | what it manages |\n|---|---|\n")
	for _, name := range r.Names() {
		m, err := r.Lookup(name)
		if err != nil {
			panic(err) // Names gave it
		}
		fmt.Fprintf(&b, "| [`%s`](docs/modules/%s.md) | %s |\n", name, name, cell(First(m.Doc())))
	}
	return b.String()
}

// First is the first sentence of a doc.
func First(doc string) string {
	if s, _, ok := strings.Cut(doc, ". "); ok {
		return s + "."
	}
	return doc
}
