package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"labctl/modules"
	"labctl/modules/schema"
	"labctl/playbooks"
)

// adHoc writes the play of one task whose words were given on the command line.
func adHoc(pattern, module string, words []string, become bool, user string) (string, error) {
	m, err := modules.Default.Lookup(module)
	if err != nil {
		return "", fmt.Errorf("%w.%s\nSee 'labctl doc' for all", err, playbooks.ModuleHint(module, modules.Default.Names()))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "play \"\" {\n  hosts = %s\n", quoted(pattern))
	if become || user != "" {
		b.WriteString("  become = true\n")
	}
	if user != "" {
		fmt.Fprintf(&b, "  become_user = %s\n", quoted(user))
	}
	head := "  " + module
	if len(words) > 0 && isLabel(m, words[0]) {
		head += " " + quoted(words[0])
		words = words[1:]
	} else if module == "command" && !slices.ContainsFunc(words, saysWhat) {
		return "", fmt.Errorf("command: what is to be run is missing: labctl run %s command uptime, or shell='who | wc -l'", pattern)
	} else if module == "command" { // its label is only what it is called, where argv or shell says what to run
		head += ` "ad hoc"`
	}
	b.WriteString(head + " {\n")
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return "", fmt.Errorf("%q is not NAME=VALUE, and the label comes first and is one word: quote it if it has blanks", w)
		}
		b.WriteString("    " + given(m.Schema().Find(name), name, value) + "\n")
	}
	b.WriteString("  }\n}\n")
	return b.String(), nil
}

// saysWhat reports whether an argument of a command says what to run.
func saysWhat(word string) bool {
	return strings.HasPrefix(word, "argv=") || strings.HasPrefix(word, "shell=")
}

var assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

// isLabel tells the label from the first argument. To a command, whose label may be anything, NAME=... is an argument only if it
// has one of that name.
func isLabel(m modules.Module, word string) bool {
	name := assignment.FindStringSubmatch(word)
	if name == nil {
		return true
	}
	return m.Name() == "command" && m.Schema().Find(name[1]) == nil && !slices.Contains(ofEveryTask, name[1])
}

// ofEveryTask are arguments that every task takes, and whose values are text; of the others they are expressions.
var ofEveryTask = []string{"name", "ensure", "register", "become_user", "become_method", "become_flags", "become_password", "timeout",
	"when", "for_each", "become", "sensitive", "tags"}

// given writes an argument. What a is not known of is left for the loader to judge, which knows what was meant.
func given(a *schema.Attribute, name, value string) string {
	if a != nil && a.Kind == schema.Object && strings.HasPrefix(strings.TrimSpace(value), "{") {
		return name + " " + value
	}
	return name + " = " + expression(a, name, value)
}

func expression(a *schema.Attribute, name, value string) string {
	kind, elem := schema.String, schema.String
	switch i := slices.Index(ofEveryTask, name); {
	case a != nil:
		kind, elem = a.Kind, a.Elem
	case i >= slices.Index(ofEveryTask, "when") && name != "tags":
		kind = schema.Any
	case name == "tags":
		kind = schema.List
	}
	start := strings.TrimSpace(value)
	switch kind {
	case schema.String:
		return quoted(value)
	case schema.List:
		if strings.HasPrefix(start, "[") {
			return value
		}
		return "[" + strings.Join(each(value, func(s string) string { return scalar(elem, s) }), ", ") + "]"
	case schema.Map:
		if strings.HasPrefix(start, "{") {
			return value
		}
		return "{ " + strings.Join(each(value, func(s string) string {
			k, v, _ := strings.Cut(s, "=")
			return quoted(k) + " = " + scalar(elem, v)
		}), ", ") + " }"
	}
	return value
}

// each applies f to what stands between the commas.
func each(value string, f func(string) string) []string {
	var out []string
	for _, s := range strings.Split(value, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, f(s))
		}
	}
	return out
}

func scalar(kind schema.Kind, s string) string {
	if kind == schema.String {
		return quoted(s)
	}
	return s
}

// quoted writes text as HCL; templates in it stay templates.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s) + `"`
}
