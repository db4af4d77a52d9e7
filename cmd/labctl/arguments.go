package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"labctl/inventory"
)

// explainArguments has cmd, and all verbs below it, say of a wrong number of arguments which they take.
func explainArguments(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		explainArguments(c)
	}
	check := cmd.Args
	if check == nil || cmd.HasSubCommands() {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		return fmt.Errorf("%s: %s\nSee '%s --help'", usage(cmd), miscounted(cmd, check, args), cmd.CommandPath())
	}
}

// usage is how a verb is called, without its flags.
func usage(cmd *cobra.Command) string {
	_, takes, _ := strings.Cut(cmd.Use, " ")
	return strings.TrimSpace(cmd.CommandPath() + " " + takes)
}

// miscounted says which argument is too much, or that one is missing.
func miscounted(cmd *cobra.Command, check cobra.PositionalArgs, args []string) string {
	for n := len(args) - 1; n >= 0; n-- {
		if check(cmd, args[:n]) == nil {
			return fmt.Sprintf("%q is one argument too many", args[n])
		}
	}
	return "an argument is missing"
}

// flagError says what is wrong with an option, and what was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		if wanted := valueKinds[bad.GetFlag().Value.Type()]; wanted != "" {
			return fmt.Errorf("--%s %q: %s is wanted", bad.GetFlag().Name, bad.GetValue(), wanted)
		}
	}
	return fmt.Errorf("%w%s", err, flagHint(cmd, err))
}

// valueKinds are the types of flags whose own errors speak of Go.
var valueKinds = map[string]string{"int": "a whole number", "bool": "true or false", "duration": `a time such as "30s" or "5m"`}

// flagHint says which option was probably meant, with the end of a sentence before it, or "".
func flagHint(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	name := unknown.GetSpecifiedName()
	if name == "m" && cmd.Name() == "run" {
		return ". The module comes behind the hosts: labctl run all command uptime"
	}
	if hint := foreignFlags[name]; hint != "" {
		return ". " + hint
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if s := inventory.Suggest(name, names); s != "" {
		return fmt.Sprintf(". Did you mean --%s?", s)
	}
	return ""
}

// foreignFlags are options of ansible-playbook and terraform for which labctl's verbs have something else.
var foreignFlags = map[string]string{
	"syntax-check": "See labctl validate",
	"u":            "Write -o User=NAME", "user": "Write -o User=NAME", "private-key": "Write -o IdentityFile=FILE",
	"c": `A host says it: connection = "local"`, "connection": `A host says it: connection = "local"`,
	"auto-approve": "play asks nothing; labctl plan shows what it would do", "var": "Write -e NAME=VALUE",
}

// foreignVerbs are what Ansible and Terraform call what labctl has under another name.
var foreignVerbs = map[string]string{
	"apply": "play", "playbook": "play", "adhoc": "run", "lint": "validate", "check": "play --check", "vault": "secret",
	"graph": "inventory graph", "list": "inventory list",
	"view": "decrypt", "create": "edit", "encrypt_string": "encrypt --name NAME",
}

// oneOfVerbs refuses what is no verb of cmd.
func oneOfVerbs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	meant := inventory.DidYouMean(args[0], names)
	verb := foreignVerbs[args[0]]
	if first, _, _ := strings.Cut(verb, " "); slices.Contains(names, first) {
		meant = fmt.Sprintf(" Did you mean %q?", cmd.CommandPath()+" "+verb)
	}
	return fmt.Errorf("%s has no verb %q.%s\nSee '%s --help'", cmd.CommandPath(), args[0], meant, cmd.CommandPath())
}
