package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/view"
	"labctl/runner"
)

func (a *app) showCmd() *cobra.Command {
	var f struct {
		json    bool
		color   colorWhen
		verbose int
	}
	cmd := &cobra.Command{
		Use:   "show PLAN",
		Short: "Show a plan that was saved",
		Long: `Shows what 'labctl plan -out PLAN' has saved, as plan has shown it. No host is
looked at: whether the plan still holds, play finds out.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			head, c, _, err := readPlan(args[0])
			if err != nil {
				return err
			}
			if f.verbose > 0 && !f.json {
				fmt.Fprintf(a.text(), "Plan of %s, made %s in %s, good until %s\n", c.Site, head.Made.Local().Format(time.DateTime), c.Dir, head.Expires.Local().Format(time.DateTime))
			}
			o := a.viewOptions()
			o.Verbosity, o.JSON, o.Color = f.verbose, f.json, f.color.or(o.Color)
			v := view.New(runner.Plan, o)
			for _, e := range c.Events {
				v.Event(e.Event)
			}
			return v.Close()
		},
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print the events of the plan as JSON, one a line")
	cmd.Flags().Var(&f.color, "color", "always, never, or auto: on a terminal")
	cmd.Flags().CountVarP(&f.verbose, "verbose", "v", "say more")
	return cmd
}
