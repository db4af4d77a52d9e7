package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// foreign are options of ansible-playbook that labctl has nothing for. Those with fatal change what is done to hosts, so that
// going on without them would be wrong; of the others it is said that they are passed over.
var foreign = []struct {
	name, short string
	value       bool
	fatal       bool
	instead     string
}{
	{"task-timeout", "", true, true, "a task has the argument timeout"},
	{"scp-extra-args", "", true, false, "labctl does not use scp"},
	{"sftp-extra-args", "", true, false, "labctl does not use sftp(1)"},
	{"module-path", "M", true, false, "modules are part of labctl"},
	{"flush-cache", "", false, false, "facts are not cached"},
}

func registerForeign(fs *pflag.FlagSet) {
	for _, o := range foreign {
		if o.value {
			fs.StringP(o.name, o.short, "", "not supported: "+o.instead)
		} else {
			fs.BoolP(o.name, o.short, false, "not supported: "+o.instead)
		}
	}
}

// refuse judges the options that labctl has nothing for.
func (a *app) refuse(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(given *pflag.Flag) {
		for _, o := range foreign {
			switch {
			case o.name != given.Name:
			case o.fatal && err == nil:
				err = fmt.Errorf("--%s is not supported: %s", o.name, o.instead)
			case !o.fatal:
				fmt.Fprintf(a.err, "[WARNING]: --%s is passed over: %s\n", o.name, o.instead)
			}
		}
	})
	return err
}
