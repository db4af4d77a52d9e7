package playbooks

import (
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
	"labctl/modules/host"
)

// fact refuses a name that no host's facts have. Which there are does not depend on the host.
func (sc staticScope) fact(t hcl.Traversal) *hcl.Diagnostic {
	if !sc.facts {
		return sc.allowed(t, false)
	}
	at := reflect.TypeFor[host.Facts]()
	for _, step := range t[1:] {
		for at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		switch at.Kind() {
		case reflect.Map, reflect.Slice:
			at = at.Elem()
			continue
		case reflect.Struct:
		default:
			return nil
		}
		name := stepName(step)
		if name == "" {
			return nil
		}
		fields := factsOf(at)
		next, ok := fields[name]
		if !ok {
			return fault(t.SourceRange(), "Unknown fact", "There is no fact %q here.%s", name, inventory.DidYouMean(name, sortedKeys(fields)))
		}
		at = next
	}
	return nil
}

// factsOf are the names of a structure's fields, as facts show them.
func factsOf(structure reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range structure.NumField() {
		name, _, _ := strings.Cut(structure.Field(i).Tag.Get("json"), ",")
		out[name] = structure.Field(i).Type
	}
	return out
}
