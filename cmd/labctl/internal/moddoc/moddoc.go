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
	parts := []string{"# " + m.Name(), m.Doc()}
	if ex := strings.TrimSpace(m.Example()); ex != "" {
		parts = append(parts, "```hcl\n"+ex+"\n```")
	}
	if key := m.Schema().Key(); key != nil {
		parts = append(parts, fmt.Sprintf("The label of the block is `%s`: %s", key.Name, key.Doc+notes(key)))
	}
	var arguments, results strings.Builder
	rows(&arguments, m.Schema(), "")
	for _, a := range computed(m.Schema()) {
		fmt.Fprintf(&results, "\n| `%s` | %s | %s |", a.Name, kind(a), cell(a.Doc))
	}
	if arguments.Len() > 0 {
		parts = append(parts, "| argument | type | what it is |\n|---|---|---|"+arguments.String())
	}
	if results.Len() > 0 {
		parts = append(parts, "| result | type | what it is |\n|---|---|---|"+results.String())
	}
	return strings.Join(parts, "\n\n") + "\n"
}

func rows(b *strings.Builder, s *schema.Block, prefix string) {
	for i := range s.Attributes {
		a := &s.Attributes[i]
		if a.Computed || a.Filled || a.Key { // the label is the key, and cannot be given again
			continue
		}
		fmt.Fprintf(b, "\n| `%s%s` | %s | %s |", prefix, a.Name, kind(a), cell(a.Doc)+notes(a))
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
