package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/manual"
)

func (a *app) manCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages into a directory",
		Long: `Writes a manual page of labctl and of each of its verbs, such as labctl-play(1),
made of the help that they show:

    labctl man ~/.local/share/man/man1 && man labctl-play`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := manual.Write(root, args[0]); err != nil {
				return err
			}
			if err := manual.Write(a.playbookCmd(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "The manual pages are in %s.\n", args[0])
			return err
		},
	}
}
