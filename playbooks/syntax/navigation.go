package syntax

import (
	"fmt"
	"regexp"
)

// navigation says in which block a message is about something, with labels as they are written.
type navigation struct {
	file *File
	nav  interface{ ContextString(offset int) string }
}

// stands is a label of hclsyntax's navigation that stands for a template.
var stands = regexp.MustCompile(`"\\x01(\d+)"`)

// ContextString is looked for by hcl's writer of diagnostics.
func (n navigation) ContextString(offset int) string {
	return stands.ReplaceAllStringFunc(n.nav.ContextString(offset), func(quoted string) string {
		return fmt.Sprintf("\"%s\"", n.file.Source(mark+stands.FindStringSubmatch(quoted)[1]))
	})
}
