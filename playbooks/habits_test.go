package playbooks

import (
	"slices"
	"testing"

	"labctl/modules"
)

// The tables of habits stay in step with the modules: what a hint names is there, and what it replaces is not.
func TestHabitsLeadSomewhere(t *testing.T) {
	known := slices.Clone(metaArguments)
	for _, name := range modules.Default.Names() {
		m, err := modules.Default.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range m.Schema().Attributes {
			known = append(known, a.Name)
			if a.Fields != nil {
				known = append(known, argumentNames(a.Fields, false)...)
			}
		}
		if moduleHabits[name] != "" {
			t.Errorf("%s is a module", name)
		}
	}
	for name, h := range argumentHabits {
		if h.instead != "" && !slices.Contains(known, h.instead) {
			t.Errorf("%s: no module has the argument %s", name, h.instead)
		}
	}
	for name := range playHabits {
		if slices.Contains(playArguments, name) {
			t.Errorf("%s is an argument of plays", name)
		}
	}
	for _, name := range scopeRoots {
		if nameHabit(name) != "" {
			t.Errorf("%s is a name of the language", name)
		}
	}
}
