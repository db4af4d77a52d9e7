package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/manual"
	"labctl/docs"
)

func (a *app) manCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages below a directory",
		Long: `Writes a manual page of labctl and of each of its verbs, such as labctl-play(1),
made of the help that they show, and labctl(5), which describes the language of
sites:

    labctl man ~/.local/share/man && man labctl-play && man 5 labctl`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := manual.Write(root, args[0]); err != nil {
				return err
			}
			if err := manual.Write(a.playbookCmd(), args[0]); err != nil {
				return err
			}
			if err := manual.WriteText(language(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "The manual pages are in %s.\n", args[0])
			return err
		},
	}
}

// language is labctl(5).
func language() *manual.Text {
	return &manual.Text{Name: "labctl", Section: "5", Short: "the language of sites: inventories and playbooks", Markdown: docs.Language, Dir: "docs/",
		SeeAlso: "labctl(1), labctl-play(1), labctl-validate(1), labctl-doc(1), labctl-console(1), labctl-inventory(1)"}
}
