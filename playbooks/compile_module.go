package playbooks

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
	"labctl/modules"
)

func (c *compiler) module(b *hclsyntax.Block) modules.Module {
	m, err := c.site.registry.Lookup(b.Type)
	if err == nil {
		return m
	}
	if c.notATask(b) {
		return nil
	}
	known := append(c.site.registry.Names(), "block", "use", "include", "sync")
	if c.handler == "" {
		known = append(known, "handler", "flush_handlers")
	}
	c.fault(b.TypeRange, "Unknown module", "There is no module %q.%s", b.Type, didYouMeanLong(b.Type, known))
	return nil
}

// notATask reports a block that is not the name of a module misspelt, but something else.
func (c *compiler) notATask(b *hclsyntax.Block) bool {
	switch h := moduleHabit(b.Type); {
	case b.Type == "flush_handlers":
		c.fault(b.TypeRange, "Handlers in a handler", "Handlers run one after the other, in the order of their declaration: flush_handlers belongs among the tasks of a play.")
	case b.Type == "rescue" || b.Type == "always":
		c.fault(b.TypeRange, "Not in a block", "It belongs at the end of a block: block \"...\" { TASKS  %s { TASKS } }.", b.Type)
	case b.Type == "import":
		c.fault(b.TypeRange, "Import in a play", "It takes the plays of another file, and stands outside of plays. For the tasks of a file write include \"FILE.hcl\" { }.")
	case b.Type == "handler" && c.handler == "" || b.Type == "output" || b.Type == "variable" && c.role != nil:
		c.fault(b.TypeRange, "Not here", "%s stands at the top of a play or a role, not in a block or in a file of tasks.", inventory.Article(b.Type))
	case b.Type == "play":
		c.fault(b.TypeRange, "Play in a play", "Plays do not contain each other. Probably a closing brace } is missing above.")
	case b.Type == "locals":
		c.fault(b.TypeRange, "Not here", "Locals stand outside of plays, and are the same for all hosts. What a play defines is in its vars = { NAME = VALUE }, known to its tasks as NAME.")
	case slices.Contains(topNames(), b.Type) && (c.handler != "" || b.Type != "handler"):
		c.fault(b.TypeRange, "Unknown module", "A %s is declared outside of plays. Or is a closing brace } missing above?", b.Type)
	case slices.Contains(playArguments, b.Type):
		c.fault(b.TypeRange, "Unsupported block", "%q is an argument, not a block: %s", b.Type, argumentForm(b.Type))
	case h != "":
		c.fault(b.TypeRange, "Unknown module", "%s", h)
	default:
		return false
	}
	return true
}

// argumentForm shows how an argument of a play is written.
func argumentForm(name string) string {
	if name == "vars" {
		return "vars = { name = value, ... }"
	}
	return name + " = ..."
}

func didYouMeanLong(given string, known []string) string {
	if s := inventory.Suggest(given, known); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	return " labctl doc lists them all."
}
