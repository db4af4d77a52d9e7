package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/starter"
)

func (a *app) initCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Begin a project: a site and an inventory that play at once",
		Long: `Writes a first project into a directory, by default into this one: site.hcl,
inventory.hcl, and a README.md and a .gitignore where there are none. It can be
played at once, in the sandbox. In a directory with *.hcl files nothing is
written.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := sitePath(args)
			if err := starter.Write(dir); err != nil {
				return err
			}
			in := ""
			if dir != "." {
				in = "\n  cd " + dir
			}
			_, err := fmt.Fprintf(a.out, `A project is in %s: inventory.hcl has the machines, site.hcl what is to be there.

Try it on this computer, as root:
%s
  labctl sandbox up
  labctl plan --sandbox
  labctl play --sandbox
  labctl sandbox down

For real machines give the hosts of inventory.hcl their addresses: labctl play.
`, dir, in)
			return err
		},
	}
}
