package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// outputFlags say in which form a verb writes: -o as terraform and kubectl have it, or --json as the verbs that write events.
type outputFlags struct {
	form   string
	asJSON bool
	flags  *pflag.FlagSet
}

func (f *outputFlags) register(fs *pflag.FlagSet, forms string) {
	f.flags = fs
	fs.StringVarP(&f.form, "output", "o", "text", forms)
	fs.BoolVar(&f.asJSON, "json", false, "the same as -o json")
}

// json reports whether the form is JSON.
func (f *outputFlags) json() (bool, error) {
	switch {
	case f.form != "text" && f.form != "json":
		return false, fmt.Errorf("output %q is not known: text or json", f.form)
	case f.asJSON && f.form == "text" && f.flags.Changed("output"):
		return false, errors.New("--json and -o text contradict each other: leave one of them out")
	}
	return f.asJSON || f.form == "json", nil
}
