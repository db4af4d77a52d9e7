package source

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// text is a string from a file of Ansible, in which a template of Jinja may stand.
func text(s string) cty.Value {
	v := cty.StringVal(s)
	if strings.Contains(s, "{{") || strings.Contains(s, "{%") || strings.Contains(s, "{#") {
		return v.Mark(inventory.Template)
	}
	return v
}
