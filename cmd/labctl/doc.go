package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/moddoc"
	"labctl/modules"
	"labctl/playbooks"
	"labctl/runner/agentbin"
)

func (a *app) docCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "doc [MODULE]",
		Short: "Show the manual of a module, or the list of modules",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return modules.Default.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.moduleList()
			}
			m, err := modules.Default.Lookup(args[0])
			if err != nil {
				return fmt.Errorf("%w.%s\nSee 'labctl doc' for all", err, playbooks.ModuleHint(args[0], modules.Default.Names()))
			}
			_, err = fmt.Fprint(a.out, moddoc.Page(m))
			return err
		},
	}
}

func (a *app) moduleList() error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, n := range modules.Default.Names() {
		m, err := modules.Default.Lookup(n)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\n", n, moddoc.First(m.Doc()))
	}
	return w.Flush()
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version, and the machines it carries agents for",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.out, "labctl %s (%s/%s, %s)\nagents: %v\n", version(), runtime.GOOS, runtime.GOARCH, runtime.Version(), agentbin.Default().Arches())
			return err
		},
	}
}

// version is that of the module when labctl was installed with go install, else the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}
